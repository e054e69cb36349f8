// A connection that a program answers: what the peer says is its input, and what it says goes to the peer; how it ends is
// how the connection does. Knows the two directions and their ends; how messages look, framing.ts knows.

import { createInterface } from 'node:readline'
import type { Connection } from '../../index.ts'
import { CommandError, EXIT } from '../exit.ts'
import { room } from '../room.ts'
import { BadValue } from '../tagged.ts'
import type { Framing } from './framing.ts'
import type { Program } from './program.ts'

export class Attendance {
  readonly #connection: Connection
  readonly #program: Program
  readonly #framing: Framing
  #over = false
  #unread = 0

  constructor(connection: Connection, program: Program, framing: Framing) {
    this.#connection = connection
    this.#program = program
    this.#framing = framing
  }

  /** Messages that came when the program was not there for them any more. */
  get unread(): number {
    return this.#unread
  }

  /** A line of the program's standard error. */
  onNote(note: (text: string) => void): void {
    createInterface({ input: this.#program.stderr }).on('line', note)
  }

  /** The program is told that nothing more comes, as when the peer has said goodbye. */
  endInput(): void {
    this.#program.stdin.end()
  }

  /** Fulfilled when the program has ended and the peer has said all; the connection has the failure, if there is one. */
  async hold(): Promise<void> {
    this.#connection.once('close', () => {
      if (!this.#over) void this.#program.stop()
    })
    await Promise.all([this.#hear(), this.#speak()])
  }

  async #hear(): Promise<void> {
    try {
      for await (const message of this.#connection) await this.#give(message)
    } catch {
      // the connection has failed, and says so
    }
    this.endInput()
  }

  async #give(message: unknown): Promise<void> {
    const { stdin } = this.#program
    if (!stdin.writable) this.#unread += 1
    else if (!stdin.write(this.#toProgram(message))) await roomIn(stdin)
  }

  // Here, and not where the loop ends: leaving it destroys the connection, without a reason.
  #toProgram(message: unknown): string | Buffer {
    try {
      return this.#framing.toProgram(message)
    } catch (error) {
      this.#fail(EXIT.input, (error as Error).message)
      throw error
    }
  }

  async #speak(): Promise<void> {
    try {
      for await (const chunk of this.#program.stdout)
        await this.#send(this.#framing.fromProgram(chunk as Buffer))
      await this.#send(this.#framing.rest())
    } catch (error) {
      if (!(error instanceof BadValue)) throw error
      this.#fail(EXIT.input, error.message)
    }
    const problem = await this.#program.ended
    this.#over = true
    if (problem !== null) this.#fail(EXIT.failed, `its program ${problem}`)
    else if (this.#connection.writable) this.#connection.end()
  }

  async #send(messages: Iterable<unknown>): Promise<void> {
    for (const message of messages) {
      if (!this.#connection.writable) return
      this.#connection.send(message).catch(error => this.#refused(error))
      if (this.#connection.writableNeedDrain) await room(this.#connection)
    }
  }

  /** What can't be sent is not left out, lest the peer take the rest for all. */
  #refused(error: Error): void {
    if (this.#connection.writable) this.#fail(EXIT.input, error.message)
  }

  #fail(exit: number, text: string): void {
    if (!this.#connection.destroyed) this.#connection.destroy(new CommandError(exit, text))
  }
}

const roomIn = (stream: NodeJS.EventEmitter): Promise<void> =>
  new Promise(resolve => {
    const done = (): void => {
      stream.off('drain', done).off('close', done)
      resolve()
    }
    stream.on('drain', done).on('close', done)
  })
