// `stalk connect`: lines of standard input go out as messages, messages that come in go to standard output as
// lines. Knows the two directions, their ends, and what counts as success.

import { type Connection, connect, type Identity, type Outcome, type Peer, StalkError } from '../../index.ts'
import { addressOf, cannotConnect, textOf } from '../address.ts'
import { type Args, usage } from '../args.ts'
import type { Command } from '../command.ts'
import { CommandError, EXIT, Interrupted, ReaderGone, Reported } from '../exit.ts'
import { Flow } from '../flow.ts'
import { KEY_LOG, keyLogOf } from '../key-log.ts'
import { defaultIdentity, described, expected, namedIdentity, WHO_WE_ARE } from '../keys.ts'
import { writeLine } from '../ndjson.ts'
import type { Output } from '../output.ts'
import { PROTOCOL, protocolOf } from '../protocol.ts'
import { Sender } from '../sender.ts'
import type { Shell } from '../shell.ts'
import { showStatus } from '../status.ts'
import { knownBy, newcomers, TRUST } from '../trust.ts'
import { showConnected, showEnd } from '../words.ts'

/** The longest that a timer can wait is a little more, in s. */
const MAX_WAIT_SECONDS = 2_000_000

export const connectCommand: Command = {
  name: 'connect',
  summary: 'send lines of JSON as messages, and print the answers as lines',
  usage: [
    'connect [HOST:]PORT [OPTIONS]',
    'connect --path SOCKET [OPTIONS]',
    'connect [HOST:]PORT --peer KEY [OPTIONS]'
  ],
  about: [
    'Without --peer the peer is one that is known at that place, as with ssh: of one that is unknown you are asked, and it is remembered. A key that has changed is refused. `stalk peers --help` tells more.',
    'Each line of standard input is one JSON value and becomes one message; blank lines mean nothing. Each message that comes is one line on standard output. When the input ends we say goodbye, and wait for the peer to do so. If everything was acknowledged by then, the exit code is 0.',
    'What JSON can\'t carry is written as {"$bigint":"12"}, {"$date":"2026-01-31T12:00:00.000Z"}, {"$bytes":"base64"}, {"$set":[…]}, {"$number":"NaN"}, {"$undefined":true} or {"$Float64Array":"base64"}, both ways. An object that really has such a key, and no other, gets one more $: {"$$date":…}.',
    "A line that can't be sent ends the connection without a goodbye, lest the peer take what came before for everything; at a terminal it is only reported. The same goes for Ctrl-C; Ctrl-D is the good end."
  ],
  options: [
    {
      name: 'peer',
      value: 'KEY',
      multiple: true,
      text: 'whom you expect: a fingerprint (SHA256:…) or a key file; one of them, if several'
    },
    ...TRUST,
    {
      name: 'anyone',
      text: 'talk to whoever answers: nothing is verified, and no key is shown unless --identity names it'
    },
    { name: 'path', value: 'SOCKET', text: 'a Unix socket instead of a host and a port' },
    ...WHO_WE_ARE,
    ...PROTOCOL,
    KEY_LOG,
    { name: 'wait', value: 'SECONDS', text: 'how long the peer may be silent after our goodbye; default: 60' }
  ],
  run: talk,
  mindsOutput: true
}

async function talk(args: Args, shell: Shell): Promise<void> {
  const conversation = new Conversation(args, shell)
  const interrupted = new Promise<never>((_resolve, reject) => {
    shell.onSignal(signal => reject(new Interrupted(signal)))
  })
  try {
    await Promise.race([interrupted, shell.output.failed, conversation.hold()])
  } catch (error) {
    await conversation.abort()
    throw error instanceof ReaderGone ? new Reported(EXIT.unread) : error
  }
}

/** One connection, from the first byte to the last. */
class Conversation {
  readonly #args: Args
  readonly #shell: Shell
  #connection: Connection | null = null
  #ended = false

  constructor(args: Args, shell: Shell) {
    this.#args = args
    this.#shell = shell
  }

