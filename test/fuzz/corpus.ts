// The corpus of a target: a text with one input a line, in hexadecimal, in the folder `corpus`. Knows the file;
// knows nothing of what the inputs are good for.

import { existsSync, readFileSync, writeFileSync } from 'node:fs'

const fileOf = (name: string): URL => new URL(`corpus/${name}.txt`, import.meta.url)

/** The inputs of a target's file; none if there is no file. */
export function readCorpus(name: string): Buffer[] {
  const file = fileOf(name)
  return existsSync(file) ? parseCorpus(readFileSync(file, 'utf8')) : []
}

/** Lines of hexadecimal; what is behind a # and blank lines mean nothing. */
export function parseCorpus(text: string): Buffer[] {
  const lines = text.split('\n').map(line => line.replace(/#.*/, '').replace(/\s+/g, ''))
  return lines
    .filter(line => line !== '')
    .map(line => (line === '-' ? Buffer.alloc(0) : Buffer.from(line, 'hex')))
}

export function writeCorpus(name: string, about: string, inputs: readonly Buffer[]): void {
  writeFileSync(fileOf(name), `# ${about}\n${asText(inputs)}`)
}

export const asText = (inputs: readonly Buffer[]): string =>
  inputs.map(input => `${input.toString('hex') || '-'}\n`).join('')
