// The gate: holds everything back until it is opened, then lets everything through. Knows nothing of what it
// holds or why.

import { paced, type Stage } from './paced.ts'

export interface Gate extends Stage {
  /** For good; opening it again changes nothing. */
  open(): void
}

/** Holds its first item, and by backpressure all behind it, until `open` is called. */
export function gate(): Gate {
  let opened = false
  let letGo: (() => void) | null = null
  const stage = paced<unknown, unknown>(item => {
    if (opened) return [item]
    return new Promise(resolve => {
      letGo = () => resolve([item])
    })
  })
  const open = (): void => {
    opened = true
    letGo?.()
    letGo = null
  }
  return Object.assign(stage, { open })
}
