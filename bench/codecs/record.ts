// The record codec (lib/wire/record) with its suites (lib/crypto/suites): contents of several lengths sealed and opened.

import { type Frame, KIND, Opener, Sealer, SUITES, type SuiteName, TYPE, trafficKeys } from '../inside.ts'
import type { Step, Steps } from './index.ts'

const RECORDS = 16

/** Keys are good for so many bytes and records; new ones before. */
const CALLS_PER_KEY = 10_000

const secret = Buffer.alloc(32, 5)

const sealerOf = (name: SuiteName) =>
  new Sealer(TYPE.sealedApplication, SUITES[name], trafficKeys(secret, SUITES[name]))
const openerOf = (name: SuiteName) =>
  new Opener(TYPE.sealedApplication, SUITES[name], trafficKeys(secret, SUITES[name]))

function sealing(name: SuiteName, bytes: number): Step {
  const content = { type: KIND.messages, body: Buffer.alloc(bytes, 7) }
  let sealer = sealerOf(name)
  let calls = 0
  return {
    per: RECORDS,
    run() {
      if (++calls % CALLS_PER_KEY === 0) sealer = sealerOf(name)
      for (let i = 0; i < RECORDS; i++) sealer.seal(content)
    }
  }
}

/** The same records over and over, under the same key from its beginning. */
function opening(name: SuiteName, bytes: number): Step {
  const sealer = sealerOf(name)
  const content = { type: KIND.messages, body: Buffer.alloc(bytes, 7) }
  const records = Array.from({ length: RECORDS }, () => arrived(sealer.seal(content)))
  return {
    per: RECORDS,
    run() {
      const opener = openerOf(name)
      for (const record of records) opener.open(record)
    }
  }
}

/** As it comes out of a deframer: in one piece. */
const arrived = ({ type, body }: Frame): Frame => ({ type, body })

const suites: readonly [string, SuiteName, readonly number[]][] = [
  ['GCM', 'X25519-AES256GCM-SHA256', [64, 16_384, 65_536]],
  ['ChaCha', 'X25519-CHACHA20POLY1305-SHA256', [65_536]],
  ['OFB', 'X25519-AES256OFB-HMACSHA256', [65_536]]
]

export const steps: Steps = Object.fromEntries(
  suites.flatMap(([short, name, sizes]) =>
    sizes.flatMap(bytes =>
      (['seal', 'open'] as const).map(verb => [
        `${verb} ${bytes} ${short}`,
        {
          title: `${verb} ${bytes.toLocaleString('en')} bytes, ${short}`,
          prepare: () => (verb === 'seal' ? sealing : opening)(name, bytes)
        }
      ])
    )
  )
)
