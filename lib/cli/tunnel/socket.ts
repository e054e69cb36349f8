// TCP and Unix sockets of programs that know nothing of stalk, handled so that an end stays an end and a reset a
// reset. Knows node:net and its traps; knows no connection of stalk's.

import net from 'node:net'

/**
 * For every such socket, accepted or dialed. A high-water mark of one byte makes node stop reading after each chunk,
 * which `readSoon` needs.
 */
export const SOCKET_OPTIONS = { allowHalfOpen: true, noDelay: true, highWaterMark: 1 } as const

/** After so much silence the kernel asks the other host for a sign of life, in ms. */
const PROBE_AFTER_MS = 30_000

/** A host that has gone without a word is noticed, on either side of a tunnel. */
export function keepAlive(socket: unknown): void {
  if (socket instanceof net.Socket) socket.setKeepAlive(true, PROBE_AFTER_MS)
}

/**
 * Calls `read` whenever there may be something to read, and never from within the event loop's own reading: when a
 * reset comes right behind the last bytes, and reading goes on there and then, libuv takes the hang-up for an end and
 * the reset is never seen. Returns what asks for another call.
 */
export function readSoon(socket: net.Socket, read: () => void): () => void {
  let asked = false
  const ask = (): void => {
    if (asked) return
    asked = true
    setImmediate(() => {
      asked = false
      read()
    })
  }
  socket.on('readable', ask)
  return ask
}

/** Ends it so that its program sees that something went wrong. A Unix socket has no reset: it is closed. */
export function reset(socket: net.Socket): void {
  if (socket.destroyed) return
  if (isUnix(socket)) return void socket.destroy()
  try {
    socket.resetAndDestroy()
  } catch {
    socket.destroy() // it lost its handle in between
  }
}

/** Node knows no address of a Unix socket, accepted or not. */
const isUnix = (socket: net.Socket): boolean => {
  const { address } = socket.address() as { address?: string }
  return address === undefined && !socket.connecting
}
