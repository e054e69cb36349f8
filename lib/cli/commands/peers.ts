// `stalk peers`: the peers that are known, listed and changed. Knows the words of the command line; what is in the file
// is the library's.

import { resolve } from 'node:path'
import { authorizedPeers, Identity, type KnownPeer, type KnownPeers, Succession } from '../../index.ts'
import { type Args, usage } from '../args.ts'
import type { Command } from '../command.ts'
import { isFingerprint, refuseMistyped } from '../keys.ts'
import { unlocked } from '../passphrase.ts'
import type { Shell } from '../shell.ts'
import { harmless } from '../terminal.ts'
import { KNOWN_PEERS, peersFile } from '../trust.ts'

export const peers: Command = {
  name: 'peers',
  summary: 'the peers that are known: list, add, forget, revoke, trust',
  usage: [
    'peers list',
    'peers add HOST[:PORT] KEYFILE [--label TEXT]',
    'peers forget HOST[:PORT] | SHA256:…',
    'peers revoke KEYFILE | SHA256:…',
    'peers trust FILE…'
  ],
  about: [
    'Peers are known by host and port in a file as the known_hosts of ssh; `stalk connect` looks there, and adds what you have said yes to. HOST may have * and ? in it, and be several with commas; without a port it is every port there. A Unix socket is unix:/its/path.',
    'revoke has a key refused from now on, whatever else the file says of it; --peer says itself which key is expected, and asks no file. trust takes the file in which an old key says who succeeds it, as `stalk keygen --succeed` makes it, and accepts the new key wherever the old one is known.'
  ],
  options: [
    KNOWN_PEERS,
    { name: 'label', value: 'TEXT', text: 'what you call the peer' },
    {
      name: 'authorized',
      value: 'FILE',
      text: 'trust: the file of `stalk listen --authorized`, instead of known peers'
    },
    { name: 'hosts', value: 'HOSTS', text: 'revoke: for these alone; default: everywhere' }
  ],
  run: (args, shell) => {
    const [name = '', ...words] = args.positionals
    const action = ACTIONS.get(name)
    if (!action) throw usage(name ? `there is no \`peers ${name}\`` : 'list, add, forget, revoke or trust?')
    return action({ args, shell, words, file: peersFile(args) })
  }
}

interface Call {
  readonly args: Args
  readonly shell: Shell
  /** What comes behind the name of the action. */
  readonly words: readonly string[]
  readonly file: KnownPeers
}

const ACTIONS: ReadonlyMap<string, (call: Call) => Promise<void>> = new Map(
  Object.entries({ list, add, forget, revoke, trust })
)

async function list({ args, shell, words, file }: Call): Promise<void> {
  requireWords(words, 0, 'list takes no arguments')
  const [known, successions] = [await file.list(), await file.successions()]
  for (const peer of known) await shell.output.line(args.has('json') ? JSON.stringify(peer) : shown(peer))
  for (const { predecessor, successor, time, line } of successions) {
    await shell.output.line(
      args.has('json')
        ? JSON.stringify({ line, predecessor, successor, time })
        : `${predecessor} is succeeded by ${successor}, signed ${dayOf(time)}`
    )
  }
  if (known.length === 0)
    shell.voice.event('none', { path: file.path }, `${harmless(file.path)} has no peers`)
}

async function add({ args, shell, words, file }: Call): Promise<void> {
  requireWords(words, 2, 'add takes a host and a key file, as in `add printer:4000 printer.pub`')
  const [where = '', key = ''] = words
  if (isFingerprint(key))
    throw usage(
      'add needs the key itself, in a file; of a fingerprint `stalk connect` asks, and remembers it'
    )
  refuseMistyped(key)
  const identity = await unlocked(options => Identity.loadPublic(key, options))
  const hosts = hostsOf(where)
  const label = args.text('label') ?? identity.comment
  const isNew = await file.add(hosts, identity, { label })
  const { fingerprint } = identity
  say(shell, isNew ? 'added' : 'there', { hosts, fingerprint, path: file.path }, [
    `${hosts} ${isNew ? 'is now known' : 'was known already'} by ${fingerprint}`
  ])
}

async function forget({ shell, words, file }: Call): Promise<void> {
  requireWords(words, 1, 'forget takes a host, with a port or without, or a fingerprint')
  const [what = ''] = words
  refuseMistyped(what)
  const { host, port } = placeIn(what)
  const gone = isFingerprint(what) ? await file.forget(what) : await file.forget(host, port)
  for (const peer of gone) say(shell, 'forgotten', peer, [`forgotten: ${shown(peer)}`])
  if (gone.length > 0) return
  const revoked = (await file.list()).find(peer => peer.revoked && peer.fingerprint === what)
  say(shell, 'nothing', { path: file.path }, [
    revoked
      ? `${what} is revoked, and stays so: who wants to trust it again takes line ${revoked.line} out of ${file.path} by hand`
      : `${file.path} has nothing of ${what}; what has a pattern goes by its fingerprint`
  ])
}

