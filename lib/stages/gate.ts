// The gate: holds everything back until it is opened, then lets everything through. Knows nothing of what it
// holds or why.

import { paced, type Stage } from './paced.ts'

export interface Gate extends Stage {
  /** For good; opening it again changes nothing. */
  open(): void
}

/** Holds its first item, and by backpressure all behind it, until `open` is called. */
export function gate(): Gate {
  let open: () => void = () => {}
  let opened = false
  const opening = new Promise<void>(resolve => {
    open = () => {
      opened = true
      resolve()
    }
  })
  const stage = paced<unknown, unknown>(item => (opened ? [item] : opening.then(() => [item])))
  return Object.assign(stage, { open })
}
