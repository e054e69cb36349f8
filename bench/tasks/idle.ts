// Connections that are open and do nothing: what the listener's process keeps in memory for them. Each has said a
// byte, so that what a handshake needs is not counted for what a connection needs.

import { setTimeout as pause } from 'node:timers/promises'
import { payloadOf } from '../payloads.ts'
import type { Channel } from '../subject.ts'
import { transportOf } from '../subjects/index.ts'
import { atOnce } from './connect.ts'
import type { Task } from './task.ts'

/** Until buffers of the handshake have gone, in ms; again and again until the process holds about the same. */
const SETTLE_MS = 400
const STABLE_BYTES = 32_768
const MAX_TRIES = 8

export const task: Task = async ({ role, subject, own, port }) => {
  const transport = await transportOf(subject)
  const channels: Channel[] = []
  if (role === 'listener') {
    const listening = await transport.listen(own, channel => {
      channels.push(channel)
      channel.inbound.on('error', () => {}) // it is dropped at the other end
      channel.inbound.on('data', message => channel.outbound.write(message))
    })
    return [
      async request => {
        if (!('usage' in request)) return {}
        return { memory: await resident(), total: channels.length }
      },
      { port: listening }
    ]
  }
  return [
    async request => {
      if ('run' in request) {
        channels.push(...(await atOnce(request.run, async () => heard(await transport.connect(port, own)))))
      }
      return {}
    },
    {}
  ]
}

function heard(channel: Channel): Promise<Channel> {
  return new Promise(resolve => {
    channel.inbound.on('data', () => resolve(channel))
    channel.outbound.write(payloadOf('byte').make(0))
  })
}

/** What the process holds when all garbage is collected and the system has what was given back, in bytes. */
async function resident(): Promise<number> {
  let before = Number.POSITIVE_INFINITY
  for (let tries = 0; ; tries++) {
    globalThis.gc?.()
    await pause(SETTLE_MS)
    const held = process.memoryUsage.rss()
    if (Math.abs(held - before) < STABLE_BYTES || tries === MAX_TRIES) return held
    before = held
  }
}
