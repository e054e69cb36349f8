// A peer with good keys that does as a test tells it: it completes the handshake and then seals whatever it is given.
// Knows a handshake machine and its traffic keys; judges nothing that it hears.

import type { Duplex } from 'node:stream'
import { KIND } from '../../lib/constants.ts'
import { type Connection, Identity, type StalkOptions } from '../../lib/index.ts'
import { keyUpdateRecord, pongRecord } from '../../lib/wire/control.ts'
import { enframe } from '../../lib/wire/frame.ts'
import { MessageEncoder } from '../../lib/wire/message.ts'
import type { Inner } from '../../lib/wire/record.ts'
import { meddledPair } from './adversary.ts'
import { type End, initiatorEnd, keyPair, responderEnd } from './machines.ts'
import { collect, end, until, within } from './pair.ts'

const keys = keyPair('ed25519')
const rogue = Identity.fromRaw(keys.raw)

export interface Rogue {
  /** Ours. */
  readonly connection: Connection
  readonly wire: Duplex
  /** What ours has handed to its reader. */
  readonly got: unknown[]
  /** What ours sent behind the handshake, as records. */
  readonly heard: Inner[]
  seal(...inners: Inner[]): void
  /** Changes its own key, and asks for ours to be changed, or answers. */
  updateKey(asks: boolean): void
}

export interface Manners {
  /** Told of every record that it hears. */
  readonly hear?: (inner: Inner, rogue: Rogue) => void
  /** Whether nobody reads at ours. */
  readonly unread?: boolean
}

/** Ours in the given role, against a machine that has shaken hands and then does as it is told. */
export async function against(
  role: 'initiator' | 'responder',
  options: StalkOptions = {},
  { hear, unread = false }: Manners = {}
): Promise<Rogue> {
  const [ours, wire] = meddledPair()
  wire.on('error', () => {})
  const connection = end(role, ours, { peer: rogue, ...options })
  const got = unread ? [] : collect(connection)
  const machine = role === 'initiator' ? responderEnd({ identity: keys }) : initiatorEnd({ identity: keys })
  const heard: Inner[] = []
  let held: Buffer = Buffer.alloc(0)
  let working = Promise.resolve()
  const say = (frames: Awaited<ReturnType<End['start']>>): void => {
    for (const frame of frames) wire.write(enframe(frame))
  }
  const seal = (...inners: Inner[]): void => {
    wire.write(Buffer.concat(inners.map(inner => enframe(machine.sealer?.seal(inner) as never))))
  }
  const updateKey = (asks: boolean): void => {
    seal(keyUpdateRecord(asks))
    machine.session?.traffic.outbound.advance()
    machine.sealer = machine.session?.traffic.outbound.sealer()
  }
  const made: Rogue = { connection, wire, got, heard, seal, updateKey }
  const open = (frame: { type: number; body: Buffer }): void => {
    const inner = machine.openers[0]?.open(frame) as Inner
    if (inner.type === KIND.keyUpdate && machine.session) {
      machine.session.traffic.inbound.advance()
      machine.openers = [machine.session.traffic.inbound.opener()]
    }
    heard.push(inner)
    hear?.(inner, made)
  }
  const take = async (): Promise<void> => {
    while (held.length >= 4 && held.length >= 4 + held.readUIntBE(1, 3)) {
      const length = held.readUIntBE(1, 3)
      const frame = { type: held.readUInt8(0), body: held.subarray(4, 4 + length) }
      held = held.subarray(4 + length)
      if (!machine.session) say(await machine.receive(frame))
      else open(frame)
    }
  }
  wire.on('data', chunk => {
    held = Buffer.concat([held, chunk])
    working = working.then(take)
  })
  say(await machine.start())
  await within(connection.ready, 'ready')
  await until(() => machine.session !== undefined, 'the session')
  return made
}

/** The contents that carry these messages. */
export const messages = (...values: unknown[]): Inner[] => [...new MessageEncoder().encode(values, () => {})]

/** A content of any kind. */
export const inner = (type: number, hex = '', innerBytes?: number): Inner => ({
  type,
  body: Buffer.from(hex, 'hex'),
  ...(innerBytes !== undefined && { innerBytes })
})

/** What an honest peer says to a ping or to a request for new keys; to be told of every record. */
export function answer({ type, body }: Inner, { seal, updateKey }: Rogue): void {
  if (type === KIND.ping) seal(pongRecord(body, 0))
  if (type === KIND.keyUpdate && body[0] === 1) updateKey(false)
}
