// What goes through a tunnel, as real programs on real sockets see it: bytes, ends, resets and backpressure, both ways,
// for many at once.

import { createHash, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import t from 'tap'
import { makeHome } from '../tools.ts'
import { dial, type Program, type Service, serve, startTunnel } from './tools.ts'

const dir = t.testdir()
const keys = { near: await makeHome(dir, 'near'), far: await makeHome(dir, 'far') }
const service = await serve(t)
const { place, near, far } = await startTunnel(t, keys, service.place)

/** A program at the near end, and what the service has of it. */
async function pair(at = place, behind: Service = service): Promise<[Program, Program]> {
  const here = await dial(at)
  return [here, await behind.next()]
}

const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

t.test('bytes arrive as they are, both ways', async t => {
  const [here, there] = await pair()
  const [out, back] = [randomBytes(3_000_000), randomBytes(5_000_001)]
  here.socket.end(out)
  there.socket.end(back)
  t.equal(await here.fate, 'end')
  t.equal(await there.fate, 'end')
  t.equal(digest(there.bytes), digest(out))
  t.equal(digest(here.bytes), digest(back))
})

t.test('many connections at once keep apart', async t => {
  const conversations = Array.from({ length: 60 }, async (_, index) => {
    const here = await dial(place)
    here.socket.end(`${index} `.repeat(10_000))
    const there = await service.next() // somebody's
    await there.fate
    there.socket.end(there.bytes)
    return [await here.fate, here.text] as const
  })
  for (const [index, [fate, back]] of (await Promise.all(conversations)).entries()) {
    t.equal(fate, 'end')
    t.ok(back === `${index} `.repeat(10_000), `number ${index}`)
  }
})

t.test('a program that has said all still gets its answer, and so has the service', async t => {
  const [here, there] = await pair()
  here.socket.end('question')
  t.equal(await there.fate, 'end')
  t.equal(there.text, 'question')
  await new Promise(resolve => setTimeout(resolve, 100))
  there.socket.write('an answer, ')
  await here.has(11)
  there.socket.end('later')
  t.equal(await here.fate, 'end')
  t.equal(here.text, 'an answer, later')

  const [client, server] = await pair()
  server.socket.end('greeting')
  t.equal(await client.fate, 'end')
  client.socket.end('and yet')
  t.equal(await server.fate, 'end')
  t.equal(server.text, 'and yet')
})

t.test('who says nothing, and who only ends, is carried too', async t => {
  const [here, there] = await pair()
  here.socket.end()
  t.equal(await there.fate, 'end')
  there.socket.end()
  t.equal(await here.fate, 'end')
  t.equal(here.bytes.length + there.bytes.length, 0)
})

t.test('a reset is a reset on the other side, both ways', async t => {
  const [here, there] = await pair()
  here.socket.write('x')
  await there.has(1)
  here.socket.resetAndDestroy()
  t.equal(await there.fate, 'ECONNRESET')
  const [client, server] = await pair()
  server.socket.write('y')
  await client.has(1)
  server.socket.resetAndDestroy()
  t.equal(await client.fate, 'ECONNRESET')
})

t.test('a reset after one side has ended is a reset still', async t => {
  const [here, there] = await pair()
  here.socket.end('all of it')
  t.equal(await there.fate, 'end')
  there.socket.resetAndDestroy()
  t.equal(await here.fate, 'ECONNRESET')
})

t.test('a reset right behind the last bytes is never taken for the end of them', async t => {
  for (const ended of [false, true]) {
    const [client, server] = await pair()
    if (ended) {
      client.socket.end('all of it')
      await server.fate
    } else {
      client.socket.write('x')
      await server.has(1)
    }
    far.child.kill('SIGSTOP') // so that it finds both at once
    await new Promise<void>(resolve => server.socket.write(Buffer.alloc(50_000), () => resolve()))
    server.socket.resetAndDestroy()
    far.child.kill('SIGCONT')
    t.equal(await client.fate, 'ECONNRESET', ended ? 'after our end' : 'in the middle')
  }
  const [client, server] = await pair()
  near.child.kill('SIGSTOP')
  await new Promise<void>(resolve => client.socket.write(Buffer.alloc(50_000), () => resolve()))
  client.socket.resetAndDestroy()
  near.child.kill('SIGCONT')
  t.equal(await server.fate, 'ECONNRESET')
})

t.test('a side that does not read stops the other one, and nothing is lost', async t => {
  for (const way of ['there', 'back'] as const) {
    const [here, there] = await pair()
    const [writer, reader] = way === 'there' ? [here, there] : [there, here]
    reader.reading(false)
    const chunk = randomBytes(100_000)
    let written = 0
    let stuck: Promise<unknown> | null = null
    for (; stuck === null; written += 1) {
      const done = new Promise<boolean>(resolve => writer.socket.write(chunk, () => resolve(true)))
      const late = new Promise<boolean>(resolve => setTimeout(resolve, 700, false))
      if (!(await Promise.race([done, late]))) stuck = done
    }
    // The kernel alone may hold a few MB in each of three sockets.
    t.ok(written < 400, `${way}: ${written} times 100 kB`)
    reader.reading(true)
    await stuck
    writer.socket.end()
    t.equal(await reader.fate, 'end')
    t.equal(reader.bytes.length, written * chunk.length)
    t.equal(digest(reader.bytes), digest(Buffer.concat(Array(written).fill(chunk))))
    reader.socket.end()
    await writer.fate
  }
})

t.test('one that is stuck holds up no other', async t => {
  const [, stuck] = await pair()
  const [slow] = await pair()
  slow.reading(false)
  stuck.socket.write(randomBytes(20_000_000))
  const [here, there] = await pair()
  here.socket.end('quick')
  t.equal(await there.fate, 'end')
  there.socket.end('quick too')
  t.equal(await here.fate, 'end')
  t.equal(here.text, 'quick too')
})

t.test('all four places may be Unix sockets', { skip: process.platform === 'win32' }, async t => {
  const places = t.testdir()
  const path = (name: string): string => join(places, name)
  const behind = await serve(t, path('target'))
  const tunnel = await startTunnel(t, keys, behind.place, { nearPath: path('near'), farPath: path('far') })
  const [here, there] = await pair(tunnel.place, behind)
  here.socket.end('over three sockets')
  t.equal(await there.fate, 'end')
  there.socket.end(there.bytes)
  t.equal(await here.fate, 'end')
  t.equal(here.text, 'over three sockets')
  await tunnel.near.says(/#1 a local program: ended: 18 bytes there, 18 bytes back/)
})
