// The backlog: how many bytes wait to be encoded, as far as that can be told before. Buffers and strings say
// themselves how long they are; anything else counts as much as messages did lately, or as what is right inside it
// before there were any. Knows no stream and no wire.

import { WRITABLE_BYTES } from '../constants.ts'

export class Backlog {
  #queued = 0
  #inFlight = 0
  #average = 0
  /** Bytes encoded since a message was complete. */
  #partial = 0

  /** Whether so much waits that the writer should. */
  get full(): boolean {
    return this.#queued + this.#inFlight >= WRITABLE_BYTES
  }

  /** A message waits. */
  add(message: unknown): void {
    this.#queued += this.#weightOf(message)
  }

  /** All that wait are being encoded. */
  take(): void {
    this.#inFlight += this.#queued
    this.#queued = 0
  }

  /** They are encoded, or never will be. */
  release(): void {
    this.#inFlight = 0
  }

  /** So many bytes were encoded, and with them so many messages complete. */
  encoded(bytes: number, messages: number): void {
    this.#partial += bytes
    if (messages === 0) return
    this.#average = this.#partial / messages
    this.#partial = 0
  }

  #weightOf(message: unknown): number {
    if (typeof message !== 'object' || ArrayBuffer.isView(message)) return lengthOf(message)
    if (this.#average > 0 || message === null) return this.#average
    return Object.values(message).reduce((sum: number, value) => sum + lengthOf(value), 0)
  }
}

function lengthOf(value: unknown): number {
  if (typeof value === 'string') return value.length
  return ArrayBuffer.isView(value) ? value.byteLength : 0
}
