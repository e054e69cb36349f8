// What both ends of a tunnel make of the command line, how they begin to listen, and how they end. Knows options, signals
// and time; what an end does in between, it knows itself.

import { once } from 'node:events'
import type net from 'node:net'
import type { AddressInfo } from 'node:net'
import type { Address, Identity, StalkOptions } from '../../index.ts'
import { cannotListenOn, placeOf, textOf } from '../address.ts'
import { type Args, usage } from '../args.ts'
import { CommandError, EXIT } from '../exit.ts'
import type { Flow } from '../flow.ts'
import { keyLogOf } from '../key-log.ts'
import type { Shell, Signal } from '../shell.ts'
import { type Reporter, Traffic } from './traffic.ts'
import { APP } from './wire.ts'
import { counted, type End, showEnding, trips } from './words.ts'

/** The longest that a timer can wait is a little more, in s. */
const MAX_SECONDS = 2_000_000
const MAX_PLACES = 2 ** 20
export const PLACES = 1_000
export const DIAL_SECONDS = 10
export const DRAIN_SECONDS = 30

/** In messages of at most 64 KiB. */
const HIGH_WATER_MARK = 16
const MAX_MESSAGE_BYTES = 2 ** 20

export function place(args: Args, name: string, least: 0 | 1): Address {
  const text = args.text(name)
  if (text) return placeOf(text, least)
  throw usage(`--${name} [HOST:]PORT or --${name} SOCKET is needed`)
}

export const ms = (args: Args, name: string, fallback?: number): number | undefined => {
  const seconds = args.count(name, MAX_SECONDS) ?? fallback
  return seconds === undefined ? undefined : seconds * 1_000
}

export function trafficOf(args: Args, { voice }: Shell, end: End, flow: Flow): Traffic {
  const all = args.count('max-connections', MAX_PLACES) ?? PLACES
  const perAddress = args.count('max-per-address', MAX_PLACES) ?? all
  const reporter = trips(voice, end)
  const opened: Reporter['opened'] = (trip, connection) => {
    flow.add(connection)
    reporter.opened(trip, connection)
  }
  return new Traffic({ all, perAddress, idleMs: ms(args, 'idle') }, { ...reporter, opened })
}

export function stalkOptions(args: Args, shell: Shell): Omit<StalkOptions, 'role' | 'tickets' | 'sessions'> {
  const keepAlive = ms(args, 'keep-alive')
  return {
    ...keyLogOf(args, shell),
    ...(keepAlive !== undefined && { keepAlive }),
    app: APP,
    maxMessage: MAX_MESSAGE_BYTES,
    allowHalfOpen: true,
    // What has ended one way may stay open the other way for as long as the programs like.
    closeTimeout: MAX_SECONDS * 1_000,
    readableHighWaterMark: HIGH_WATER_MARK,
    writableHighWaterMark: HIGH_WATER_MARK
  }
}

export type Server = Pick<net.Server, 'address'>

export const namesOf = (peers: unknown): string[] =>
  Array.isArray(peers)
    ? peers.map(peer => (typeof peer === 'string' ? peer : (peer as Identity).fingerprint))
    : []

export async function listening(server: NodeJS.EventEmitter, address: Address): Promise<void> {
  await once(server, 'listening').catch(async error => {
    throw await cannotListenOn(error, address)
  })
}

export function whereOf(server: Server): string {
  const bound = server.address() as AddressInfo | string
  return typeof bound === 'string' ? bound : textOf({ host: bound.address, port: bound.port })
}

export const failureOf = (server: NodeJS.EventEmitter): Promise<never> =>
  new Promise((_resolve, reject) => server.on('error', reject))

/** Fulfilled when we were asked to end and all that was open has ended; rejected if it had to be reset. */
export function untilSignal(args: Args, shell: Shell, traffic: Traffic, close: () => void): Promise<void> {
  const patience = args.count('drain', MAX_SECONDS) ?? DRAIN_SECONDS
  return new Promise((resolve, reject) => {
    const end = (signal: Signal): void => {
      close()
      showEnding(shell.voice, signal, traffic.open, patience)
      setTimeout(() => {
        const left = traffic.open
        traffic.break('ended with the tunnel')
        reject(new CommandError(EXIT.cut, `${counted(left)} reset, which had not ended after ${patience} s`))
      }, patience * 1_000).unref()
      void traffic.empty().then(resolve)
    }
    shell.onSignal(end)
  })
}
