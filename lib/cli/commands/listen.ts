// `stalk listen`: shows each message as it arrives, who sent it, and how each connection ended. Knows
// connections and their order; how they are shown is words.ts's.

import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import {
  type Address,
  type AuthorizedPeers,
  authorizedPeers,
  type Connection,
  type Identity,
  type Listener,
  listener,
  StalkError
} from '../../index.ts'
import { addressOf, asReached, cannotListenOn, textOf } from '../address.ts'
import { type Args, usage } from '../args.ts'
import type { Command } from '../command.ts'
import type { Attendance } from '../exec/attendance.ts'
import { attend, EXEC, type Exec, execOf } from '../exec/exec.ts'
import { EXIT, ReaderGone, Reported, type SIGNAL_EXIT } from '../exit.ts'
import { explain, explainCaller } from '../explain.ts'
import { Flow } from '../flow.ts'
import { KEY_LOG, keyLogOf } from '../key-log.ts'
import { described, expected, namedIdentity, requireDefault, WHO_WE_ARE } from '../keys.ts'
import { PROTOCOL, protocolOf } from '../protocol.ts'
import { room } from '../room.ts'
import type { Shell } from '../shell.ts'
import { showStatus } from '../status.ts'
import { toTagged } from '../tagged.ts'
import { harmless, Terminal } from '../terminal.ts'
import { ended, fingerprintOf, inspected, nameOf, suiteOf } from '../words.ts'

export const listen: Command = {
  name: 'listen',
  summary: 'show messages as they arrive, and who sent them',
  usage: [
    'listen [HOST:]PORT [OPTIONS]',
    'listen --path SOCKET [OPTIONS]',
    'listen [HOST:]PORT --exec COMMAND [OPTIONS]'
  ],
  about: [
    'Prints each message, and on stderr who connects and how each connection ends. HOST is 127.0.0.1, this machine alone, unless you say another, as in 0.0.0.0:4000; port 0 takes a free one. With --json a message is {"connection":1,"peer":"SHA256:…","message":…}, tagged as in `stalk connect --help`; the peer is null if it is anonymous.',
    'SIGINT (Ctrl-C) and SIGTERM end the connections with a goodbye and wait for those of the peers; then the exit code is 0. A second one ends at once.',
    'With --exec each connection has a program of its own: messages are lines of its standard input, and the lines of its output are messages, as in `stalk connect`. When the peer has said goodbye its input ends; when it ends with exit code 0 we say goodbye, otherwise the peer sees a failure. In its environment STALK_PEER is the fingerprint of the peer, empty if it is anonymous; STALK_PEER_HOST, STALK_PEER_PORT and STALK_CONNECTION say more. What it says on stderr is shown.'
  ],
  options: [
    { name: 'path', value: 'SOCKET', text: 'a Unix socket instead of a host and a port' },
    ...WHO_WE_ARE,
    {
      name: 'authorize',
      value: 'KEY',
      multiple: true,
      text: 'who may connect: a fingerprint (SHA256:…) or a key file; default: anyone'
    },
    {
      name: 'authorized',
      value: 'FILE',
      text: 'who may connect: the keys in a file as the authorized_keys of ssh, looked at for each peer'
    },
    { name: 'require-identity', text: 'whoever connects must show a key' },
    { name: 'once', text: 'take one connection, and end with it: the exit code is how it ended' },
    { name: 'echo', text: 'send every message back' },
    ...EXEC,
    ...PROTOCOL,
    KEY_LOG
  ],
  run: receiveAll,
  mindsOutput: true
}

