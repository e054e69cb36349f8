// Conversations as somebody on the wire has them: the bytes of each direction, and the key log of one end.

import type { Duplex } from 'node:stream'
import type { Capture, CaptureEntry } from '../../lib/index.ts'
import { inspectCapture } from '../../lib/index.ts'
import { meddledPair, recording } from '../helpers/adversary.ts'
import { bothClosed, type Ends, type EndsOptions, ends, within } from '../helpers/pair.ts'

export interface Captured {
  readonly capture: Required<Omit<Capture, 'app'>>
  /** The records of each direction, with their headers. */
  readonly there: readonly Buffer[]
  readonly back: readonly Buffer[]
  readonly both: Ends
}

/** Runs a conversation to its end. */
export async function captured(
  converse: (both: Ends) => Promise<unknown>,
  options: EndsOptions = {},
  joined?: (there: Buffer[], back: Buffer[]) => [Duplex, Duplex]
): Promise<Captured> {
  const [there, back, lines]: [Buffer[], Buffer[], string[]] = [[], [], []]
  const pair = joined?.(there, back) ?? meddledPair(recording(there), recording(back))
  const log = { keyLog: (line: string) => void lines.push(line), allowKeyLog: true }
  const both = ends(pair, { ...options, initiator: { ...options.initiator, ...log } })
  await converse(both)
  await bothClosed(both)
  const capture = {
    initiator: Buffer.concat(there),
    responder: Buffer.concat(back),
    keys: `${lines.join('\n')}\n`
  }
  return { capture, there, back, both }
}

/** Both ready, an exchange of questions and answers, goodbyes. */
export const conversation = async ({ initiator, responder }: Ends): Promise<void> => {
  await within(Promise.all([initiator.ready, responder.ready]), 'the handshake')
  responder.on('data', message => responder.write({ got: message }))
  initiator.resume()
  await initiator.send({ hello: 'world', big: 2n ** 70n })
  await initiator.flush({ acked: true })
  initiator.end(['the', 'last'])
}

export const inspected = (capture: Capture): CaptureEntry[] => [...inspectCapture(capture)]

/** The names of entries, with who sent them: `> ping`, `< pong`. */
export const told = (entries: readonly CaptureEntry[]): string[] =>
  entries.map(({ from, name }) => `${from === 'initiator' ? '>' : '<'} ${name}`)
