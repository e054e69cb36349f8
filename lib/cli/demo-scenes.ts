// The demo's three scenes: each starts a listener, a relay and a connector, lets them talk, and returns what the
// three have seen. Knows the order of events; neither judges (demo-claims.ts) nor tells (demo-words.ts).

import { Program } from './demo-process.ts'
import type { ConnectorTask, Ended, ListenerTask, Report, Secured } from './demo-reports.ts'
import { tapWire, type WireSeen } from './wiretap.ts'

/** One end's key, as the other end and a person are told of it. */
export interface Person {
  /** The kind of key: RSA-2048. */
  readonly key: string
  readonly fingerprint: string
  readonly privateFile: string
}

export interface Cast {
  readonly listener: Person
  readonly connector: Person
  /** Whom the connector expects in the second scene, and who isn't there. */
  readonly stranger: Person
}

/** What one end has reported. */
export interface Side {
  readonly secured: Secured | undefined
  readonly refused: { readonly code: string; readonly text: string } | undefined
  readonly ended: Ended | undefined
}

export interface Evidence {
  readonly listener: Side
  readonly connector: Side
  readonly wire: WireSeen
  /** The message that could not be sent, if there was one. */
  readonly unsendable: { readonly index: number; readonly text: string } | undefined
}

export interface Scene {
  readonly messages: readonly unknown[]
  /** How many to send; the messages are repeated as needed. */
  readonly total: number
  /** The fingerprint that the connector expects. */
  readonly expects: string
  /** Where the relay cuts the connection, in bytes from the connector. Default: it does not. */
  readonly cutAfterBytes?: number | undefined
}

/** Who is told how far the connector or the listener is, in messages. */
export type OnProgress = (name: 'listener' | 'connector', messages: number) => void

/** Rejects with a DemoError if a program dies, and with the signal's reason. Leaves nothing running. */
export async function play(
  scene: Scene,
  { listener, connector }: Cast,
  signal: AbortSignal,
  onProgress: OnProgress
): Promise<Evidence> {
  const leave: (() => void)[] = []
  const start = (name: 'listener' | 'connector', task: ListenerTask | ConnectorTask): Program => {
    const program = new Program(name, task, signal, progressOf(name, onProgress))
    leave.push(() => program.kill())
    return program
  }
  try {
    const { fingerprint, privateFile } = connector
    const listens = start('listener', { privateFile: listener.privateFile, peer: fingerprint })
    const { port } = await listens.await('listening')
    const wire = await tapWire({ port, cutAfterBytes: scene.cutAfterBytes })
    leave.push(() => wire.close())
    const { messages, total, expects } = scene
    const connects = start('connector', { port: wire.port, privateFile, peer: expects, messages, total })
    await Promise.all([listens.ended, connects.ended])
    return evidenceOf(listens, connects, wire.seen)
  } finally {
    for (const left of leave) left()
  }
}

const progressOf =
  (name: 'listener' | 'connector', onProgress: OnProgress) =>
  (report: Report): void => {
    if (report.name === 'progress') onProgress(name, report.messages)
  }

const evidenceOf = (listener: Program, connector: Program, wire: WireSeen): Evidence => ({
  listener: sideOf(listener),
  connector: sideOf(connector),
  wire,
  unsendable: connector.report('unsendable')
})

const sideOf = (program: Program): Side => ({
  secured: program.report('secure'),
  refused: program.report('refused'),
  ended: program.report('ended')
})
