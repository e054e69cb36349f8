// What both child programs of the demo have in common: how they get their task, report, and end. Knows Node's IPC
// channel; nothing of what the program does.

import { once } from 'node:events'
import type { Report } from './demo-reports.ts'

/** How often a child says how far it is, in ms. */
const PROGRESS_MS = 50

export class Parent {
  #progressAt = 0

  /** Runs a program with the task that the parent sends, and lets the process end when it is done. */
  static async serve<Task>(program: (task: Task, parent: Parent) => Promise<void>): Promise<void> {
    process.on('disconnect', () => process.exit()) // the parent is gone
    const [task] = (await once(process, 'message')) as [Task]
    await program(task, new Parent())
    process.removeAllListeners('disconnect')
    process.disconnect()
  }

  /** Fulfilled when it is with the parent. */
  report(report: Report): Promise<void> {
    return new Promise((resolve, reject) => {
      process.send?.(report, undefined, undefined, error => (error ? reject(error) : resolve()))
    })
  }

  /** Reports progress, but not for every message. */
  progress(messages: number): void {
    const now = performance.now()
    if (now - this.#progressAt < PROGRESS_MS) return
    this.#progressAt = now
    void this.report({ name: 'progress', messages })
  }
}
