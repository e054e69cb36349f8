// Where to connect to, or to listen: what the command line says, and what goes wrong there, in words. Knows
// hosts, ports and socket paths.

import { once } from 'node:events'
import { lstatSync } from 'node:fs'
import net from 'node:net'
import { type Address, StalkError } from '../index.ts'
import { type Args, usage } from './args.ts'
import { CommandError, EXIT } from './exit.ts'

/** This machine alone, at both ends: who wants more says so. */
const DEFAULT_HOST = '127.0.0.1'

/** The most that fits into a socket's address, in bytes; node cuts off the rest without a word. */
const MAX_PATH_BYTES = process.platform === 'linux' ? 107 : 103

/** [HOST:]PORT, or --path. `least`: a listener may ask for port 0. Throws a CommandError with EXIT.usage. */
export function addressOf(args: Args, least: 0 | 1): Address {
  const [text, ...more] = args.positionals
  const path = args.text('path')
  if (more.length > 0) throw usage(`one [HOST:]PORT, not also ${more.join(' ')}`)
  if (path !== undefined && text !== undefined) throw usage(`either ${text} or --path ${path}, not both`)
  if (path === '') throw usage('--path takes the path of a Unix socket')
  if (path !== undefined) return { path: fitting(path) }
  if (text === undefined) throw usage('a [HOST:]PORT or --path SOCKET is needed')
  return hostAndPort(text, least)
}

/** [HOST:]PORT, or the path of a Unix socket: what has a slash in it. Throws a CommandError with EXIT.usage. */
export const placeOf = (text: string, least: 0 | 1): Address =>
  text.includes('/') ? { path: fitting(text) } : hostAndPort(text, least)

function fitting(path: string): string {
  const bytes = Buffer.byteLength(path)
  if (process.platform === 'win32' || bytes <= MAX_PATH_BYTES) return path
  throw usage(`the path of a Unix socket is ${MAX_PATH_BYTES} bytes at most, and ${path} has ${bytes}`)
}

function hostAndPort(text: string, least: 0 | 1): Address {
  const colon = text.lastIndexOf(':')
  const port = text.slice(colon + 1)
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535 || Number(port) < least) {
    throw usage(`${text} is no [HOST:]PORT: a port is a number from ${least} to 65535`)
  }
  const host = colon < 0 ? DEFAULT_HOST : text.slice(0, colon)
  const bracketed = /^\[(.*)\]$/.exec(host)?.[1]
  if (bracketed === '' || (bracketed === undefined && host.includes(':'))) {
    throw usage(`${text} is no [HOST:]PORT: an IPv6 address stands in brackets, as in [::1]:4000`)
  }
  return { host: bracketed ?? (host || DEFAULT_HOST), port: Number(port) }
}

export function textOf({ host = DEFAULT_HOST, port, path }: Address): string {
  return path ?? `${host.includes(':') ? `[${host}]` : host}:${port}`
}

/** A place as others reach it: what listens on every address has none of its own. */
export const asReached = (place: string): string => place.replace(/^(0\.0\.0\.0|\[::\]):/, 'HOST:')

const systemCode = (error: unknown): string => String((error as NodeJS.ErrnoException | undefined)?.code)

/** Why nothing can listen there. `error` is node's. */
export function cannotListen(error: unknown, address: Address): unknown {
  if (error instanceof StalkError) return error
  const where = textOf(address)
  const host = address.host ?? ''
  const words: Record<string, string> = {
    EADDRINUSE: address.path ? `${where} is in use, or was left behind by somebody` : `${where} is in use`,
    // Node says the same where the folder of a socket is missing.
    EACCES: address.path ? `cannot make a socket at ${where}` : `no permission to listen on ${where}`,
    EADDRNOTAVAIL: `${host} is not an address of this machine`,
    ENOTFOUND: `no such host: ${host}`,
    EAI_AGAIN: `cannot look up ${host}: no name service answers`
  }
  const text = words[systemCode(error)] ?? `cannot listen on ${where}: ${(error as Error).message}`
  return new CommandError(EXIT.unreachable, text)
}

/** As `cannotListen`, having looked at what is in the place of a Unix socket. */
export async function cannotListenOn(error: unknown, address: Address): Promise<unknown> {
  const { path } = address
  if (path === undefined || systemCode(error) !== 'EADDRINUSE') return cannotListen(error, address)
  if (!lstatSync(path, { throwIfNoEntry: false })?.isSocket()) {
    return new CommandError(EXIT.unreachable, `${path} is there already, and is no socket`)
  }
  if (await answers(path)) return new CommandError(EXIT.unreachable, `${path} is in use`)
  const text = `${path} was left behind: nobody listens there any more`
  return new CommandError(EXIT.unreachable, text, [`rm ${path}`])
}

async function answers(path: string): Promise<boolean> {
  const socket = net.connect(path)
  try {
    await once(socket, 'connect')
    return true
  } catch (error) {
    return systemCode(error) !== 'ECONNREFUSED' // one that is busy, or not for us, is no reason to remove it
  } finally {
    socket.destroy()
  }
}

/** Why nothing answers there, in plainer words than the system's, where there are any. */
export function cannotConnect(error: unknown, address: Address): unknown {
  if (!(error instanceof StalkError) || error.code !== 'ERR_STALK_CONNECT') return error
  const where = textOf(address)
  const host = address.host ?? ''
  const words: Record<string, string> = {
    ECONNREFUSED: `connection refused: nobody listens on ${where}`,
    ENOENT: `no such socket: ${where}`,
    ENOTFOUND: `no such host: ${host}`,
    EAI_AGAIN: `cannot look up ${host}: no name service answers`
  }
  return new CommandError(EXIT.unreachable, words[systemCode(error.cause)] ?? error.message, [], error)
}
