// Finds: failing inputs as files, and how to run them again. Knows the folder.

import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { asText } from './corpus.ts'
import type { Failure } from './failure.ts'

/** Longer ones do not fit a command line. */
const MAX_SHOWN = 2_000

export class Finds {
  readonly folder: string

  constructor(folder?: string) {
    this.folder = folder ?? mkdtempSync(join(tmpdir(), 'stalk-fuzz-'))
    mkdirSync(this.folder, { recursive: true })
  }

  /** Saves a failing input and what it does; answers the path of the text. */
  save(target: string, { input, text, finding }: Failure): string {
    const name = `${target}-${createHash('sha256').update(input).digest('hex').slice(0, 8)}`
    writeFileSync(join(this.folder, `${name}.bin`), input)
    const path = join(this.folder, `${name}.txt`)
    const shown = input.length <= MAX_SHOWN ? input.toString('hex') : `@${join(this.folder, `${name}.bin`)}`
    writeFileSync(path, `${finding}\n\nnpm run campaign -- ${target} --input ${shown || '-'}\n\n${text}\n`)
    return path
  }

  /** What is about to run, for whoever looks for what the process died of. */
  before(target: string, inputs: readonly Buffer[]): void {
    writeFileSync(join(this.folder, `${target}-last-batch.txt`), asText(inputs))
  }

  /** All inputs that were kept. */
  saveCorpus(target: string, inputs: readonly Buffer[]): void {
    writeFileSync(join(this.folder, `${target}-corpus.txt`), asText(inputs))
  }
}