  async hold(): Promise<void> {
    const { input, output } = this.#shell
    const connection = await this.#open()
    const sender = new Sender(connection, this.#shell)
    const received = receive(connection, output)
    // A person who reads that the peer has said goodbye need not say it too.
    const sent = input.isTTY ? Promise.race([sender.run(), received]) : sender.run()
    await Promise.all([received, sent.then(() => connection.end())])
    const outcome = await this.#end(connection)
    judge(connection, outcome, sender)
  }

  /** Ends it now, if it has not ended by itself; the peer is told. */
  async abort(): Promise<void> {
    const connection = this.#connection
    if (!connection || this.#ended) return
    connection.destroy()
    await this.#end(connection)
  }

  async #end(connection: Connection): Promise<Outcome> {
    const outcome = await connection.outcome
    this.#ended = true
    showEnd(this.#shell.voice, outcome)
    return outcome
  }

  /** Not where somebody types: what is typed stands on the same line. */
  #showStatus(connection: Connection): void {
    if (this.#shell.input.isTTY) return
    const flow = new Flow()
    flow.add(connection)
    showStatus(this.#shell, flow)
  }

  async #open(): Promise<Connection> {
    const address = addressOf(this.#args, 1)
    const peer = await peerOf(this.#args, this.#shell)
    const identity = await identityOf(this.#args, peer)
    const wait = this.#args.count('wait', MAX_WAIT_SECONDS)
    const sayWhoIsNew = await newcomers(peer, this.#shell)
    try {
      this.#connection = await connect({
        ...address,
        ...protocolOf(this.#args),
        ...keyLogOf(this.#args, this.#shell),
        ...(wait !== undefined && { closeTimeout: wait * 1_000 }),
        peer,
        identity,
        allowHalfOpen: true
      })
    } catch (error) {
      throw refused(cannotConnect(error, address), identity)
    }
    this.#connection.on('error', () => {}) // whoever reads it is told
    showConnected(this.#shell.voice, textOf(address), this.#connection)
    await sayWhoIsNew()
    this.#showStatus(this.#connection)
    return this.#connection
  }
}

async function receive(connection: Connection, output: Output): Promise<void> {
  for await (const message of connection) await output.line(writeLine(message))
}

function judge(connection: Connection, { sent, acknowledged }: Outcome, sender: Sender): void {
  if (connection.errored) throw connection.errored
  if (sender.unsentFrom !== null) {
    throw new CommandError(
      EXIT.cut,
      `the peer did not wait: nothing from line ${sender.unsentFrom} on was sent`
    )
  }
  if (acknowledged !== sent) {
    throw new CommandError(EXIT.cut, `the peer has acknowledged ${acknowledged ?? 0} of ${sent} messages`)
  }
}

// --- who -----------------------------------------------------------------------------------------------

async function peerOf(args: Args, shell: Shell): Promise<Peer> {
  const named = await namedPeer(args)
  const known = ['--trust', '--known-peers'].filter(option => args.has(option.slice(2)))
  const way = args.has('anyone') ? '--anyone' : '--peer'
  if (named !== null && known.length > 0) throw usage(`either ${way} or ${known[0]}, not both`)
  return named ?? knownBy(args, shell)
}

/** Whom --peer or --anyone names; null without them. */
export async function namedPeer(args: Args): Promise<Peer | null> {
  const names = args.list('peer')
  if (args.has('anyone') && names.length > 0) throw usage('either --peer or --anyone, not both')
  if (args.has('anyone')) return 'anyone'
  return names.length > 0 ? expected('peer', names) : null
}

/** The default identity is not shown to strangers. */
export async function identityOf(args: Args, peer: Peer): Promise<Identity | null> {
  const named = await namedIdentity(args)
  if (named !== undefined) return named
  return peer === 'anyone' || (peer as { trust?: string }).trust === 'off' ? null : defaultIdentity()
}

export function refused(error: unknown, identity: Identity | null): unknown {
  // What somebody has answered at the terminal.
  if (error instanceof StalkError && error.cause instanceof CommandError) return error.cause
  if (!(error instanceof StalkError) || error.code !== 'ERR_STALK_REJECTED') return error
  const text = `the peer does not accept us: ${error.message}`
  return new CommandError(
    EXIT.untrusted,
    text,
    [
      `we are ${described(identity)}`,
      ...(identity
        ? []
        : ['a peer that nothing is expected of is shown no key, unless --identity names one']),
      'what the other end prints says why'
    ],
    error
  )
}
