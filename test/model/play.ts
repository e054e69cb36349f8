// Plays a schedule: two connections over the testing kit's pair, what the steps say, and then everything is let go
// until both have ended. Knows both ends and the wire.

import type { Duplex } from 'node:stream'
import { type StalkOptions, stalk } from '../../lib/index.ts'
import { cut, type Ending, type Pair, pair } from '../../lib/testing/index.ts'
import { alice, bob, turns, within } from '../helpers/pair.ts'
import { Player } from './player.ts'
import { type Action, type EndSetup, MAX_MESSAGE, type Schedule, type Step } from './schedule.ts'

/** How long a run may take behind its last step, in ms; what lingers in it has a second of its own. */
const DEADLINE_MS = 20_000

export interface Played {
  readonly players: readonly [Player, Player]
  readonly outcomes: readonly [Outcome, Outcome]
  /** What hangs on the transports that did not before, by event. */
  readonly left: string[]
}

type Outcome = Awaited<Player['connection']['outcome']>

const optionsOf = ({ rekeyAfter, block, ...setup }: EndSetup): StalkOptions => ({
  readableHighWaterMark: setup.readableHighWaterMark,
  writableHighWaterMark: setup.writableHighWaterMark,
  allowHalfOpen: setup.allowHalfOpen,
  maxMessage: MAX_MESSAGE,
  handshakeTimeout: 3 * DEADLINE_MS, // a hang is to be seen as one
  ...(rekeyAfter && { rekeyAfter: { records: rekeyAfter } }),
  ...(block && { padding: { block } })
})

class Stage {
  readonly players: readonly [Player, Player]
  readonly #schedule: Schedule
  readonly #wire: Pair
  readonly #before: Map<string, number>[]
  /** The wire falls silent at some time, so that the ends have to be destroyed. */
  #silenced = false

  constructor(schedule: Schedule) {
    this.#schedule = schedule
    const [there, back] = schedule.ends.map(({ link, cut: place }) => ({
      ...link,
      faults: place ? [cut(place.at, place.how)] : []
    }))
    this.#wire = pair({ there, back })
    this.#before = this.#wire.ends.map(listenersOf)
    this.#silenced = schedule.ends.some(({ cut }) => cut?.how === 'silence')
    const { suite, ends } = schedule
    const [a, b] = this.#wire.ends
    const initiator = stalk(a, {
      role: 'initiator',
      identity: alice,
      peer: bob,
      suites: [suite],
      ...optionsOf(ends[0])
    })
    const responder = stalk(b, {
      role: 'responder',
      identity: bob,
      peer: alice,
      suites: [suite],
      ...optionsOf(ends[1])
    })
    const players = [
      new Player('initiator', initiator, ends[0]),
      new Player('responder', responder, ends[1])
    ] as const
    players[0].peer = players[1]
    players[1].peer = players[0]
    this.players = players
  }

  async play(): Promise<Played> {
    if (this.#schedule.ready) await this.#untilReady()
    for (const step of this.#schedule.steps) await this.#do(step)
    for (const link of this.#links) link.resume()
    for (const player of this.players) player.release()
    if (this.#silenced) await this.#giveUp()
    else for (const { connection } of this.players) if (connection.writable) connection.end()
    const ended = Promise.all(this.players.map(({ connection }) => connection.outcome))
    const outcomes = (await within(ended, 'the end of both', DEADLINE_MS)) as [Outcome, Outcome]
    await turns(4)
    return { players: this.players, outcomes, left: this.#left() }
  }

  get #links(): readonly [Pair['there'], Pair['back']] {
    return [this.#wire.there, this.#wire.back]
  }

  /** Not for ever: the handshake may be cut. */
  async #untilReady(): Promise<void> {
    const [a, b] = this.players.map(({ connection }) => connection)
    const both = Promise.all([a?.ready, b?.ready]).catch(() => {})
    await Promise.race([both, this.#silenced ? turns(60) : both])
  }

  async #giveUp(): Promise<void> {
    await turns(5)
    for (const player of this.players) player.destroy()
  }

  async #do({ end, action }: Step): Promise<void> {
    const player = this.players[end]
    if (!this.#onTheWire(end, action)) await this.#byPlayer(player, action)
  }

  #onTheWire(end: 0 | 1, action: Action): boolean {
    const link = this.#links[end]
    if (action.do === 'cut') {
      this.#note(action.how)
      link.meddle(cut(link.written + action.after, action.how))
    } else if (action.do === 'cut now') {
      this.#note(action.how)
      link.cut(action.how)
    } else if (action.do === 'stall') link.stall()
    else if (action.do === 'unstall') link.resume()
    else if (action.do === 'delay') link.delay(action.ms)
    else return false
    return true
  }

  #note(how: Ending): void {
    if (how === 'silence') this.#silenced = true
  }

  // What is waited for may depend on a later step, so that every wait has an end.
  async #byPlayer(player: Player, action: Action): Promise<void> {
    const { connection } = player
    const patiently = (promise: Promise<void>): Promise<void> => Promise.race([promise, turns(12)])
    if (action.do === 'write') player.write(action.size)
    else if (action.do === 'send') void player.send(action.size)
    else if (action.do === 'send and wait') await patiently(player.send(action.size))
    else if (action.do === 'send and give up') await giveUp(player, action.size, action.after)
    else if (action.do === 'read') player.read(action.count)
    else if (action.do === 'flush') {
      const flushing = player.flush(action.acked)
      if (action.wait) await patiently(flushing)
    } else if (action.do === 'turns') await turns(action.count)
    else if (action.do === 'destroy') player.destroy(action.withError ? new Error('enough') : undefined)
    else if (action.do === 'end') connection.end()
    else if (action.do === 'cork' || action.do === 'uncork') connection[action.do]()
    else player[action.do as 'pause' | 'resume' | 'rekey' | 'rtt' | 'dispose']()
  }

  #left(): string[] {
    return this.#wire.ends.flatMap((end, index) =>
      [...listenersOf(end)]
        .filter(([event, count]) => count > (this.#before[index]?.get(event) ?? 0))
        .map(([event, count]) => `${this.players[index as 0 | 1].name}: ${count} listeners for ${event}`)
    )
  }
}

async function giveUp(player: Player, size: number, after: number): Promise<void> {
  const controller = new AbortController()
  void player.send(size, controller.signal)
  await turns(after)
  controller.abort(new Error('changed my mind'))
}

const listenersOf = (end: Duplex): Map<string, number> =>
  new Map(end.eventNames().map(event => [String(event), end.listenerCount(event)]))

export const play = (schedule: Schedule): Promise<Played> => new Stage(schedule).play()
