// The frame codec (lib/wire/frame): records of several lengths laid out as bytes, and cut out of chunks as a socket
// gives them.

import { Deframer, enframe, TYPE } from '../inside.ts'
import type { Step, Steps } from './index.ts'

const type = TYPE.sealedApplication
const CHUNK_BYTES = 65_536
const FRAMES = 32

const framing = (bodyBytes: number): Step => {
  const body = Buffer.alloc(bodyBytes, 7)
  return { per: 1, run: () => void enframe({ type, body }) }
}

/** So many frames, cut into chunks of 64 KiB wherever these end. */
const deframing = (bodyBytes: number): Step => {
  const bytes = Buffer.concat(
    Array.from({ length: FRAMES }, () => enframe({ type, body: Buffer.alloc(bodyBytes, 7) }))
  )
  const chunks: Buffer[] = []
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) chunks.push(bytes.subarray(at, at + CHUNK_BYTES))
  const codec = new Deframer(() => CHUNK_BYTES)
  return {
    per: FRAMES,
    run() {
      let frames = 0
      for (const chunk of chunks) {
        codec.push(chunk)
        for (let frame = codec.next(); frame; frame = codec.next()) {
          frame.loan?.giveBack()
          frames += 1
        }
      }
      if (frames !== FRAMES) throw new Error(`${frames} frames`)
    }
  }
}

const bySize = (verb: string, make: (bodyBytes: number) => Step): Steps =>
  Object.fromEntries(
    [64, 1_024, 65_536].map(bytes => [
      `${verb} ${bytes}`,
      { title: `${verb} a body of ${bytes.toLocaleString('en')} bytes`, prepare: () => make(bytes) }
    ])
  )

export const steps: Steps = { ...bySize('frame', framing), ...bySize('deframe', deframing) }