async function receiveAll(args: Args, shell: Shell): Promise<void> {
  const address = addressOf(args, 0)
  const exec = execOf(args)
  const peers = await expected('authorize', args.list('authorize'))
  const file = await authorizedBy(args)
  const identity = await identityOf(args)
  const listening = listener({
    ...address,
    ...protocolOf(args),
    ...keyLogOf(args, shell),
    identity,
    peer: peers.length > 0 ? peers : 'anyone',
    ...(file && { authorize: file }),
    requireIdentity: args.has('require-identity'),
    allowHalfOpen: exec !== null // it is the program that ends it
  })
  const reception = new Reception(listening, args, shell, exec)
  try {
    await once(listening, 'listening').catch(async error => {
      throw await cannotListenOn(error, address)
    })
    showListening(shell, listening, address, identity, file ? [harmless(file.path)] : peers)
    showStatus(shell, reception.flow)
    await Promise.race([reception.over, shell.output.failed])
  } catch (error) {
    if (!(error instanceof ReaderGone)) throw error
    await reception.abort()
    throw new Reported(EXIT.unread)
  }
}

/** A file that can't be used is said before anybody connects. */
async function authorizedBy(args: Args): Promise<AuthorizedPeers | null> {
  const path = args.text('authorized')
  if (path === undefined) return null
  if (args.has('authorize')) throw usage('either --authorize or --authorized, not both')
  if (path === '') throw usage('--authorized takes the path of a file')
  const file = authorizedPeers(path)
  await file.check()
  return file
}

async function identityOf(args: Args): Promise<Identity | null> {
  const named = await namedIdentity(args)
  return named === undefined ? requireDefault(['--anonymous goes without']) : named
}

function showListening(
  { voice }: Shell,
  listening: Listener,
  address: Address,
  identity: Identity | null,
  peers: readonly (Identity | string)[]
): void {
  const bound = listening.address() as AddressInfo | string
  const where = typeof bound === 'string' ? bound : textOf({ host: bound.address, port: bound.port })
  const facts = typeof bound === 'string' ? { path: bound } : { host: bound.address, port: bound.port }
  const authorized = peers.map(peer => (typeof peer === 'string' ? peer : peer.fingerprint))
  const option = identity ? `--peer ${identity.fingerprint}` : '--anyone'
  voice.event('listening', { ...facts, identity: fingerprintOf(identity), authorized }, [
    `listening on ${harmless(where)}`,
    `  we:      ${described(identity)}`,
    `  lets in: ${authorized.join('\n           ') || 'anyone'}`,
    `  to connect: stalk connect ${address.path ? '--path ' : ''}${harmless(asReached(where))} \\`,
    `    ${option}`
  ])
}

/** The connections of a listener. */
class Reception {
  /** Fulfilled when it has ended as asked; rejected with what ended the one connection of --once. */
  readonly over: Promise<void>
  readonly flow = new Flow()
  readonly #listening: Listener
  readonly #args: Args
  readonly #shell: Shell
  readonly #exec: Exec | null
  readonly #attended = new Set<Attendance>()
  readonly #screen = new Terminal(process.stdout)
  /** Each with its own end. */
  readonly #connections = new Map<Connection, Promise<void>>()
  #count = 0
  #ending = false
  #shownLast = 0
  #failure: Error | null = null
  #fail: (error: unknown) => void = () => {}

