// Who we are and whom we expect, as the command line and the environment say it. Knows key files and
// fingerprints by name only; what is in them is the library's.

import { homedir } from 'node:os'
import { join } from 'node:path'
import { Identity } from '../index.ts'
import { type Args, type Option, usage } from './args.ts'
import { CommandError, EXIT } from './exit.ts'
import { unlocked } from './passphrase.ts'

export const WHO_WE_ARE: readonly Option[] = [
  {
    name: 'identity',
    value: 'FILE',
    text: 'the private key to show, as PEM or of OpenSSH; default: id_priv in $STALK_HOME or ~/.spack'
  },
  { name: 'anonymous', text: 'show no key' }
]

/** The folder of the default identity. */
export function home({ STALK_HOME }: { STALK_HOME?: string } = process.env): string {
  return STALK_HOME || join(homedir(), '.spack')
}

/** The default identity, or null if there is none. */
export const defaultIdentity = (): Promise<Identity | null> =>
  unlocked(options => Identity.default(home(), options))

/** The identity in the home folder. Throws a CommandError with EXIT.keys if there is none. */
export async function requireDefault(hints: readonly string[] = []): Promise<Identity> {
  const identity = await defaultIdentity()
  if (identity) return identity
  throw new CommandError(EXIT.keys, `there is no identity in ${home()}`, [
    '`stalk keygen` makes one',
    ...hints
  ])
}

/** What --identity and --anonymous say; undefined if nothing. */
export async function namedIdentity(args: Args): Promise<Identity | null | undefined> {
  const file = args.text('identity')
  if (args.has('anonymous') && file !== undefined) throw usage('either --identity or --anonymous, not both')
  if (args.has('anonymous')) return null
  if (file === undefined) return undefined
  const identity = await unlocked(options => Identity.load(file, options))
  if (identity.privkey) return identity
  throw new CommandError(EXIT.keys, `${file} holds a public key; a private one is needed to prove who we are`)
}

const FINGERPRINT = /^SHA256:[A-Za-z0-9+/]{43}$/

export const isFingerprint = (text: string): boolean => FINGERPRINT.test(text)

/** What begins as a fingerprint and is none is not looked for as a file or a host. */
export function refuseMistyped(name: string, head = ''): void {
  if (!name.startsWith('SHA256:') || isFingerprint(name)) return
  throw usage(`${head}${name} is no fingerprint: that is SHA256: and 43 characters of base64`)
}

/** Fingerprints, or files with keys. `option` is the one that named them. */
export async function expected(option: string, names: readonly string[]): Promise<(Identity | string)[]> {
  const peers: (Identity | string)[] = []
  // One after the other: each may ask for a passphrase.
  for (const name of names) peers.push(await expectedOne(option, name))
  return peers
}

async function expectedOne(option: string, name: string): Promise<Identity | string> {
  if (isFingerprint(name)) return name
  refuseMistyped(name, `--${option}: `)
  if (name === '') throw usage(`--${option} takes a fingerprint or a key file`)
  return unlocked(options => Identity.loadPublic(name, options))
}

/** As `ssh-keygen -l` has it: 2048 SHA256:… comment (RSA). A file without a comment is called by its name. */
export const listed = (identity: Identity, file: string): string =>
  `${identity.keysize} ${identity.fingerprint} ${identity.comment || file} (${identity.type.toUpperCase()})`

/** Who somebody is, for a person. */
export const described = (identity: Identity | null): string =>
  identity
    ? `${identity.fingerprint} (${identity.type.toUpperCase()} ${identity.keysize})`
    : 'nobody (anonymous)'
