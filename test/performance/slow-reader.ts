// node --import=tsx test/performance/slow-reader.ts MESSAGES
//
// A writer at full speed and a reader that is slower, in two processes over loopback: how much memory each comes to
// hold. Prints JSON, in bytes: `start`, when it has its size, and `most`. The test sends some 10^5 messages; 10^7 take
// some minutes.

import { fork } from 'node:child_process'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { type Connection, connect, Identity, listener } from 'stalk'

/** Nearly a kilobyte each, so that a queue without a bound would soon be larger than the bound of the test. */
const make = (n: number) => ({ n, text: `${n} `.padEnd(800, '·'), at: 1_700_000_000_000 + n })

/** The reader rests so long after so many messages. */
const REST_MS = 15
const REST_AFTER = 5_000

/** Before this part of the messages is through nothing has its size yet. */
const WARM_UP = 0.2

class Memory {
  start = 0
  most = 0
  readonly #messages: number

  constructor(messages: number) {
    this.#messages = messages
  }

  /** So many are through. */
  look(done: number): void {
    if (done % 1_000 !== 0 || done < this.#messages * WARM_UP) return
    const rss = process.memoryUsage.rss()
    this.start ||= rss
    this.most = Math.max(this.most, rss)
  }
}

async function read(messages: number): Promise<void> {
  const memory = new Memory(messages)
  const listening = listener('127.0.0.1', 0, conn => void drain(conn as Connection<{ n: number }>), {
    identity: await Identity.generate({ type: 'ed25519' })
  })
  const drain = async (conn: Connection<{ n: number }>): Promise<void> => {
    let done = 0
    for await (const { n } of conn) {
      if (n !== done) throw new Error(`message ${n} has come in the place of ${done}`)
      done += 1
      memory.look(done)
      if (done % REST_AFTER === 0) await pause(REST_MS)
    }
    if (done !== messages) throw new Error(`${done} messages have come`)
    process.send?.(memory, () => process.disconnect())
    listening.close()
  }
  await once(listening, 'listening')
  process.send?.({ port: (listening.address() as AddressInfo).port })
}

async function write(messages: number): Promise<void> {
  const memory = new Memory(messages)
  const reader = fork(import.meta.filename, [String(messages), 'reader'])
  const [{ port }] = (await once(reader, 'message')) as [{ port: number }]
  const read = once(reader, 'message') as Promise<[Memory]>
  const conn = await connect('127.0.0.1', port, { identity: null, peer: 'anyone' })
  conn.resume()
  for (let n = 0; n < messages; n++) {
    if (!conn.write(make(n))) await once(conn, 'drain')
    memory.look(n)
  }
  conn.end()
  const [theirs] = await read
  const seen = ({ start, most }: Memory) => ({ start, most })
  console.log(JSON.stringify({ writer: seen(memory), reader: seen(theirs) }))
}

const [messages = '200000', role] = process.argv.slice(2)
await (role === 'reader' ? read : write)(Number(messages))
