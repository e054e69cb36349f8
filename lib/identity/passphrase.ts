// Passphrases: asked for when a key file is encrypted, or given along; as bytes of ours that can be wiped. Knows
// who is asked and what counts as an answer; knows no cipher.

import { MAX_PASSPHRASE_BYTES } from '../constants.ts'
import { StalkError } from '../errors.ts'

type Answer = string | Uint8Array | null | undefined

/**
 * A passphrase, or who knows it: a function that is called when it is needed, with the path of the file. What it
 * throws is thrown on; null, undefined and nothing at all mean that there is none.
 */
export type Passphrase = string | Uint8Array | ((name: string) => Answer | Promise<Answer>)

/** The bytes of a passphrase, the caller's to wipe. Throws ERR_STALK_PASSPHRASE_REQUIRED if there is none. */
export async function askFor(passphrase: Passphrase | undefined, name: string): Promise<Buffer> {
  const answer = await answerOf(passphrase, name)
  if (isNone(answer)) throw required(name)
  return bytesOf(answer)
}

/** As `askFor`, for a file that is to be written; null if no passphrase is named, while an empty one is refused. */
export async function newPassphrase(
  passphrase: Passphrase | undefined,
  name: string
): Promise<Buffer | null> {
  if (passphrase === undefined) return null
  const answer = await answerOf(passphrase, name)
  if (isNone(answer)) throw invalid('an empty passphrase protects nothing; leave it out for a file in clear')
  return bytesOf(answer)
}

/** Throws ERR_STALK_INVALID_OPTION for what can be no passphrase, before anything is read. */
export function requirePassphrase(value: unknown): void {
  if (value !== undefined && typeof value !== 'function' && !isAnswer(value)) throw noPassphrase(value)
}

const answerOf = async (passphrase: Passphrase | undefined, name: string): Promise<Answer> =>
  typeof passphrase === 'function' ? passphrase(name) : passphrase

const isNone = (answer: Answer): answer is null | undefined =>
  answer === undefined || answer === null || answer.length === 0

const isAnswer = (value: unknown): value is string | Uint8Array =>
  typeof value === 'string' || value instanceof Uint8Array

function bytesOf(answer: string | Uint8Array): Buffer {
  if (!isAnswer(answer)) throw noPassphrase(answer)
  const bytes = typeof answer === 'string' ? Buffer.from(answer) : Buffer.from(answer)
  if (bytes.length <= MAX_PASSPHRASE_BYTES) return bytes
  throw invalid(`a passphrase has at most ${MAX_PASSPHRASE_BYTES} bytes, not ${bytes.length}`)
}

export const required = (name: string): StalkError =>
  new StalkError(
    'ERR_STALK_PASSPHRASE_REQUIRED',
    `${name} is encrypted, and no passphrase was given; Identity.load(path, { passphrase }) takes one`,
    { phase: 'setup' }
  )

// Never the value itself: whatever it is, somebody may have meant it to be secret.
const noPassphrase = (value: unknown): StalkError =>
  invalid(`a passphrase is a string, bytes or a function that gives one, not of type ${typeof value}`)

const invalid = (text: string): StalkError =>
  new StalkError('ERR_STALK_INVALID_OPTION', text, { phase: 'setup' })
