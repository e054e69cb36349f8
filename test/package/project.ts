// The package as others get it: lib built into a copy, so that no test depends on what stands in dist just now,
// and programs that run beside it in a folder, with a home and a port of their own.

import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'

export const ROOT = resolve(import.meta.dirname, '../..')

export const TSC = join(ROOT, 'node_modules/typescript/bin/tsc')

export const README = readFileSync(join(ROOT, 'README.md'), 'utf8')

interface Manifest {
  readonly files: string[]
  readonly dependencies: Record<string, string>
}

export const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Manifest

/** A folder that is gone when the process ends. */
export function temporary(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `stalk-${name}-`))
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** A command without what tap loads into every process that is started under it. */
const plainly = (command: string[]): [string, string[]] => ['env', ['-u', 'NODE_OPTIONS', ...command]]

export interface Run {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs a command to its end, and takes what it prints. */
export function execute(command: string[], cwd: string, env: NodeJS.ProcessEnv = {}): Run {
  const options = { cwd, env: { ...process.env, ...env }, encoding: 'utf8', timeout: 120_000 } as const
  const { status, stdout, stderr } = spawnSync(...plainly(command), options)
  return { status, stdout, stderr }
}

/** The same, where nothing else will do but that it succeeds. */
export function mustExecute(command: string[], cwd: string): string {
  const { status, stdout, stderr } = execute(command, cwd)
  if (status !== 0) throw new Error(`${command.join(' ')} failed in ${cwd}:\n${stdout}${stderr}`)
  return stdout
}

/** Makes in `folder` all that the package is made from: what is published beside dist, and dist, built from lib. */
export function buildInto(folder: string): void {
  const others = manifest.files.filter(name => name !== 'dist')
  for (const name of ['package.json', 'README.md', 'LICENSE', ...others]) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    cpSync(join(ROOT, name), join(folder, name))
  }
  mustExecute([process.execPath, TSC, '-p', 'lib', '--outDir', join(folder, 'dist')], ROOT)
}

/** An empty project with stalk in its node_modules, the dependencies as they are here. */
export function projectWithStalk(): string {
  const folder = temporary('project')
  const modules = join(folder, 'node_modules')
  mkdirSync(join(modules, 'stalk'), { recursive: true })
  buildInto(join(modules, 'stalk'))
  for (const name of Object.keys(manifest.dependencies)) {
    symlinkSync(join(ROOT, 'node_modules', name), join(modules, name))
  }
  return folder
}

/** Runs a program in a project, with an empty home. */
export function run(project: string, file: string, program: string): Run {
  writeFileSync(join(project, file), program)
  const home = mkdtempSync(join(project, 'home-'))
  return execute([process.execPath, file], project, { HOME: home, USERPROFILE: home })
}

export async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  const { port } = server.address() as net.AddressInfo
  await new Promise(resolve => server.close(resolve))
  return port
}

export interface Block {
  /** Where it begins. */
  readonly line: number
  readonly code: string
}

/** The ```js blocks of the README. */
export const blocks = (): Block[] =>
  [...README.matchAll(/^```js\n([\s\S]*?)^```$/gm)].map(({ index, 1: code = '' }) => ({
    line: README.slice(0, index).split('\n').length + 1,
    code
  }))

/** What is left of a program without its strings and comments. */
const bare = (code: string): string => code.replace(/'[^'\n]*'|`[^`]*`|\/\/.*$/gm, '')

/** Whether it is meant to run as it stands. */
export const isProgram = ({ code }: Block): boolean => /^import /.test(code) && !bare(code).includes('…')

/** The same with ports that are free. */
export async function onFreePorts(code: string): Promise<string> {
  let changed = code
  for (const port of new Set(code.match(/\b40[01]\d\b/g))) {
    changed = changed.replaceAll(port, String(await freePort()))
  }
  return changed
}

/** The README's first lines. */
export function tenLines(): string {
  const [, code] = README.match(/^## A few lines\n+```js\n([\s\S]*?)^```$/m) ?? []
  if (code) return code
  throw new Error('the README has no block under "A few lines"')
}
