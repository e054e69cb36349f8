// The ledger of who receives: what has arrived, over all connections, and what of it must not be. Knows numbers;
// knows no connection.

import { type Greeting, isUnchanged, type Numbered } from './messages.ts'

export class Ledger {
  /** All up to here have arrived. */
  highest = 0
  /** Messages that came again in a later connection. */
  repeated = 0
  connections = 0
  /** How many came in this connection, its greeting among them. */
  taken = 0
  readonly #violation: (text: string) => void
  #next: number | null = null

  constructor(violation: (text: string) => void) {
    this.#violation = violation
  }

  /** A new connection; of the ones before nothing comes any more. */
  begin(): void {
    this.connections += 1
    this.taken = 0
    this.#next = null
  }

  take(message: Greeting | Numbered): void {
    this.taken += 1
    if ('from' in message) this.#greet(message)
    else this.#number(message)
  }

  #greet({ from, acknowledged }: Greeting): void {
    if (this.taken !== 1) this.#say('a greeting in the middle')
    if (acknowledged > this.highest)
      this.#say(`${acknowledged} were acknowledged, and ${this.highest} have arrived: some are lost`)
    if (from !== acknowledged + 1)
      this.#say(`it goes on with ${from} behind ${acknowledged} acknowledged ones`)
    this.#next = from
  }

  #number(message: Numbered): void {
    const { n } = message
    if (n !== this.#next) this.#say(`message ${n} in the place of ${this.#next}`)
    if (!isUnchanged(message)) this.#say(`message ${n} is changed`)
    this.#next = n + 1
    if (n <= this.highest) this.repeated += 1
    this.highest = Math.max(this.highest, n)
  }

  #say(text: string): void {
    this.#violation(`connection ${this.connections}: ${text}`)
  }
}
