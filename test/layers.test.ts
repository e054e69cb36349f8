// The architecture, held: who may import whom. A file that is not named here may import nothing but what all may.

import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import t from 'tap'

const LIB = resolve(import.meta.dirname, '../lib')

const files = readdirSync(LIB, { recursive: true, encoding: 'utf8' })
  .filter(name => name.endsWith('.ts'))
  .sort()

interface Import {
  readonly from: string
  readonly typeOnly: boolean
}

function importsOf(file: string): Import[] {
  const text = readFileSync(join(LIB, file), 'utf8')
  const found = text.matchAll(/^(?:import|export)\s+(type\s)?[^;'"]*?from\s+'([^']+)'/gm)
  const later = text.matchAll(/()\bimport\('([^']+)'\)/g)
  return [...found, ...later].map(([, type, specifier = '']) => ({
    typeOnly: Boolean(type),
    from: specifier.startsWith('.') ? relative(LIB, resolve(LIB, dirname(file), specifier)) : specifier
  }))
}

const layerOf = (file: string): string => (file.includes('/') ? `${file.split('/')[0]}/` : file)

/** What all may import. */
const GROUND = ['errors.ts', 'bytes.ts', 'constants.ts']

/** Place → the places that it may import beside its own folder and the ground; `type` only their types. */
const ALLOWED: Record<string, string[]> = {
  'errors.ts': [],
  'constants.ts': [],
  'bytes.ts': [],
  'crypto/': [],
  'wire/': ['crypto/'],
  'handshake/': ['crypto/', 'wire/'],
  'schema.ts': [],
  'stages/': ['wire/', 'schema.ts'],
  'identity/': ['crypto/'],
  'trust/': ['identity/', 'crypto/', 'option-checks.ts'],
  'key-log.ts': ['type handshake/'],
  'inspection/': ['key-log.ts', 'option-checks.ts', 'identity/', 'handshake/', 'wire/', 'crypto/'],
  'shuttle.ts': [],
  'shown.ts': [],
  'security.ts': ['type crypto/', 'type handshake/', 'type identity/'],
  'option-checks.ts': [],
  'pipeline/': ['stages/', 'wire/', 'type handshake/', 'type crypto/', 'type schema.ts'],
  'connection/': [
    'pipeline/',
    'wire/',
    'option-checks.ts',
    'shown.ts',
    'type stages/',
    'type security.ts',
    'type handshake/',
    'type identity/'
  ],
  'resumption/': [
    'option-checks.ts',
    'crypto/',
    'handshake/',
    'type pipeline/',
    'type options.ts',
    'type wire/'
  ],
  'outbound.ts': ['type connection/'],
  'wrapped.ts': ['option-checks.ts', 'connection/', 'outbound.ts', 'shuttle.ts'],
  'options.ts': [
    'option-checks.ts',
    'crypto/',
    'identity/',
    'trust/',
    'resumption/',
    'type key-log.ts',
    'type handshake/',
    'type schema.ts',
    'type stages/',
    'type wire/'
  ],
  'stalk.ts': [
    'connection/',
    'wrapped.ts',
    'options.ts',
    'option-checks.ts',
    'key-log.ts',
    'security.ts',
    'handshake/',
    'crypto/',
    'identity/',
    'resumption/',
    'type schema.ts'
  ],
  'standalone.ts': ['stages/', 'wire/', 'crypto/', 'handshake/', 'option-checks.ts'],
  'listener.ts': ['option-checks.ts', 'shown.ts', 'type connection/'],
  'net.ts': [
    'stalk.ts',
    'listener.ts',
    'options.ts',
    'option-checks.ts',
    'identity/',
    'trust/',
    'resumption/',
    'type connection/',
    'type schema.ts'
  ],
  'testing/': ['index.ts', 'option-checks.ts'],
  'cli/': ['index.ts']
}

/** Package → the only places that may import it. */
const PACKAGES: Record<string, RegExp> = {
  'node-forge': /^identity\/pem\.ts$/,
  'bcrypt-pbkdf': /^identity\/bcrypt\.ts$/,
  through2: /^stages\/paced\.ts$/,
  'readable-stream': /^stages\/paced\.ts$/,
  msgpackr: /^wire\/packer\.ts$/
}

const packageOf = (specifier: string): string => specifier.split('/')[0] ?? specifier

t.test('every file imports only what its place may know', async t => {
  const wrong = files
    .filter(file => file !== 'index.ts')
    .flatMap(file => {
      const allowed = [...GROUND, layerOf(file), ...(ALLOWED[layerOf(file)] ?? [])]
      return importsOf(file)
        .filter(({ from }) => from.endsWith('.ts'))
        .filter(({ from, typeOnly }) => {
          const place = layerOf(from)
          return !allowed.includes(place) && !(typeOnly && allowed.includes(`type ${place}`))
        })
        .map(({ from }) => `${file} imports ${from}`)
    })
  t.same(wrong, [])
})

t.test('every file has a place in the architecture', async t => {
  const homeless = files.filter(file => file !== 'index.ts' && ALLOWED[layerOf(file)] === undefined)
  t.same(homeless, [])
})

t.test('the ground imports nothing above it', async t => {
  const above = GROUND.flatMap(file => importsOf(file).map(({ from }) => from)).filter(
    from => !GROUND.includes(from)
  )
  t.same(above, [])
})

t.test('packages are imported where they belong, and node: otherwise', async t => {
  const wrong = files.flatMap(file =>
    importsOf(file)
      .filter(({ from }) => !from.endsWith('.ts') && !from.startsWith('node:'))
      .filter(({ from }) => !PACKAGES[packageOf(from)]?.test(file))
      .map(({ from }) => `${file} imports ${from}`)
  )
  t.same(wrong, [])
})

const SHARED = new Set(['stages/paced.ts', 'stages/pace.ts', 'stages/join.ts'])

t.test('no stage knows another, only what all stages share', async t => {
  const wrong = files
    .filter(file => file.startsWith('stages/'))
    .flatMap(file => importsOf(file).map(({ from }) => [file, from] as const))
    .filter(([, from]) => from.startsWith('stages/') && !SHARED.has(from))
  t.same(wrong, [])
})

t.test('no import goes round in a circle', async t => {
  const circles: string[] = []
  const done = new Set<string>()
  const visit = (file: string, path: string[]): void => {
    if (path.includes(file)) return void circles.push([...path, file].join(' → '))
    if (done.has(file)) return
    for (const { from, typeOnly } of importsOf(file))
      if (from.endsWith('.ts') && !typeOnly) visit(from, [...path, file])
    done.add(file)
  }
  for (const file of files) visit(file, [])
  t.same(circles, [])
})

t.test('the environment is read by the command line alone', async t => {
  const wrong = files.filter(
    file => !file.startsWith('cli/') && /process\.env/.test(readFileSync(join(LIB, file), 'utf8'))
  )
  t.same(wrong, [])
})

t.test('no file has outgrown its name', async t => {
  const long = files.filter(file => readFileSync(join(LIB, file), 'utf8').split('\n').length > 480)
  t.same(long, [])
})
