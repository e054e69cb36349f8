// The tarball, installed into an empty project: its files, the README's first lines by import and by require, and its
// types in a tiny program of somebody else's. Needs the registry; what cannot be had from it is skipped, and says so.

import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import {
  buildInto,
  execute,
  manifest,
  mustExecute,
  onFreePorts,
  type Run,
  run,
  TSC,
  temporary,
  tenLines
} from './project.ts'

const source = temporary('source')
buildInto(source)
const tarballs = temporary('tarball')
const packed = JSON.parse(
  mustExecute(['npm', 'pack', '--ignore-scripts', '--json', '--pack-destination', tarballs], source)
) as [{ filename: string; files: { path: string }[] }]
const [{ filename, files }] = packed

/** npm that asks for as little as it can, and waits for nobody. */
const install = (project: string, ...packages: string[]): Run =>
  execute(
    ['npm', 'install', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline', ...packages],
    project
  )

/** An empty project with the tarball in it. */
const project = temporary('consumer')
writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'consumer', private: true }))
const installed = install(project, join(tarballs, filename), '@types/node@20')
const needs = installed.status === 0 ? {} : { skip: `npm install failed: ${installed.stderr.slice(0, 300)}` }

t.test('the tarball holds what is built and documented, and nothing else', async t => {
  const paths = files.map(({ path }) => path)
  const beside = paths.filter(path => !/^dist\/.*\.(js|d\.ts)$/.test(path))
  t.same(beside.sort(), [
    'CHANGELOG.md',
    'LICENSE',
    'README.md',
    'lib/PROTOCOL.md',
    'lib/trust/TRUST.md',
    'package.json'
  ])
  for (const path of ['dist/index.js', 'dist/index.d.ts', 'dist/cli/main.js', 'dist/testing/index.js'])
    t.ok(paths.includes(path), path)
})

t.test('it brings its dependencies and no others of the first rank', needs, async t => {
  for (const name of Object.keys(manifest.dependencies)) t.ok(existsSync(join(project, 'node_modules', name)))
  t.notOk(existsSync(join(project, 'node_modules', 'tap')))
})

const asked = [/hello: 'world'/, /kind: 'clean',/, /unsent: 0/]

t.test('the first lines run by import', needs, async t => {
  const { status, stdout, stderr } = run(project, 'ten.mjs', await onFreePorts(tenLines()))
  t.equal(stderr, '')
  t.equal(status, 0)
  for (const expected of asked) t.match(stdout, expected)
})

/** ES modules by require came with 20.19 and 22.12. */
const canRequire = (process.features as { require_module?: boolean }).require_module === true
const requiring = canRequire ? needs : { skip: `node ${process.version} cannot require ES modules` }

t.test('the first lines run by require', requiring, async t => {
  const body = tenLines().replace(/^import (\{.*?\}) from 'stalk'$/m, "const $1 = require('stalk')")
  const program = `async function main() {\n${body}\n}\nmain()\n`
  const { status, stdout, stderr } = run(project, 'ten.cjs', await onFreePorts(program))
  t.match(stderr, /^(.*ExperimentalWarning: CommonJS module .*\n.*\n)?$/)
  t.equal(status, 0)
  for (const expected of asked) t.match(stdout, expected)
})

const pairing = `
  const { initiator, responder } = await connectedPair()
  responder.on('data', message => console.log(message))
  initiator.end('over the pair')
  console.log((await initiator.outcome).kind, pair().ends.length)
`

t.test('the testing kit runs by import, and finds the classes of the main entry', needs, async t => {
  const program = `
import { Connection } from 'stalk'
import { connectedPair, pair } from 'stalk/testing'
${pairing}
console.log(initiator instanceof Connection)`
  const { status, stdout, stderr } = run(project, 'kit.mjs', program)
  t.same([stderr, status], ['', 0])
  t.equal(stdout, 'over the pair\nclean 2\ntrue\n')
})

t.test('the testing kit runs by require', requiring, async t => {
  const program = `const { connectedPair, pair } = require('stalk/testing')
async function main() {${pairing}}
main()`
  const { status, stdout } = run(project, 'kit.cjs', program)
  t.equal(status, 0)
  t.equal(stdout, 'over the pair\nclean 2\n')
})

t.test('the command is installed and says what it can do', needs, async t => {
  const { status, stdout } = execute([join(project, 'node_modules/.bin/stalk'), '--help'], project)
  t.equal(status, 0)
  t.match(stdout, /keygen/)
})

const consumer = `
import { once } from 'node:events'
import net from 'node:net'
import { PassThrough } from 'node:stream'
import stalk, { type Connection, connect, decoder, encoder, Identity, type Outcome, StalkError } from 'stalk'
import { connectedPair, cut, type Direction, type Fault, pair } from 'stalk/testing'

interface Reply { readonly sum: number }

const identity: Identity = await Identity.generate({ type: 'ed25519' })
const conn: Connection<Reply, { add: number[] }> = await connect('127.0.0.1', 1, { identity, peer: 'SHA256:x' })
await conn.send({ add: [1, 2] })
for await (const { sum } of conn) console.log(sum.toFixed())
const outcome: Outcome = await conn.outcome
conn.on('error', error => console.log(error instanceof StalkError && error.code, outcome.kind))
encoder().pipe(decoder()).pipe(new PassThrough({ objectMode: true }))
stalk(net.connect(1), { identity, peer: identity }).pipe(new PassThrough({ objectMode: true }))
await once(conn, 'close')
const fault: Fault = (bytes, _at, wire) => wire.pass(bytes)
const two = await connectedPair<{ add: number[] }, Reply>({ there: { faults: [fault, cut(9, 'reset')], chunk: 1 } })
two.initiator.on('data', ({ sum }) => console.log(sum.toFixed()))
const back: Direction = two.back
stalk(pair({ back: fault }).ends[0], { role: 'initiator', peer: 'anyone' }).end(back.written)
`

const options = {
  strict: true,
  module: 'nodenext',
  target: 'es2023',
  lib: ['es2023', 'esnext.disposable'],
  types: ['node'],
  noEmit: true
}

/** What the compiler has to say about a program of a consumer. */
function compile(program: string, skipLibCheck: boolean): Run {
  writeFileSync(join(project, 'consumer.mts'), program)
  const config = { compilerOptions: { ...options, skipLibCheck }, files: ['consumer.mts'] }
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify(config))
  return execute([process.execPath, TSC, '-p', '.'], project)
}

for (const skipLibCheck of [true, false]) {
  t.test(`the types are right for a consumer with skipLibCheck ${skipLibCheck}`, needs, async t => {
    const { status, stdout } = compile(consumer, skipLibCheck)
    t.equal(stdout, '')
    t.equal(status, 0)
  })
}

t.test('stages are streams to the compiler, not any', needs, async t => {
  const program = `
import { encoder } from 'stalk'
// @ts-expect-error
encoder().nothing
`
  t.equal(compile(program, true).stdout, '')
})

t.test('a connection can be piped into, to the compiler too', needs, async t => {
  const program = `
import net from 'node:net'
import { PassThrough } from 'node:stream'
import stalk from 'stalk'
const app = new PassThrough({ objectMode: true })
const conn = stalk(net.connect(1), { peer: 'anyone' })
conn.pipe(app).pipe(conn).on('messageError', () => {})
const wrapped = stalk.wrap({ peer: 'anyone' })
net.connect(1).pipe(wrapped).pipe(app).pipe(wrapped.outbound)
`
  t.equal(compile(program, true).stdout, '')
})
