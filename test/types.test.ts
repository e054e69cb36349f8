// What the types promise, checked by the compiler (`npm run lint`, and here once more), and a run to see that
// they tell the truth about values.

import { Duplex, PassThrough, pipeline } from 'node:stream'
import t from 'tap'
import * as v from 'valibot'
import { z } from 'zod'
import stalk, { type Connection, connect, type Schema, type Validated, type Wrapped } from '../lib/index.ts'

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <A, B>(equal: Equal<A, B>): boolean => equal

interface Request {
  readonly op: 'get' | 'put'
  readonly key: string
}
interface Reply {
  readonly value: number
}

const anyDuplex = (): Duplex => Duplex.from({ readable: new PassThrough(), writable: new PassThrough() })
const options = { role: 'initiator', peer: 'anyone' } as const

t.test('the messages of a connection have the types that stalk<In, Out> was given', async t => {
  const conn = stalk<Reply, Request>(anyDuplex(), options)
  t.ok(same<typeof conn, Connection<Reply, Request>>(true))
  conn.on('error', () => {})
  conn.on('data', reply => t.ok(same<typeof reply, Reply>(true)))
  const send = (): Promise<void> => conn.send({ op: 'get', key: 'a' })
  // @ts-expect-error: 'del' is no operation
  const wrong = (): Promise<void> => conn.send({ op: 'del', key: 'a' })
  const loop = async (): Promise<void> => {
    for await (const reply of conn) same<typeof reply, Reply>(true)
  }
  t.ok([send, wrong, loop].every(f => typeof f === 'function'))
  conn.destroy()
  await conn.outcome
})

t.test('without types the messages are unknown, never any', async t => {
  const conn = stalk(anyDuplex(), options)
  conn.on('error', () => {})
  conn.on('data', message => t.ok(same<typeof message, unknown>(true)))
  t.ok(same<typeof conn, Connection<unknown, unknown>>(true))
  conn.destroy()
  await conn.outcome
})

t.test('a schema gives the type of what arrives', async t => {
  const schema = z.object({ value: z.number() })
  const conn = stalk(anyDuplex(), { ...options, schema })
  conn.on('error', () => {})
  t.ok(same<typeof conn, Connection<{ value: number }, unknown>>(true))
  conn.destroy()
  const wrapped = stalk.wrap({ ...options, schema: v.object({ value: v.number() }) })
  t.ok(same<typeof wrapped, Wrapped<{ value: number }, unknown>>(true))
  const connecting = (): Promise<Connection<{ value: number }>> => connect('127.0.0.1', 1, { schema })
  t.ok(connecting)
  t.ok(same<Validated<typeof schema>, { value: number }>(true))
  const asSchema: Schema[] = [schema, v.string()]
  t.equal(asSchema.length, 2)
  await conn.outcome
})

t.test('a connection fits where node wants a stream', async t => {
  const conn = stalk<Reply, Request>(anyDuplex(), options)
  conn.on('error', () => {})
  const compiles = (): void => {
    conn.pipe(new PassThrough({ objectMode: true })).pipe(conn)
    pipeline(conn, new PassThrough({ objectMode: true }), conn, () => {})
  }
  t.type(compiles, 'function')
  conn.destroy()
  await conn.outcome
})
