// Succession: a statement, signed by both, that one key takes another's place; TRUST.md has its form. Knows keys,
// signatures and the line; knows not who follows it.
//
//   @succession 2026-01-31T12:00:00Z ssh-rsa OLD ssh-ed25519 NEW SIGNATURE-OF-OLD SIGNATURE-OF-NEW

import { u16, u64 } from '../bytes.ts'
import { sign, verify } from '../crypto/signatures.ts'
import { StalkError } from '../errors.ts'
import { createKeyFiles, PUBLIC_MODE, readKeyFile } from '../identity/files.ts'
import { sshBlob } from '../identity/fingerprint.ts'
import { Identity } from '../identity/identity.ts'
import { readListedKey } from '../identity/ssh-public.ts'
import { invalid, messageOf, succession } from './failures.ts'
import { firstWord } from './lines.ts'

/** What the line begins with. */
const SUCCESSION = '@succession'

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/

/** What each of the two signs begins with, as in the handshake (PROTOCOL.md), and with another name. */
const CONTEXT = {
  predecessor: Buffer.from(`${' '.repeat(64)}stalk/1 succession, predecessor\0`),
  successor: Buffer.from(`${' '.repeat(64)}stalk/1 succession, successor\0`)
} as const

/** Immutable, and true: both keys have signed it. */
export class Succession {
  /** The key that signs off. */
  readonly predecessor: Identity
  /** The key that takes its place. */
  readonly successor: Identity
  /** When it was signed, as the predecessor's owner has it; no verdict depends on it. */
  readonly time: Date
  /** The statement, as it stands in files. */
  readonly line: string

  private constructor(statement: Statement, line: string) {
    this.predecessor = publicHalf(statement.predecessor)
    this.successor = publicHalf(statement.successor)
    this.time = new Date(statement.seconds * 1_000)
    this.line = line
    Object.freeze(this)
  }

  /** Signs with both private keys. Rejects with ERR_STALK_INVALID_OPTION. */
  static async sign(predecessor: Identity, successor: Identity): Promise<Succession> {
    const keys = [predecessor, successor] as const
    if (!keys.every(key => key instanceof Identity && key.privkey !== null))
      throw invalid('a succession is signed with two private keys: of the old identity and of the new one')
    if (predecessor.equals(successor)) throw invalid('a key does not succeed itself')
    const statement = { predecessor, successor, seconds: Math.floor(Date.now() / 1_000) }
    const signatures = [
      await signAs(predecessor, inputOf('predecessor', statement)),
      await signAs(successor, inputOf('successor', statement))
    ]
    const words = [SUCCESSION, timeText(statement.seconds), ...keys.map(keyWords)]
    return new Succession(
      statement,
      [...words, ...signatures.map(bytes => bytes.toString('base64'))].join(' ')
    )
  }

