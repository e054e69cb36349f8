// The relay: passes everything on, half-closes included, finds the first sealed record, and cuts where it is told.

import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { RecordFinder, tapWire, type Wiretap } from '../../lib/cli/wiretap.ts'

const record = (type: number, body: string): Buffer =>
  Buffer.concat([Buffer.from([type, 0, 0, body.length]), Buffer.from(body)])

/** All that comes until the other side ends; unlike a `for await` loop it leaves the socket open for writing. */
async function heard(socket: net.Socket): Promise<string> {
  let text = ''
  socket.setEncoding('latin1').on('data', chunk => {
    text += chunk
  })
  await once(socket, 'end')
  return text
}

/** A caller that is connected through a relay to a server whose sockets go to `serve`. */
async function relayed(
  t: Test,
  serve: (socket: net.Socket) => void,
  cutAfterBytes?: number
): Promise<{ tap: Wiretap; caller: net.Socket }> {
  const server = net.createServer({ allowHalfOpen: true }, serve).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const tap = await tapWire({ port: (server.address() as AddressInfo).port, cutAfterBytes })
  t.teardown(() => {
    tap.close()
    server.close()
  })
  return { tap, caller: net.connect({ host: '127.0.0.1', port: tap.port, allowHalfOpen: true }) }
}

t.test('bytes and half-closes pass both ways, and are counted', async t => {
  const { tap, caller } = await relayed(t, async socket => {
    socket.end(`heard ${await heard(socket)}`)
  })
  caller.end(record(0xe4, 'hello'))
  t.match(await heard(caller), /^heard .*hello$/s)
  t.match(tap.seen, { bytesToListener: 9, cut: false })
  t.strictSame(tap.seen.firstRecord, record(0xe4, 'hello'))
})

t.test('at so many bytes both ends are cut off', async t => {
  let ended: Promise<unknown> | undefined
  const { tap, caller } = await relayed(
    t,
    socket => {
      socket.on('error', () => {}).resume()
      ended = once(socket, 'end')
    },
    1_000
  )
  caller.on('error', () => {}).resume()
  const gone = once(
    caller.on('end', () => caller.end()),
    'close'
  )
  caller.write(Buffer.alloc(2_000))
  await gone
  await ended
  t.equal(tap.seen.cut, true)
})

t.test('the first sealed record is found, however the bytes are cut', async t => {
  const bytes = Buffer.concat([record(0xe1, 'hi'), record(0xe5, ''), record(0xe4, 'yes'), record(0xe4, 'no')])
  for (let step = 1; step <= bytes.length; step += 1) {
    const finder = new RecordFinder()
    for (let at = 0; at < bytes.length; at += step) finder.push(bytes.subarray(at, at + step))
    t.strictSame(finder.record, record(0xe4, 'yes'), `${step} at a time`)
  }
})

t.test('without one there is none', async t => {
  const finder = new RecordFinder()
  finder.push(Buffer.concat([record(0xe1, 'hi'), Buffer.from([0xe4, 0, 0, 9, 1])]))
  t.equal(finder.record, null)
})
