// Messages one way, over one connection or many, the sender waiting for `drain` whenever `write` says so. Every
// message is checked at the receiver against the one that should be there.

import { type Payload, payloadOf } from '../payloads.ts'
import type { Channel, Outbound } from '../subject.ts'
import { transportOf } from '../subjects/index.ts'
import { connectAll } from './connect.ts'
import { type End, fail, Meter, now, type Reply, type Task } from './task.ts'

export const task: Task = opening => (opening.role === 'listener' ? listener(opening) : connector(opening))

// --- sender ------------------------------------------------------------------------------------------------

const connector: Task = async opening => {
  const payload = payloadOf(opening.payload)
  const channels = await connectAll(opening)
  for (const { inbound } of channels) inbound.on('data', () => fail('an answer, where none was expected'))
  const meter = new Meter()
  let sent = 0
  const end: End = async request => {
    if ('usage' in request) return { cpu: meter.read() }
    if (!('run' in request)) {
      for (const { outbound } of channels) outbound.end()
      return {}
    }
    const each = request.run / channels.length
    meter.start()
    const at = now()
    await Promise.all(channels.map(({ outbound }) => send(outbound, payload, sent, sent + each)))
    sent += each
    return { at }
  }
  return [end, {}]
}

export function send(outbound: Outbound, payload: Payload, from: number, to: number): Promise<void> {
  return new Promise(resolve => {
    let index = from
    const pump = (): void => {
      while (index < to) {
        if (!outbound.write(payload.make(index++))) return void outbound.once('drain', pump)
      }
      resolve()
    }
    pump()
  })
}

// --- receiver ----------------------------------------------------------------------------------------------

/** Checks what comes over all channels. */
export class Receiver {
  readonly #payload: Payload
  readonly #meter = new Meter()
  readonly #ended: Promise<void>[] = []
  #total = 0
  #awaited = 0
  #complete: Promise<Reply> = Promise.resolve({})
  #done: (reply: Reply) => void = () => {}

  constructor(payload: Payload) {
    this.#payload = payload
  }

  get total(): number {
    return this.#total
  }

  /** Fulfilled when all channels have ended. */
  get ended(): Promise<unknown> {
    return Promise.all(this.#ended)
  }

  /** Fulfilled when all have come. */
  get complete(): Promise<Reply> {
    return this.#complete
  }

  add({ inbound }: Pick<Channel, 'inbound'>): void {
    let next = 0
    inbound.on('data', message => {
      if (!this.#payload.is(next, message)) fail(`message ${next} is not what was sent`)
      next += 1
      this.#count()
    })
    this.#ended.push(new Promise(resolve => inbound.on('end', resolve)))
  }

  /** From here on the clock of the CPU runs. */
  expect(count: number): void {
    this.#complete = new Promise(resolve => {
      this.#done = resolve
    })
    this.#awaited = this.#total + count
    this.#meter.start()
  }

  #count(): void {
    if (this.#total === this.#awaited) fail('a message that was not asked for')
    this.#total += 1
    if (this.#total === this.#awaited) this.#done({ at: now(), cpu: this.#meter.read() })
  }
}

const listener: Task = async opening => {
  const transport = await transportOf(opening.subject)
  const receiver = new Receiver(payloadOf(opening.payload))
  const port = await transport.listen(opening.own, channel => receiver.add(channel))
  const end: End = async request => {
    if ('usage' in request) return receiver.complete
    if ('expect' in request) receiver.expect(request.expect)
    if (!('finish' in request)) return {}
    await receiver.ended
    return { total: receiver.total }
  }
  return [end, { port }]
}
