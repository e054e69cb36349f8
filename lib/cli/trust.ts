// Peers that are known, at the command line: which file, what is done with a peer that is not in it, and the question
// that somebody at the terminal answers. Knows words and the terminal; what a key is trusted for is the library's.

import { join } from 'node:path'
import { type KnownPeers, knownPeers, type Question } from '../index.ts'
import { type Args, type Option, usage } from './args.ts'
import { CommandError, EXIT } from './exit.ts'
import { described, home } from './keys.ts'
import { askOpenly, hasTerminal } from './prompt.ts'
import type { Shell } from './shell.ts'
import { harmless } from './terminal.ts'

export const KNOWN_PEERS: Option = {
  name: 'known-peers',
  value: 'FILE',
  text: 'the peers that are known; default: known_peers in $STALK_HOME or ~/.spack'
}

export const TRUST: readonly Option[] = [
  {
    name: 'trust',
    value: 'HOW',
    text: 'a peer that is unknown: strict refuses it, accept-new remembers it, off verifies nothing; default: ask'
  },
  KNOWN_PEERS
]

type Trust = KnownPeers['trust']

const TRUSTS: readonly string[] = ['strict', 'ask', 'accept-new', 'off'] satisfies Trust[]

/** The file, for reading and changing it. */
export function peersFile(args: Args): KnownPeers {
  const { path, makeFolder } = placeOf(args)
  return knownPeers(path, 'strict', { makeFolder })
}

/** Known peers as --trust and --known-peers have them. Without a terminal nobody is asked, and nobody new gets in. */
export function knownBy(args: Args, shell: Shell): KnownPeers {
  const { path, makeFolder } = placeOf(args)
  const trust = args.text('trust') ?? 'ask'
  if (!TRUSTS.includes(trust)) throw usage(`--trust is one of ${TRUSTS.join(', ')}, not ${trust}`)
  if (trust !== 'ask') return knownPeers(path, trust as Trust, { makeFolder })
  if (!hasTerminal()) return knownPeers(path, 'strict', { makeFolder })
  return knownPeers(path, 'ask', { makeFolder, ask: question => put(question, shell) })
}

function placeOf(args: Args): { path: string; makeFolder: boolean } {
  const file = args.text('known-peers')
  if (file === '') throw usage('--known-peers takes the path of a file')
  return { path: file ?? join(home(), 'known_peers'), makeFolder: file === undefined }
}

/** Whoever is new is remembered without a question; afterwards it can be said that somebody was. */
export async function newcomers(peer: unknown, { voice }: Shell): Promise<() => Promise<void>> {
  const file = peer as Partial<KnownPeers>
  if (file.trust !== 'accept-new') return async () => {}
  const known = peer as KnownPeers
  const before = (await known.list()).length
  return async () => {
    if ((await known.list()).length <= before) return
    const text = `nothing was known of it before; remembered in ${harmless(known.path)}`
    voice.event('remembered', { path: known.path }, `  ${text}`)
  }
}

/** What asks; for tests, another. */
export type AskLine = (question: string) => Promise<string | null>

/** How often somebody may answer something else. */
const TRIES = 3

/** Throws a CommandError if the answer is no. */
export async function put(question: Question, { voice }: Shell, ask: AskLine = askOpenly): Promise<boolean> {
  const { fingerprint, path } = question
  let text = wordsOf(question).map(harmless).join('\n')
  for (let tries = 0; tries < TRIES; tries++) {
    const answer = (await ask(text))?.trim() ?? 'no'
    if (answer.toLowerCase() === 'yes' || answer === fingerprint) {
      voice.event('remembering', { ...factsOf(question), path }, `remembering it in ${harmless(path)}`)
      return true
    }
    if (answer.toLowerCase() === 'no') break
    if (answer.startsWith('SHA256:'))
      throw notAccepted('the peer has another key than the one that you typed')
    text = 'Please type yes, no, or the fingerprint that you expect: '
  }
  throw notAccepted('you did not accept the peer')
}

const notAccepted = (text: string): CommandError =>
  new CommandError(EXIT.untrusted, `${text}; nothing was sent, and nothing remembered`)

const factsOf = ({ host, port, fingerprint }: Question): object => ({ host, port, fingerprint })

function wordsOf({ host, port, identity, knownAs }: Question): string[] {
  const others = knownAs.length > 0 ? `known as ${knownAs.join(' and ')} too` : 'not known by any other name'
  return [
    `Nothing is known of ${port === undefined ? host : `${host.includes(':') ? `[${host}]` : host}:${port}`} yet.`,
    `Its key is ${described(identity)}.`,
    `This key is ${others}.`,
    'Is it the key that you expect there (yes/no/fingerprint)? '
  ]
}
