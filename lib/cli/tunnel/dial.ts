// Calls a target, and not for ever. Knows node:net, and what the failures of connecting come to.

import net from 'node:net'
import type { Address } from '../../index.ts'
import { SOCKET_OPTIONS } from './socket.ts'
import type { Refusal } from './wire.ts'

export class DialFailure extends Error {
  readonly why: Refusal

  constructor(why: Refusal, text: string, cause?: unknown) {
    super(text, { cause })
    this.why = why
  }
}

/** Rejects with a DialFailure. The socket is not read yet. */
export function dial(target: Address, timeoutMs: number): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ ...target, ...SOCKET_OPTIONS } as net.NetConnectOpts)
    const fail = (why: Refusal, text: string, cause?: unknown): void => {
      clearTimeout(timer)
      socket.on('error', () => {}).destroy()
      reject(new DialFailure(why, text, cause))
    }
    const refused = (error: NodeJS.ErrnoException): void =>
      fail(WHY[error.code ?? ''] ?? 'unreachable', error.message, error)
    const timer = setTimeout(() => fail('timeout', `no answer within ${timeoutMs / 1_000} s`), timeoutMs)
    socket.once('error', refused)
    socket.once('connect', () => {
      clearTimeout(timer)
      socket.off('error', refused)
      resolve(socket)
    })
  })
}

const WHY: Partial<Record<string, Refusal>> = {
  ECONNREFUSED: 'refused',
  ENOENT: 'missing',
  ENOTFOUND: 'missing',
  ETIMEDOUT: 'timeout'
}
