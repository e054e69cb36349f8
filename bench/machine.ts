// Where and with what a measurement was made: the head line of every report.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import os from 'node:os'
import { dirname, join } from 'node:path'
import { rivalVersions } from './compare/install.ts'

export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGiB: number
  readonly system: string
  /** Processes that wanted a core in the last minute, before anything was measured. */
  readonly load: number
}

export const machineOf = (): Machine => ({
  cpu: os.cpus()[0]?.model.trim() ?? 'unknown',
  cores: os.availableParallelism(),
  memoryGiB: Math.round(os.totalmem() / 2 ** 30),
  system: `${os.type()} ${os.release()} ${os.arch()}`,
  load: Number(os.loadavg()[0]?.toFixed(2))
})

export type Versions = Readonly<Record<string, string>>

export const versionsOf = (): Versions => ({
  stalk: versionIn(join(import.meta.dirname, '..')),
  node: process.versions.node,
  openssl: process.versions.openssl,
  msgpackr: versionIn(dirname(createRequire(import.meta.url).resolve('msgpackr')), '..'),
  ...rivalVersions()
})

function versionIn(...folder: string[]): string {
  const text = readFileSync(join(...folder, 'package.json'), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}

export function headLine({ cpu, cores, memoryGiB, system, load }: Machine, versions: Versions): string {
  const packages = Object.entries(versions).map(([name, version]) => `${name} ${version}`)
  return `${packages.join(', ')}; ${cores} × ${cpu}, ${memoryGiB} GiB, ${system}, load ${load}`
}
