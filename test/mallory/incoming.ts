// The bytes that a target sends, as whole records. Knows how records lie on the wire; opens none.

import type { Socket } from 'node:net'

export class Incoming {
  #held: Buffer = Buffer.alloc(0)
  #over = false
  #wake: () => void = () => {}

  constructor(socket: Socket) {
    socket.on('data', chunk => {
      this.#held = Buffer.concat([this.#held, chunk])
      this.#wake()
    })
    const over = (): void => {
      this.#over = true
      this.#wake()
    }
    socket.on('end', over).on('error', over).on('close', over)
  }

  /** Whether the target has ended its side, in whatever way. */
  get ended(): boolean {
    return this.#over
  }

  /** The next whole record, or null when the target has ended or was silent for so many ms. */
  async next(ms: number): Promise<Buffer | null> {
    const deadline = Date.now() + ms
    for (;;) {
      const record = this.#take()
      if (record || this.#over || Date.now() >= deadline) return record
      await this.#more(deadline - Date.now())
    }
  }

  #take(): Buffer | null {
    const end = this.#held.length < 4 ? Number.POSITIVE_INFINITY : 4 + this.#held.readUIntBE(1, 3)
    if (this.#held.length < end) return null
    const record = this.#held.subarray(0, end)
    this.#held = this.#held.subarray(end)
    return record
  }

  #more(ms: number): Promise<void> {
    return new Promise(resolve => {
      const timer = setTimeout(resolve, ms)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}
