// What a program reads and writes, as messages: a JSON value a line, or with --raw bytes as they are. Knows bytes and
// messages; knows no process.

import { LineSplitter, readLine, writeLine } from '../ndjson.ts'
import { BadValue } from '../tagged.ts'

export interface Framing {
  /** What the program reads of a message. Throws BadValue. */
  toProgram(message: unknown): string | Buffer
  /** The messages in what it has written. Throws BadValue. */
  fromProgram(chunk: Buffer): Iterable<unknown>
  /** The message in what is left when it writes no more. Throws BadValue. */
  rest(): Iterable<unknown>
}

export const raw = (): Framing => ({
  toProgram: message => {
    if (message instanceof Uint8Array) return Buffer.from(message.buffer, message.byteOffset, message.length)
    throw new BadValue('the peer sent a message that is not bytes')
  },
  fromProgram: chunk => [chunk],
  rest: () => []
})

export class Lines implements Framing {
  readonly #splitter = new LineSplitter()
  #line = 0

  toProgram(message: unknown): string {
    return `${writeLine(message)}\n`
  }

  *fromProgram(chunk: Buffer): Iterable<unknown> {
    for (const line of this.#splitter.push(chunk)) yield* this.#read(line)
  }

  *rest(): Iterable<unknown> {
    yield* this.#read(this.#splitter.rest())
  }

  *#read(line: Buffer): Iterable<unknown> {
    this.#line += 1
    try {
      const read = readLine(line)
      if (read !== null) yield read.message
    } catch (error) {
      if (!(error instanceof BadValue)) throw error
      throw new BadValue(`line ${this.#line} of what the program says is no message: ${error.message}`)
    }
  }
}
