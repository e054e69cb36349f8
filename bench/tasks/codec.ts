// Encoding and decoding in one process, a batch after the other, with no I/O and no crypto.

import { type Payload, payloadOf } from '../payloads.ts'
import type { Codec } from '../subject.ts'
import { loadSubject } from '../subjects/index.ts'
import { fail, Meter, now, type Task } from './task.ts'

/** Encoded ahead of decoding: what a connection would have under way. */
const BATCH_BYTES = 1 << 20

export const task: Task = async opening => {
  const { codec } = await loadSubject(opening.subject)
  if (!codec) throw new Error(`${opening.subject} is no codec`)
  const payload = payloadOf(opening.payload)
  const meter = new Meter()
  const batch = Math.ceil(BATCH_BYTES / payload.bytes)
  let total = 0
  return [
    async request => {
      if (!('run' in request)) return { total }
      meter.start()
      const began = now()
      for (const to = total + request.run; total < to; ) {
        const next = Math.min(total + batch, to)
        passThrough(codec, payload, total, next)
        total = next
      }
      return { at: now() - began, cpu: meter.read() }
    },
    {}
  ]
}

function passThrough(codec: Codec, payload: Payload, from: number, to: number): void {
  const encoded: Buffer[] = []
  for (let index = from; index < to; index++) encoded.push(codec.encode(payload.make(index)))
  for (let index = from; index < to; index++) {
    const message = codec.decode(encoded[index - from] as Buffer)
    if (!payload.is(index, message)) fail(`message ${index} is not what was encoded`)
  }
}
