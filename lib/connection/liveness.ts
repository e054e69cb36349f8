// Liveness: what a connection does when something does not come in time. Knows time and what is waited for; knows no
// stream and no wire.

import { StalkError } from '../errors.ts'

/** Runs once, so many ms after it was last started. */
export class Deadline {
  /** One that never runs. */
  static readonly never = new Deadline(null, () => {})

  readonly #ms: number | null
  readonly #expired: (ms: number) => void
  readonly #holdsProcess: boolean
  readonly #absolute: boolean
  #timer: NodeJS.Timeout | undefined
  #due: NodeJS.Immediate | undefined

  /**
   * Null: never. `holdsProcess`: whether a process that waits for nothing else waits for this. `absolute`: that nothing
   * that comes changes it.
   */
  constructor(ms: number | null, expired: (ms: number) => void, holdsProcess = false, absolute = false) {
    this.#ms = ms
    this.#expired = expired
    this.#holdsProcess = holdsProcess
    this.#absolute = absolute
  }

  /** As the constructor: what never runs is the same for all. */
  static of(...[ms, ...how]: ConstructorParameters<typeof Deadline>): Deadline {
    return ms === null ? Deadline.never : new Deadline(ms, ...how)
  }

  get running(): boolean {
    return this.#timer !== undefined
  }

  /** From now on, whether or not it was running. */
  start(): void {
    const ms = this.#ms
    if (ms === null) return
    if (this.#timer) return this.refresh()
    this.#timer = setTimeout(() => this.#onTimer(ms), ms)
    if (!this.#holdsProcess) this.#timer.unref()
  }

  /** If it is running, from now on. */
  refresh(): void {
    clearImmediate(this.#due)
    this.#timer?.refresh()
  }

  stop(): void {
    clearImmediate(this.#due)
    clearTimeout(this.#timer)
    this.#timer = undefined // refreshed, it would run again
  }

  // Timers run before sockets are read. Where the process was busy, or asleep, what it waits for may be there.
  #onTimer(ms: number): void {
    if (this.#absolute) this.#expire(ms)
    else this.#due = setImmediate(() => this.#expire(ms))
  }

  #expire(ms: number): void {
    this.#timer = undefined
    this.#expired(ms)
  }
}

/** In ms; null for those that do not apply. */
export interface LivenessLimits {
  readonly keepAliveMs: number | null
  readonly idleTimeoutMs: number | null
  readonly writeTimeoutMs: number | null
  readonly messageTimeoutMs: number
}

export interface LivenessActions {
  /** Asks the peer for a sign of life. */
  ping(): void
  /** Whether that was done and is unanswered. It may have to wait for its turn. */
  pinging(): boolean
  fail(error: StalkError): void
  /** Whether it is our own side that holds up what comes: a reader, or a schema that takes its time. */
  holding(): boolean
  /** Whether messages are still on their way, in either direction. */
  busy(): boolean
}

export class Liveness {
  readonly #actions: LivenessActions
  readonly #silence: Deadline
  readonly #idle: Deadline
  readonly #write: Deadline
  readonly #message: Deadline
  #silent = false
  #over = false

  constructor(limits: LivenessLimits, actions: LivenessActions) {
    this.#actions = actions
    this.#silence = Deadline.of(limits.keepAliveMs, ms => this.#onSilence(ms))
    this.#idle = Deadline.of(limits.idleTimeoutMs, ms => this.#onIdle(ms))
    this.#write = Deadline.of(limits.writeTimeoutMs, ms => this.#onBlocked(ms))
    this.#message = new Deadline(limits.messageTimeoutMs, ms => this.#onPartial(ms))
  }

  /** The session is made. */
  start(): void {
    this.#silence.start()
    this.#idle.start()
  }

  /** Something came from the peer. */
  heard(): void {
    this.#silent = false
    this.#silence.refresh()
  }

  /** Part of a message came, and more of it is to come or not. */
  part(more: boolean): void {
    if (more && !this.#over) this.#message.start()
    else this.#message.stop()
  }

  /** What was held up on our side goes on. */
  released(): void {
    this.#message.refresh()
  }

  /** A message came, went, or was read. */
  active(): void {
    this.#idle.refresh()
  }

  /** The transport was given something, or has `taken` it; so many writes it has not taken yet. */
  written(waiting: number, taken: boolean): void {
    if (waiting === 0 || this.#over) this.#write.stop()
    else if (taken || !this.#write.running) this.#write.start()
  }

  /** We have said goodbye: pings are over, and the peer's goodbye has a deadline of its own. */
  closing(): void {
    this.#silence.stop()
    this.#idle.stop()
  }

  /** For good. */
  stop(): void {
    this.#over = true
    for (const deadline of [this.#silence, this.#idle, this.#write, this.#message]) deadline.stop()
  }

  // First a ping, and as long again for its answer, once it was sent.
  #onSilence(ms: number): void {
    if (this.#actions.holding()) this.#silent = false
    else if (this.#silent) {
      const text = `nothing has come from the peer for ${2 * ms} ms, not even the answer to a ping`
      return this.#actions.fail(new StalkError('ERR_STALK_PEER_SILENT', text))
    } else {
      if (!this.#actions.pinging()) this.#actions.ping()
      this.#silent = this.#actions.pinging()
    }
    this.#silence.start()
  }

  #onIdle(ms: number): void {
    if (this.#actions.busy() || this.#message.running) return this.#idle.start()
    const text = `no message was sent or received for ${ms} ms`
    this.#actions.fail(new StalkError('ERR_STALK_IDLE_TIMEOUT', text))
  }

  #onBlocked(ms: number): void {
    const text = `the transport has taken nothing for ${ms} ms: the peer does not read`
    this.#actions.fail(new StalkError('ERR_STALK_WRITE_TIMEOUT', text))
  }

  #onPartial(ms: number): void {
    if (this.#actions.holding()) return this.#message.start()
    const text = `the next part of a message did not come within ${ms} ms`
    this.#actions.fail(new StalkError('ERR_STALK_MESSAGE_TIMEOUT', text))
  }
}
