// All faults by area, controls first.

import { answerFaults } from './answer-faults.ts'
import { askedFaults } from './asked-faults.ts'
import { closeFaults } from './close-faults.ts'
import { closingControls } from './closing-controls.ts'
import { controls } from './controls.ts'
import type { Fault } from './fault.ts'
import { floodFaults } from './flood-faults.ts'
import { handshakeFaults } from './handshake-faults.ts'
import { messageFaults } from './message-faults.ts'
import { offerFaults } from './offer-faults.ts'
import { pingFaults } from './ping-faults.ts'
import { recordFaults } from './record-faults.ts'
import { resumedFaults } from './resumed-faults.ts'
import { resumptionControls } from './resumption-controls.ts'
import { shapeControls } from './shape-controls.ts'
import { shapeFaults } from './shape-faults.ts'
import { ticketFaults } from './ticket-faults.ts'
import { updateFaults } from './update-faults.ts'
import { upkeepControls } from './upkeep-controls.ts'

export const AREAS: Readonly<Record<string, readonly Fault[]>> = {
  controls: [...controls, ...closingControls],
  upkeep: upkeepControls,
  resumption: resumptionControls,
  handshake: handshakeFaults,
  records: recordFaults,
  messages: messageFaults,
  close: closeFaults,
  answer: answerFaults,
  pings: pingFaults,
  updates: updateFaults,
  floods: floodFaults,
  asked: askedFaults,
  tickets: ticketFaults,
  offers: offerFaults,
  resumed: resumedFaults,
  shapes: [...shapeControls, ...shapeFaults]
}

export const CATALOGUE: readonly Fault[] = Object.values(AREAS).flat()

export function faultNamed(name: string): Fault {
  const fault = CATALOGUE.find(candidate => candidate.name === name)
  if (fault) return fault
  throw new Error(`there is no fault ${name}; --list shows all`)
}
