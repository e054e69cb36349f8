// Connections between stalk and the reference: who listens, what each end is told, what lies between.

import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { type AddressInfo, createServer, connect as dial, type Socket } from 'node:net'
import { join } from 'node:path'
import type { Test } from 'tap'
import {
  type Connection,
  connect,
  Identity,
  type Listener,
  listener,
  type StalkOptions
} from '../../lib/index.ts'
import type { Job, Reference } from './reference.ts'

export const MODES = ['mutual', 'responder-only', 'initiator-only', 'anonymous'] as const
export type Mode = (typeof MODES)[number]
export type Ours = Omit<StalkOptions, 'role'>
export type Args = (string | number)[]

/** An identity of ours, one of the reference's, and the file that it reads its own from. */
export interface Keys {
  readonly ours: Identity
  readonly theirs: Identity
  readonly file: string
}

export async function makeKeys(type: 'rsa' | 'ed25519', dir: string): Promise<Keys> {
  const [ours, theirs] = await Promise.all([Identity.generate({ type }), Identity.generate({ type })])
  const file = join(dir, `${type}.pem`)
  writeFileSync(file, theirs.privkey?.export({ type: 'pkcs8', format: 'pem' }) ?? '', { mode: 0o600 })
  return { ours, theirs, file }
}

const named = {
  responder: (mode: Mode) => mode === 'mutual' || mode === 'responder-only',
  initiator: (mode: Mode) => mode === 'mutual' || mode === 'initiator-only'
}

export function optionsOf(mode: Mode, role: 'initiator' | 'responder', { ours, theirs }: Keys): Ours {
  const peer = role === 'initiator' ? 'responder' : 'initiator'
  const identity = named[role](mode) ? ours : null
  if (named[peer](mode)) return { identity, peer: theirs.fingerprint, requireIdentity: role === 'responder' }
  return role === 'initiator' ? { identity, peer: 'anyone' } : { identity }
}

export const argsOf = (mode: Mode, { ours, file }: Keys): Args => [
  '--mode',
  mode,
  '--identity',
  file,
  '--peer',
  ours.fingerprint
]

/** What a relay does with the n-th record of one direction; `null` cuts the connection there. */
export type Meddle = (record: Buffer, n: number) => Buffer | null

function forward(from: Socket, to: Socket, meddle: Meddle = record => record): void {
  let waiting = Buffer.alloc(0)
  let n = 0
  from.on('data', piece => {
    waiting = Buffer.concat([waiting, piece])
    while (waiting.length >= 4 && waiting.length >= 4 + waiting.readUIntBE(1, 3) && to.writable) {
      const record = waiting.subarray(0, 4 + waiting.readUIntBE(1, 3))
      waiting = waiting.subarray(record.length)
      const passed = meddle(record, n++)
      if (passed === null) to.end()
      else to.write(passed)
    }
  })
  from.on('end', () => to.end()).on('error', () => to.destroy())
}

/** A port whose connections go on to another port, by way of `meddle`. */
export async function relay(t: Test, port: number, up?: Meddle, down?: Meddle): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, socket => {
    const onward = dial({ port, host: '127.0.0.1', allowHalfOpen: true })
    forward(socket, onward, up)
    forward(onward, socket, down)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return (server.address() as AddressInfo).port
}

export async function listen(t: Test, options: Ours): Promise<{ listening: Listener; port: number }> {
  const listening = listener('127.0.0.1', 0, undefined, options)
  await once(listening, 'listening')
  t.teardown(() => listening.close())
  return { listening, port: (listening.address() as AddressInfo).port }
}

export interface Meeting {
  readonly conn: Connection
  readonly job: Job
}

export type Meet = (
  t: Test,
  py: Reference,
  ours: Ours,
  args: Args,
  up?: Meddle,
  down?: Meddle
) => Promise<Meeting>

export const weListen: Meet = async (t, py, ours, args, up, down) => {
  const { listening, port } = await listen(t, ours)
  const job = py.run('connect', '--port', up || down ? await relay(t, port, up, down) : port, ...args)
  const [conn] = (await once(listening, 'connection')) as [Connection]
  conn.on('error', () => {})
  return { conn, job }
}

export const weConnect: Meet = async (t, py, ours, args, up, down) => {
  const job = py.run('listen', ...args)
  const port = await job.port()
  const conn = await connect('127.0.0.1', up || down ? await relay(t, port, up, down) : port, ours)
  conn.on('error', () => {})
  return { conn, job }
}
