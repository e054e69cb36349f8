// Schemas, alone and in a connection, with two validators that people use.

import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import * as v from 'valibot'
import { z } from 'zod'
import { type Connection, connect, listener, type Schema, type StalkError } from '../lib/index.ts'
import { validate } from '../lib/schema.ts'
import { collect, open, within } from './helpers/pair.ts'

const zodSchema = z.object({ items: z.array(z.object({ price: z.number() })) })
const valibotSchema = v.object({ items: v.array(v.object({ price: v.number() })) })
const good = { items: [{ price: 1 }] }
const bad = { items: [{ price: 1 }, { price: 'two' }] }

for (const [name, schema] of [
  ['zod', zodSchema],
  ['valibot', valibotSchema]
] as const) {
  t.test(`a message that fits a schema of ${name} passes`, async t => {
    t.same(await validate(schema, good), { message: good })
  })

  t.test(`a message that does not fit a schema of ${name} is an error that names the place`, async t => {
    const result = await validate(schema, bad)
    t.match(result, { error: { code: 'ERR_STALK_SCHEMA', message: /\.items\[1\]\.price: .*number/i } })
    t.ok('error' in result && Array.isArray((result.error.cause as { issues: unknown }).issues))
  })
}

t.test('only the first three issues are written out', async t => {
  const schema = z.object(Object.fromEntries(['a', 'b', 'c', 'd', 'e'].map(key => [key, z.number()])))
  const result = await validate(schema, {})
  t.match(result, { error: { message: /\.a: .*; \.b: .*; \.c: .*; and 2 more$/ } })
})

t.test('a schema that throws or rejects has found the message invalid', async t => {
  const failing = (validate: () => never | Promise<never>): Schema => ({
    '~standard': { version: 1, vendor: 'test', validate }
  })
  const thrown = failing(() => {
    throw new Error('sync trouble')
  })
  const rejected = failing(() => Promise.reject(new Error('async trouble')))
  t.match(await validate(thrown, 1), { error: { code: 'ERR_STALK_SCHEMA', message: /sync trouble/ } })
  t.match(await validate(rejected, 1), { error: { code: 'ERR_STALK_SCHEMA', message: /async trouble/ } })
})

/** A connection whose other end takes only what fits; resolves with what that end got. */
async function converse(
  options: object,
  messages: unknown[]
): Promise<{ got: unknown[]; left: unknown[]; peer: Connection; kind: string }> {
  const server = listener({ host: '127.0.0.1', port: 0, identity: null, ...options })
  server.on('clientError', () => {})
  await once(server, 'listening')
  const accepted = once(server, 'connection') as Promise<[Connection]>
  const { port } = server.address() as AddressInfo
  const conn = await connect('127.0.0.1', port, { identity: null, peer: 'anyone' })
  conn.on('error', () => {})
  const [peer] = await accepted
  const got: unknown[] = []
  const left: unknown[] = []
  peer.on('data', message => got.push(message))
  peer.on('messageError', (error: StalkError, message) => left.push([error.code, message]))
  for (const message of messages) conn.write(message)
  conn.end()
  const { kind } = await conn.outcome
  await peer.outcome
  server.close()
  return { got, left, peer, kind }
}

t.test('what arrives is what the schema makes of it', async t => {
  const schema = z.object({ at: z.coerce.date() })
  const { got, kind } = await converse({ schema }, [{ at: '2026-01-02T00:00:00Z' }])
  t.same(got, [{ at: new Date('2026-01-02T00:00:00Z') }])
  t.equal(kind, 'clean')
})

t.test('a message that does not fit ends the connection, when those before it were delivered', async t => {
  const { got, peer, kind } = await converse({ schema: zodSchema }, [good, good, bad, good])
  t.same(got, [good, good])
  t.match(peer.errored, { code: 'ERR_STALK_SCHEMA', message: /\.items\[1\]\.price/ })
  t.equal(kind, 'protocol')
  t.match(await peer.outcome, { kind: 'protocol', code: 'ERR_STALK_SCHEMA', received: 2 })
})

t.test('a message that does not fit is left out and reported, if the options say so', async t => {
  const options = { schema: valibotSchema, onInvalid: 'skip' }
  const { got, left, kind, peer } = await converse(options, [good, bad, good])
  t.same(got, [good, good])
  t.same(left, [['ERR_STALK_SCHEMA', bad]])
  t.equal(kind, 'clean')
  t.match(await peer.outcome, { kind: 'clean', received: 3 })
})

t.test('an asynchronous schema keeps the order', async t => {
  const slow = (value: number): Promise<boolean> =>
    new Promise(resolve => setTimeout(() => resolve(true), value % 2 ? 5 : 0))
  const schema = z.number().refine(slow)
  const { got, kind } = await converse({ schema }, [1, 2, 3, 4, 5, 6])
  t.same(got, [1, 2, 3, 4, 5, 6])
  t.equal(kind, 'clean')
})

t.test('a schema that is none, and an onInvalid that does not exist, are refused at once', async t => {
  const at = { host: '127.0.0.1', port: 0, identity: null }
  t.throws(() => listener({ ...at, schema: {} as Schema }), {
    code: 'ERR_STALK_INVALID_OPTION',
    message: /option schema must be a validator/
  })
  t.throws(() => listener({ ...at, onInvalid: 'ignore' as 'skip' }), {
    code: 'ERR_STALK_INVALID_OPTION',
    message: /option onInvalid must be/
  })
})

t.test('a schema cannot make a message into none, which would be the end of the stream', async t => {
  for (const nothing of [null, undefined]) {
    const schema = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: (value: unknown) => ({ value: value === 2 ? nothing : value })
      }
    } as const
    const both = await open({ responder: { schema } })
    const got = collect(both.responder)
    for (const n of [1, 2, 3]) both.initiator.write(n)
    t.match(await within(both.responder.outcome, 'outcome'), {
      kind: 'protocol',
      code: 'ERR_STALK_SCHEMA',
      received: 1
    })
    t.same(got, [1])
    t.match(both.responder.errored, {
      message: `a message does not fit the schema: the schema made ${nothing} of it, which is no message`
    })
    await both.initiator.outcome
  }
})
