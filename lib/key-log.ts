// The key log: the traffic secrets of connections as lines of text, in the form that browsers have for TLS (the NSS key
// log format), written and read. Knows labels and lines; knows no file, and no key but those that it is handed.
//
//   STALK_I_HS <random of M1> <secret>      also STALK_R_HS, STALK_I_AP, STALK_R_AP; both in hex
//
// One line a secret and connection; those after a key update follow from it (PROTOCOL.md, section 21.2).

import { StalkError } from './errors.ts'
import type { Disclose } from './handshake/handshake.ts'

/** Is given a line, without its line feed. What it throws reaches the process, not the connection. */
export type KeyLog = (line: string) => void

const STAGES = { handshake: 'HS', application: 'AP' } as const
const SIDES = { initiator: 'I', responder: 'R' } as const

type Stage = keyof typeof STAGES
type Side = keyof typeof SIDES

/** What a handshake is given for its secrets to reach a key log. */
export const disclosing =
  (keyLog: KeyLog): Disclose =>
  (stage, random, secrets) => {
    for (const side of ['initiator', 'responder'] as const) {
      const line = `STALK_${SIDES[side]}_${STAGES[stage]} ${random.toString('hex')} ${secrets[side].toString('hex')}`
      try {
        keyLog(line)
      } catch (error) {
        process.nextTick(() => {
          throw error
        })
      }
    }
  }

let warned = false

/** That secrets leave the process is said once. */
export function warnOfKeyLog(): void {
  if (warned) return
  warned = true
  process.emitWarning('a key log is written: whoever reads it can read and forge what is sent', {
    code: 'STALK_KEY_LOG',
    detail: 'leave out keyLog and allowKeyLog where that is not meant'
  })
}

// --- reading -------------------------------------------------------------------------------------------

/** The secrets of one connection, as far as they were logged. */
export type LoggedSecrets = { readonly [stage in Stage]: { readonly [side in Side]?: Buffer } }

const LINE = /^STALK_([IR])_(HS|AP) ([0-9a-f]{64}) ([0-9a-f]{64})$/i

/**
 * The secrets of the connection whose M1 has this random. Lines of other programs, and comments, are passed over.
 * Throws ERR_STALK_KEY_FILE_FORMAT for a line of ours that is not well formed, unless it is the last and not complete.
 */
export function readKeyLog(text: string, random: Buffer): LoggedSecrets {
  const found = { handshake: {} as Record<string, Buffer>, application: {} as Record<string, Buffer> }
  const wanted = random.toString('hex')
  const lines = text.split('\n')
  for (const [index, line] of lines.entries()) {
    if (!line.startsWith('STALK_')) continue
    const [, side = '', stage = '', named = '', secret = ''] = LINE.exec(line.trimEnd()) ?? []
    if (named === '' && index === lines.length - 1) continue // it is still being written
    if (named === '') throw malformed(index + 1)
    if (named.toLowerCase() !== wanted) continue
    const place = found[stage.toUpperCase() === 'HS' ? 'handshake' : 'application']
    place[side.toUpperCase() === 'I' ? 'initiator' : 'responder'] = Buffer.from(secret, 'hex')
  }
  return found
}

const malformed = (line: number): StalkError =>
  new StalkError(
    'ERR_STALK_KEY_FILE_FORMAT',
    `the key log, line ${line}: not STALK_…, the random and the secret, 64 hexadecimal digits each`,
    { phase: 'setup' }
  )