async function revoke({ args, shell, words, file }: Call): Promise<void> {
  requireWords(words, 1, 'revoke takes a key file, or the fingerprint of a key that is known')
  const [key = ''] = words
  refuseMistyped(key)
  const peer = isFingerprint(key) ? key : await unlocked(options => Identity.loadPublic(key, options))
  const fingerprint = typeof peer === 'string' ? peer : peer.fingerprint
  const hosts = args.has('hosts') ? hostsOf(args.text('hosts') ?? '') : '*'
  await file.revoke(peer, { hosts, label: args.text('label') ?? '' })
  say(shell, 'revoked', { fingerprint, hosts, path: file.path }, [
    `${fingerprint} is refused from now on${hosts === '*' ? '' : ` at ${hosts}`}`
  ])
  for (const { predecessor, successor, time } of await file.successions()) {
    if (predecessor !== fingerprint) continue
    say(shell, 'succeeded', { predecessor, successor, time }, [
      `${successor} has succeeded it, signed ${dayOf(time)}: where that was met, it stays known`,
      'if the old key was in wrong hands by then, revoke the new one too'
    ])
  }
}

async function trust({ args, shell, words, file: known }: Call): Promise<void> {
  const authorized = args.text('authorized')
  const file = authorized === undefined ? known : authorizedPeers(authorized)
  if (words.length === 0) throw usage('trust takes the files of successions, such as id.succession')
  for (const path of words) {
    for (const succession of await Succession.load(path)) {
      const isNew = await file.succeed(succession)
      const { predecessor, successor, time } = succession
      const facts = { predecessor: predecessor.fingerprint, successor: successor.fingerprint, time }
      say(shell, isNew ? 'recorded' : 'there', { ...facts, path: file.path }, [
        `${facts.predecessor} is succeeded by`,
        `${facts.successor}, as both have signed on ${dayOf(time)}`,
        isNew ? '  the new key is accepted wherever the old one is known' : '  that was known already'
      ])
    }
  }
}

// --- words ---------------------------------------------------------------------------------------------

function requireWords(words: readonly string[], count: number, otherwise: string): void {
  if (words.length !== count || words.includes('')) throw usage(otherwise)
}

const say = ({ voice }: Shell, name: string, facts: object, lines: readonly string[]): void =>
  voice.event(name, facts, lines.map(harmless))

const dayOf = (time: Date): string => `${time.toISOString().slice(0, 16).replace('T', ' ')} UTC`

/** As `stalk fingerprint` has it, behind the hosts. */
function shown({ hosts, fingerprint, keysize, type, label, revoked }: KnownPeer): string {
  const words = [...(revoked ? ['revoked:'] : []), hosts, keysize, fingerprint, ...(label ? [label] : [])]
  return harmless(`${words.join(' ')} (${type.toUpperCase()})`)
}

/** HOST:PORT, as people write it, to [HOST]:PORT as the file has it; all else as it is. */
const hostsOf = (text: string): string =>
  text
    .split(',')
    .map(item => {
      const { host, port } = placeIn(item.replace(/^!/, ''))
      return `${item.startsWith('!') ? '!' : ''}${port === undefined ? host : `[${host}]:${port}`}`
    })
    .join(',')

/** Throws a CommandError with EXIT.usage for what can be no place: it would be known, and never met. */
function placeIn(text: string): { host: string; port?: number } {
  if (text.startsWith('unix:')) return { host: `unix:${resolve(text.slice('unix:'.length))}` }
  const [, bracketed, plain, port] = /^(?:\[([^[\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? []
  if (port !== undefined && Number(port) <= MAX_PORT)
    return { host: bracketed ?? plain ?? '', port: Number(port) }
  // With more colons than one it is an IPv6 address, or a fingerprint.
  if (port !== undefined || (/^[^:]*:[^:]*$/.test(text) && !isFingerprint(text)))
    throw usage(`${text} is no HOST[:PORT]: a port is a number from 1 to ${MAX_PORT}`)
  if (/^\d+$/.test(text)) throw usage(`${text} is no host; did you mean 127.0.0.1:${text}?`)
  return { host: text }
}

const MAX_PORT = 65_535
