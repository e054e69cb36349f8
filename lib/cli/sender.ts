// Sends what comes on standard input: a message a line, no faster than the peer takes them. Knows lines and
// their numbers, and what becomes of a line that can't be sent.

import { fstatSync } from 'node:fs'
import { type Connection, StalkError } from '../index.ts'
import { CommandError, EXIT } from './exit.ts'
import { LineSplitter, readLine } from './ndjson.ts'
import { room } from './room.ts'
import type { Shell } from './shell.ts'
import { BadValue } from './tagged.ts'

export class Sender {
  readonly #connection: Connection
  readonly #shell: Shell
  readonly #splitter = new LineSplitter()
  #line = 0
  #bad: CommandError | null = null
  #unsentFrom: number | null = null
  #last: Promise<void> = Promise.resolve()

  constructor(connection: Connection, shell: Shell) {
    this.#connection = connection
    this.#shell = shell
  }

  /** The first line that the connection was not there for any more; null if it took all. */
  get unsentFrom(): number | null {
    return this.#unsentFrom
  }

  /**
   * Fulfilled when the input has ended, or nothing more can be sent. Rejects with a CommandError for a line that
   * is no message, when what came before it is on its way.
   */
  async run(): Promise<void> {
    try {
      // Node takes a folder for an empty file.
      if (fstatSync(0).isDirectory()) throw new Error('it is a folder')
      for await (const chunk of this.#shell.input) {
        await this.#take(chunk as Buffer)
        if (this.#unsentFrom !== null) return
      }
      this.#takeLine(this.#splitter.rest())
      await this.#last
      this.#check()
    } catch (error) {
      await this.#connection.flush().catch(() => {})
      throw inputError(error, this.#line + 1)
    }
  }

  async #take(chunk: Buffer): Promise<void> {
    for (const bytes of this.#splitter.push(chunk)) {
      this.#takeLine(bytes)
      if (this.#connection.writableNeedDrain) await room(this.#connection)
      this.#check()
      if (this.#unsentFrom !== null) return
    }
  }

  #takeLine(bytes: Buffer): void {
    this.#line += 1
    const line = this.#line
    try {
      const read = readLine(bytes)
      if (read === null) return
      this.#last = this.#connection.send(read.message).catch(error => this.#refused(line, error))
    } catch (error) {
      if (!(error instanceof BadValue)) throw error
      this.#skip(line, error.message)
    }
  }

  #refused(line: number, error: unknown): void {
    const code = error instanceof StalkError ? error.code : null
    const ownFault = code === 'ERR_STALK_VALUE_UNSUPPORTED' || code === 'ERR_STALK_MESSAGE_TOO_LARGE'
    if (ownFault) this.#skip(line, (error as StalkError).message, error)
    else this.#unsentFrom ??= line // why, the connection says
  }

  /** A person at a terminal can write the line again; of a file, the peer would take the rest for all. */
  #skip(line: number, problem: string, cause?: unknown): void {
    const text = `line ${line}: ${problem}`
    if (!this.#shell.input.isTTY) this.#bad ??= new CommandError(EXIT.input, text, [], cause)
    else this.#shell.voice.complain('skipped', { text, hints: ['it was left out'] }, { line })
  }

  #check(): void {
    if (this.#bad) throw this.#bad
  }
}

function inputError(error: unknown, line: number): unknown {
  if (error instanceof CommandError) return error
  if (error instanceof BadValue) return new CommandError(EXIT.input, `line ${line}: ${error.message}`)
  return new CommandError(EXIT.input, `cannot read standard input: ${(error as Error).message}`)
}
