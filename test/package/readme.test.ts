// Every js block of the README: complete programs run against the built package, in a folder and a home of their
// own; fragments parse, paragraph by paragraph.

import { EventEmitter } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Duplex } from 'node:stream'
import t from 'tap'
import { ALERT } from '../../lib/errors.ts'
import * as publicNames from '../../lib/index.ts'
import { OPTION_NAMES } from '../../lib/options.ts'
import * as testingNames from '../../lib/testing/index.ts'
import {
  blocks,
  execute,
  isProgram,
  onFreePorts,
  projectWithStalk,
  README,
  ROOT,
  run,
  temporary
} from './project.ts'

const { Connection, ERRORS, Identity, Listener, Wrapped } = publicNames

/** What programs print, by something that stands in one of them only. */
const prints: Record<string, RegExp[]> = {
  'conn => conn.pipe(conn)': [
    /hello: 'world',\s+at: \d{4}-.*,\s+big: 1180591620717411303424n/,
    /kind: 'clean',/,
    /unsent: 0/
  ],
  'console.log(message, conn.peerIdentity.equals(server))': [/^it is me true\nERR_STALK_PEER_MISMATCH$/m],
  "knownPeers('known_peers', 'ask'": [
    /^is SHA256:\S{43} the key of 127\.0\.0\.1:\d+\?\ntrue\ntrue\n\[127\.0\.0\.1\]:\d+ ssh-ed25519 AAAA\S+$/m
  ],
  "Succession.load('id.succession')": [/^the printer$/m],
  "authorizedPeers('authorized_peers')": [
    /^hello ann$/m,
    /^ERR_STALK_UNAUTHORIZED$/m,
    /^ERR_STALK_REJECTED$/m
  ],
  'employees.get(': [/^hello ed25519\nERR_STALK_REJECTED$/m],
  "Identity.load('id_priv')": [/^SHA256:[\w+/]{43} 2048 true$/m],
  "format: 'openssh'": [/^true me ssh-ed25519 AAAA\S+ me$/m, /^ERR_STALK_PASSPHRASE_WRONG$/m],
  "hello: 'duplex'": [/^\{ got: \{ hello: 'duplex' \} \}$/m],
  'stalk.wrap({ identity })': [/^\{ n: 12, square: 144 \}$/m, /^clean$/m],
  'cluster.fork': [/^worker 1\nworker 2$|^worker 2\nworker 1$/m],
  createGzip: [/^\{ hello: 'gzip' \}$/m],
  'add(3, 4)': [/^3 7$/m, /^closed$/m],
  'Readable.from(numbers())': [/^1000000 1000000$/m],
  'tickets: true': [/^false true\ntrue true\ntrue true$/m],
  connectPatiently: [/^ERR_STALK_CONNECT$/m],
  "connection:secure', 'handshake:failed'": [
    /^connection:secure \{\n {2}id: '(\w{8})',\n {2}role: 'initiator'/m,
    /^rekey \{ id: '\w{8}', role: 'initiator', direction: 'outbound', epoch: 1 \}$/m,
    /^connection:closed \{\n {2}id: '\w{8}',\n {2}role: 'initiator',\n {2}kind: 'clean',[^}]* sent: 1,/m
  ],
  'appendFileSync(': [/^ERR_STALK_CONNECT$/m],
  connectedPair: [/^ERR_STALK_RESET\nreset true$/m],
  shutDown: [/^all have ended$/m]
}

const all = blocks()
const programs = all.filter(isProgram)
const project = projectWithStalk()

const expectedOf = (code: string): RegExp[] =>
  Object.entries(prints).flatMap(([marker, expected]) => (code.includes(marker) ? expected : []))

for (const { line, code } of programs) {
  t.test(`the program in line ${line} runs and prints what it says`, async t => {
    const { status, stdout, stderr } = run(project, 'program.mjs', await onFreePorts(code))
    t.equal(stderr, '')
    t.equal(status, 0)
    for (const expected of expectedOf(code)) t.match(stdout, expected)
  })
}

t.test('the programs of which we know what they print are there', async t => {
  for (const marker of Object.keys(prints)) {
    t.equal(programs.filter(({ code }) => code.includes(marker)).length, 1, marker)
  }
})

// --- the tables ------------------------------------------------------------------------------------------

/** The rows of all tables, by what stands in their first cell. */
const rows = new Map(
  [...README.matchAll(/^\| (.+?) \|(.*)\|$/gm)].map(([, first = '', rest = '']) => [first, rest] as const)
)
const said = (name: string): boolean => new RegExp(`\\b${name}\\b`).test(README)
const firstCells = [...rows.keys()].join(' ')

const ALERT_TEXT = Object.fromEntries(
  Object.entries(ALERT).map(([, code]) => [code, new RegExp(`\\(${code}\\)`)])
)

t.test('every code has its row, with who is at fault and what the peer is told', async t => {
  for (const [code, { fault, alert }] of Object.entries(ERRORS)) {
    const row = rows.get(`\`${code}\``)
    t.match(row, new RegExp(`^ ${fault} \\|`), code)
    if (alert !== null) t.match(row, ALERT_TEXT[alert], code)
    else t.notMatch(row, /\(\d+\)/, code)
  }
})

/** What is not for users, or is every stream's. */
const INNER = new Set([
  ...['constructor', 'iterator', 'read', 'listen', 'fail', 'raw', 'toJSON', 'writableNeedDrain'],
  ...['failure', 'loops', 'unread', 'session', 'whenSecure', 'secured', 'introduce', 'keepTicket']
])

/** The names of a class of ours, and of those of ours that it is made of. */
function ownNames(prototype: object): string[] {
  if ([Duplex.prototype, EventEmitter.prototype, Object.prototype].includes(prototype as never)) return []
  return [...Object.getOwnPropertyNames(prototype), ...ownNames(Object.getPrototypeOf(prototype))]
}

t.test(
  'every option, and every name of a connection, a listener, an identity and wrap has its row',
  async t => {
    for (const name of [...OPTION_NAMES, 'maxHalfOpen', 'maxHalfOpenPerAddress']) t.match(firstCells, name)
    for (const { prototype } of [Connection, Listener, Identity, Wrapped]) {
      for (const name of ownNames(prototype)) {
        if (!INNER.has(name) && !name.startsWith('_')) t.ok(said(name), name)
      }
    }
    for (const name of Object.keys({ ...publicNames, ...testingNames })) t.ok(said(name), name)
  }
)

/** A test that is named in a table: its file, and parts of titles in it. */
const NAMED = /`(test\/\S+?\.test\.ts)`((?:,? “[^”]+”)*)/g

t.test('every attack has its tests, or says that nothing stops it', async t => {
  const attacks = [...rows].filter(([, rest]) => /“|\*\*nothing\*\* \|/.test(rest))
  t.ok(attacks.length > 20)
  for (const [attack, rest] of attacks) {
    const named = [...rest.matchAll(NAMED)]
    t.ok(named.length > 0 || rest.includes('**nothing**'), attack)
    const quoted = named.map(([text]) => text).join()
    t.equal(quoted.split('“').length, rest.split('“').length, `${attack}: every title is behind a file`)
    for (const [, file = '', titles = ''] of named) {
      const path = join(ROOT, file)
      const text = existsSync(path) ? readFileSync(path, 'utf8') : ''
      t.not(text, '', file)
      for (const [, title = ''] of titles.matchAll(/“([^”]+)”/g))
        t.ok(text.includes(title), `${file}: ${title}`)
    }
  }
})

/** A fragment may say the same name twice, in two paragraphs, and leave things out. */
const paragraphs = (code: string): string[] => code.replaceAll('…', '').split(/\n\n+/)

const folder = temporary('fragments')

for (const block of all.filter(block => !isProgram(block))) {
  t.test(`the fragment in line ${block.line} parses`, async t => {
    for (const paragraph of paragraphs(block.code)) {
      const file = join(folder, 'fragment.mjs')
      writeFileSync(file, paragraph)
      const { stderr } = execute([process.execPath, '--check', file], folder)
      t.equal(stderr, '', paragraph)
    }
  })
}
