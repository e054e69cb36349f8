// What Mallory keeps from one connection with a target to the next: the tickets that it was given or has given out, and
// what was offered to it. Knows how a ticket lies in its record and in M1; offers nothing and judges nothing.

import { ticketPsk } from '../helpers/formulas.ts'
import type { Place } from './fault.ts'

/** A ticket as both ends keep it. */
export interface Ticket {
  readonly value: Buffer
  readonly psk: Buffer
  /** In seconds. */
  readonly lifetime: number
}

export class Memory {
  /** In the order in which they came, or went. */
  readonly tickets: Ticket[] = []
  /** What a target has offered. */
  readonly offered: Buffer[] = []
  /** The handshakes of the connections that are over. */
  readonly handshakes: Readonly<Partial<Record<Place, Buffer>>>[] = []

  /** The newest ticket. */
  get last(): Ticket {
    const ticket = this.tickets.at(-1)
    if (ticket) return ticket
    throw new Error('there is no ticket yet')
  }

  /** Takes the content of a ticket's record in. */
  note(content: Buffer, res: Buffer): Ticket {
    const nonce = content.subarray(4, 20)
    const ticket = {
      lifetime: content.readUInt32BE(0),
      psk: ticketPsk(res, nonce),
      value: content.subarray(22)
    }
    this.tickets.push(ticket)
    return ticket
  }
}

/** The ticket that M1, a whole record, offers; null if there is none. */
export function offeredIn(m1: Buffer): Buffer | null {
  let at = 8
  at += 1 + 2 * m1.readUInt8(at) + 32
  at += 1 + 2 * m1.readUInt8(at)
  at += 1 + m1.readUInt8(at) + 32
  return m1.readUInt8(at) === 0 ? null : m1.subarray(at + 3, at + 3 + m1.readUInt16BE(at + 1))
}
