// node --import=tsx --expose-gc idle.ts COUNT
//
// What open connections keep that do nothing: the heap of both ends and of the transport between them, in bytes, and
// how many ends still have what they were given to decide on their peer. Prints JSON.

import { setTimeout as pause } from 'node:timers/promises'
import { Identity } from 'stalk'
import { connectedPair } from 'stalk/testing'

const identity = await Identity.generate({ type: 'ed25519' })
const held: unknown[] = []
const deciding: WeakRef<object>[] = []

async function open(count: number): Promise<void> {
  for (let opened = 0; opened < count; opened++) {
    const [authorize, peer] = [(): boolean => opened >= 0, (): boolean => opened >= 0]
    deciding.push(new WeakRef(authorize), new WeakRef(peer))
    const { initiator, responder } = await connectedPair({
      initiator: { peer },
      responder: { identity, authorize }
    })
    responder.on('data', () => {})
    await initiator.send(opened)
    await initiator.flush({ acked: true })
    held.push(initiator, responder)
  }
}

async function heap(): Promise<number> {
  for (let twice = 0; twice < 2; twice++) {
    await pause(50)
    globalThis.gc?.()
  }
  return process.memoryUsage().heapUsed
}

const count = Number(process.argv[2])
await open(count)
const before = await heap()
await open(count)
const after = await heap()
const stillDeciding = deciding.filter(authorize => authorize.deref()).length
console.log(JSON.stringify({ heap: (after - before) / count, stillDeciding, held: held.length }))
