// Helpers of the compositions: things that streams in the world do to what passes through them.

import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'

/** A serial line: gives its bytes 1 to 7 at a time, whatever was written. */
export const serialLine = (): Transform =>
  new Transform({
    transform(chunk: Buffer, _encoding, done) {
      for (let at = 0, n = 1; at < chunk.length; at += n, n = (n % 7) + 1) {
        this.push(chunk.subarray(at, at + n))
      }
      done()
    }
  })

/** Runs a pipeline to its end and gives what came out of it. */
export async function gather(...stages: unknown[]): Promise<unknown[]> {
  const out: unknown[] = []
  const taking = async (source: AsyncIterable<unknown>): Promise<void> => {
    for await (const item of source) out.push(item)
  }
  await pipeline([...stages, taking] as never)
  return out
}