  constructor(listening: Listener, args: Args, shell: Shell, exec: Exec | null) {
    this.#exec = exec
    this.#listening = listening
    this.#args = args
    this.#shell = shell
    listening.on('connection', (connection: Connection) => this.#onConnection(connection))
    listening.on('clientError', (error: Error, socket: Socket) => this.#refused(error, socket))
    shell.onSignal(signal => this.#end(signal))
    this.over = new Promise((resolve, reject) => {
      this.#fail = reject
      listening.on('error', reject)
      listening.once(
        'close',
        () => void this.#allEnded().then(() => (this.#failure ? reject(this.#failure) : resolve()))
      )
    })
    this.over.catch(() => {}) // before it listens, nobody waits for it
  }

  /** Nobody reads what arrives. */
  async abort(): Promise<void> {
    this.#listening.close()
    const connections = [...this.#connections.keys()]
    await Promise.all(connections.map(connection => connection.destroy().outcome))
  }

  async #allEnded(): Promise<void> {
    await Promise.all(this.#connections.values())
  }

  #end(signal: keyof typeof SIGNAL_EXIT): void {
    this.#ending = true
    this.#listening.close()
    const connections = this.#connections.size
    this.#shell.voice.event('ending', { signal, connections }, `ending (${signal}); again to end at once`)
    if (this.#exec) for (const attendance of this.#attended) attendance.endInput()
    else for (const connection of this.#connections.keys()) connection.end()
  }

  #refused(error: Error, socket: Socket): void {
    this.#shell.voice.complain('clientError', explainCaller(error, socket))
  }

  #onConnection(connection: Connection): void {
    const once = this.#args.has('once')
    connection.on('error', () => {}) // `outcome` says it
    if (this.#ending || (once && this.#count > 0)) return void connection.destroy()
    if (once) this.#listening.close()
    this.#count += 1
    this.flow.add(connection)
    const ended = this.#attend(this.#count, connection).catch(error => this.#fail(error))
    this.#connections.set(connection, ended)
    void ended.then(() => this.#connections.delete(connection))
  }

  async #attend(number: number, connection: Connection): Promise<void> {
    const { voice } = this.#shell
    connection.on('messageError', error => voice.complain('skipped', explain(error), { connection: number }))
    this.#showConnected(number, connection)
    const received = this.#exec
      ? this.#execute(number, connection, this.#exec)
      : this.#receive(number, connection)
    await received.catch(error => {
      if (error !== connection.errored) throw error
    })
    const outcome = await connection.outcome
    if (this.#args.has('once')) this.#failure = connection.errored
    voice.event('ended', { connection: number, ...outcome }, `#${number} ${harmless(ended(outcome))}`)
  }

  async #receive(number: number, connection: Connection): Promise<void> {
    const echo = this.#args.has('echo')
    for await (const message of connection) {
      await this.#show(number, connection, message)
      if (!echo || !connection.writable) continue
      connection.write(message)
      if (connection.writableNeedDrain) await room(connection)
    }
    connection.end()
  }

  async #execute(number: number, connection: Connection, exec: Exec): Promise<void> {
    if (this.#attended.size >= exec.most) {
      const text = `as many programs run as may, ${exec.most} (--max-children)`
      connection.destroy(new StalkError('ERR_STALK_BUSY', text))
      return
    }
    const { voice } = this.#shell
    const attendance = attend(number, connection, exec)
    this.#attended.add(attendance)
    attendance.onNote(text =>
      voice.relay('stderr', { connection: number, text }, `#${number} | ${harmless(text)}`)
    )
    await attendance.hold().finally(() => this.#attended.delete(attendance))
    if (attendance.unread === 0) return
    const text = `#${number}: ${attendance.unread} messages came when its program read no more`
    voice.complain('skipped', { text, hints: [] }, { connection: number, messages: attendance.unread })
  }

  #showConnected(number: number, connection: Connection): void {
    const { host, port, claimedPeerIdentity: peer } = connection
    const from = host === undefined ? '' : ` from ${textOf({ host, port: port as number })}`
    const name = connection.security?.peerName ?? null
    const facts = { connection: number, host, port, peer: fingerprintOf(peer), name, ...suiteOf(connection) }
    this.#shell.voice.event('connected', facts, [
      `#${number} connected${from}`,
      `  peer: ${described(peer)}${nameOf(connection)}`
    ])
  }

  #show(number: number, connection: Connection, message: unknown): Promise<void> | undefined {
    const { output } = this.#shell
    const peer = connection.peerIdentity
    if (this.#args.has('json')) {
      return output.line(
        JSON.stringify({ connection: number, peer: fingerprintOf(peer), message: toTagged(message) })
      )
    }
    const head = this.#screen.paint('bold', `#${number} ${peer?.fingerprint ?? 'anonymous'}`)
    const isNew = this.#shownLast !== number
    this.#shownLast = number
    const body = inspected(message, this.#screen.lively, process.stdout.columns)
    return output.line(isNew ? `${head}\n${body}` : body)
  }
}
