// What both processes of a soak share: what they are told, what they tell, and how they measure their memory. Knows
// processes; knows no connection.

/** What a process is told once it runs. */
export interface Orders {
  readonly messages: number
  /** Of the receiver, and of whom to expect there. */
  readonly port?: number
  readonly fingerprint?: string
}

export interface Memory {
  /** In bytes, when rubbish was collected. */
  readonly rss: number
  readonly live: number
}

/** What a process tells. */
export type Report =
  | { readonly kind: 'listening'; readonly port: number; readonly fingerprint: string }
  | {
      readonly kind: 'state'
      readonly done: number
      readonly connections: number
      readonly repeated: number
      readonly rss: number
    }
  | { readonly kind: 'memory'; readonly when: 'start' | 'end'; readonly memory: Memory }
  | { readonly kind: 'violation'; readonly text: string }
  | { readonly kind: 'finished' }

export const report = (told: Report): void => void process.send?.(told)

export const violation = (text: string): void => report({ kind: 'violation', text })

export const orders = (): Promise<Orders> => new Promise(resolve => process.once('message', resolve as never))

/** How much of the messages has to be through before memory is first measured: by then everything has its size. */
const WARM_UP = 0.1

/** Reports twice what memory is used, and once a second how far it is. */
export class Progress {
  readonly #messages: number
  readonly #state: () => { done: number; connections: number; repeated: number }
  readonly #timer: NodeJS.Timeout
  #warm = false

  constructor(messages: number, state: () => { done: number; connections: number; repeated: number }) {
    this.#messages = messages
    this.#state = state
    this.#timer = setInterval(() => this.#tick(), 1_000).unref()
  }

  #tick(): void {
    const state = this.#state()
    report({ kind: 'state', ...state, rss: process.memoryUsage.rss() })
    if (!this.#warm && state.done > this.#messages * WARM_UP) this.#measure('start')
  }

  #measure(when: 'start' | 'end'): void {
    this.#warm = true
    globalThis.gc?.()
    const { rss, heapUsed, external } = process.memoryUsage()
    report({ kind: 'memory', when, memory: { rss, live: heapUsed + external } })
  }

  /** Tells the last figures and lets the process end. */
  finish(): void {
    clearInterval(this.#timer)
    this.#tick()
    this.#measure('end')
    report({ kind: 'finished' })
    process.disconnect?.()
  }
}
