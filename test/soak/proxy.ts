// A TCP proxy that cuts: each connection after a random number of bytes, one way or the other, in the handshake as
// well, by an end or a reset. Knows bytes and where to cut; knows nothing of what they mean.

import { once } from 'node:events'
import net from 'node:net'
import type { Random } from '../fuzz/random.ts'

export interface CuttingProxy {
  readonly port: number
  readonly cuts: { end: number; reset: number }
  /** What was let pass, in bytes. */
  readonly bytes: number
  close(): void
}

/** Where a handshake is over, about, in bytes. */
const HANDSHAKE_BYTES = 6_000

/** `cutEvery`: after how many bytes of the sender's it cuts on average. */
export async function cuttingProxy(target: number, cutEvery: number, random: Random): Promise<CuttingProxy> {
  const proxy = { cuts: { end: 0, reset: 0 }, bytes: 0 }
  const server = net.createServer({ allowHalfOpen: true }, near => {
    const far = net.connect({ port: target, host: '127.0.0.1', allowHalfOpen: true })
    const how = random.oneIn(2) ? 'end' : 'reset'
    const at = random.oneIn(10) ? random.below(HANDSHAKE_BYTES) : random.below(2 * cutEvery)
    // What comes back is about a hundredth of what goes there.
    const [there, back] = random.oneIn(5) ? [2 * at, Math.ceil(at / 100)] : [at, Number.POSITIVE_INFINITY]
    const cut = (): void => {
      if (near.destroyed || far.destroyed) return
      proxy.cuts[how] += 1
      for (const socket of [near, far]) part(socket, how)
    }
    const seen = (bytes: number): void => {
      proxy.bytes += bytes
    }
    forward(near, far, there, cut, seen)
    forward(far, near, back, cut, seen)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as net.AddressInfo
  return Object.assign(proxy, { port, close: () => void server.close() })
}

function forward(
  from: net.Socket,
  to: net.Socket,
  limit: number,
  cut: () => void,
  seen: (bytes: number) => void
): void {
  let passed = 0
  from.on('data', chunk => {
    const rest = limit - passed
    const passing = chunk.length > rest ? chunk.subarray(0, rest) : chunk
    passed += passing.length
    seen(passing.length)
    if (!to.destroyed && to.writable && !to.write(passing)) from.pause()
    if (passed >= limit) cut()
  })
  to.on('drain', () => from.resume())
  from.on('end', () => to.end())
  from.on('error', () => {})
  from.on('close', failed => (failed ? to.destroy() : to.end()))
}

/** At once, or when all that was let pass is out. */
function part(socket: net.Socket, how: 'end' | 'reset'): void {
  socket.removeAllListeners('data').resume()
  if (how === 'reset') socket.resetAndDestroy()
  else socket.end(() => socket.destroy())
}