  /** All statements in a text, one at least; remarks (`#`) mean nothing. Throws ERR_STALK_SUCCESSION. */
  static parse(text: string | Buffer, name = 'the text'): readonly Succession[] {
    if (typeof text !== 'string' && !Buffer.isBuffer(text)) throw invalid('a succession is a text')
    const lines = (Buffer.isBuffer(text) ? text.toString('latin1') : text)
      .split(/\r?\n/)
      .filter(line => !/^\s*(#|$)/.test(line))
    if (lines.length === 0) throw succession(`${name} holds no succession: it is empty`)
    return lines.map(line => Succession.read(line, name))
  }

  /** As `parse`, from a file. Rejects with ERR_STALK_SUCCESSION and, as keys do, ERR_STALK_KEY_FILE_MISSING and _IO. */
  static async load(path: string): Promise<readonly Succession[]> {
    if (typeof path !== 'string' || path === '') throw invalid('path must be the path of a file')
    return Succession.parse((await readKeyFile(path)).text, path)
  }

  /** One line. `name` begins the error texts. Throws ERR_STALK_SUCCESSION. */
  static read(line: string, name: string): Succession {
    const [mark, time = '', oldType = '', old = '', newType = '', next = '', ...rest] = line
      .trim()
      .split(/[ \t]+/)
    const [bySuccessor = '', ...more] = rest.slice(1)
    if (mark !== SUCCESSION || rest.length < 2 || more.length > 0)
      throw succession(`${name} holds no succession: that is a line ${SUCCESSION} and seven words`)
    const statement = {
      predecessor: identityIn(oldType, old, name),
      successor: identityIn(newType, next, name),
      seconds: secondsIn(time, name)
    }
    if (statement.predecessor.equals(statement.successor))
      throw succession(`${name} holds a succession of a key by itself`)
    requireSigned('predecessor', statement, rest[0] as string, name)
    requireSigned('successor', statement, bySuccessor, name)
    return new Succession(
      statement,
      line
        .trim()
        .split(/[ \t]+/)
        .join(' ')
    )
  }

  /** In a new file, for those who know the old key. Never over another: ERR_STALK_KEY_FILE_EXISTS. */
  async save(path: string): Promise<void> {
    if (typeof path !== 'string' || path === '') throw invalid('path must be the path of a file')
    const { predecessor, successor, time, line } = this
    const head = `# ${predecessor.fingerprint} is succeeded by\n# ${successor.fingerprint}, as both have signed at ${time.toISOString()}\n`
    await createKeyFiles([{ path, text: `${head}${line}\n`, mode: PUBLIC_MODE }])
  }

  toJSON(): object {
    const { predecessor, successor, time } = this
    return {
      predecessor: predecessor.fingerprint,
      successor: successor.fingerprint,
      time: time.toISOString()
    }
  }
}

interface Statement {
  readonly predecessor: Identity
  readonly successor: Identity
  readonly seconds: number
}

/** context ‖ u16 length ‖ old key ‖ u16 length ‖ new key ‖ u64 seconds; keys as in SSH's wire encoding. */
function inputOf(side: keyof typeof CONTEXT, { predecessor, successor, seconds }: Statement): Buffer {
  const [old, next] = [sshBlob(predecessor.raw), sshBlob(successor.raw)]
  return Buffer.concat([CONTEXT[side], u16(old.length), old, u16(next.length), next, u64(seconds)])
}

const signAs = (identity: Identity, input: Buffer): Promise<Buffer> =>
  sign(identity.type, identity.privkey as NonNullable<typeof identity.privkey>, input)

function requireSigned(side: keyof typeof CONTEXT, statement: Statement, base64: string, name: string): void {
  const signature = Buffer.from(base64, 'base64')
  const isPlain = signature.toString('base64') === base64
  if (isPlain && verify(statement[side].raw, inputOf(side, statement), signature)) return
  throw succession(
    `${name} holds a succession that the ${side}, ${statement[side].fingerprint}, has not signed so; it is damaged or forged`
  )
}

function identityIn(type: string, base64: string, name: string): Identity {
  try {
    return Identity.fromRaw(readListedKey(type, base64, name))
  } catch (cause) {
    if (!(cause instanceof StalkError)) throw cause
    throw succession(`${name} holds a succession of keys that can't be read: ${messageOf(cause)}`, cause)
  }
}

function secondsIn(text: string, name: string): number {
  const ms = TIME.test(text) ? Date.parse(text) : Number.NaN
  if (ms >= 0 && timeText(ms / 1_000) === text) return ms / 1_000
  throw succession(`${name} holds a succession of a time that is none: ${JSON.stringify(text)}`)
}

const timeText = (seconds: number): string => new Date(seconds * 1_000).toISOString().replace('.000Z', 'Z')

const keyWords = (identity: Identity): string => {
  const [type, rest] = firstWord(identity.publicLine.trim())
  return `${type} ${firstWord(rest)[0]}`
}

/** Of a key pair, what may be kept and shown. */
const publicHalf = (identity: Identity): Identity =>
  identity.privkey === null ? identity : Identity.fromRaw(identity.raw)
