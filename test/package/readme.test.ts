// Every js block of the README: complete programs run against the built package, in a folder and a home of their
// own; fragments parse, paragraph by paragraph.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { blocks, execute, isProgram, onFreePorts, projectWithStalk, run, temporary } from './project.ts'

/** What programs print, by something that stands in one of them only. */
const prints: Record<string, RegExp[]> = {
  'conn => conn.pipe(conn)': [
    /hello: 'world',\s+at: \d{4}-.*,\s+big: 1180591620717411303424n/,
    /kind: 'clean',/,
    /unsent: 0/
  ],
  "Identity.load('id_priv')": [/^SHA256:[\w+/]{43} 2048 true$/m],
  createGzip: [/^\{ hello: 'gzip' \}$/m],
  'add(3, 4)': [/^3 7$/m, /^closed$/m],
  'Readable.from(numbers())': [/^1000000 1000000$/m],
  connectPatiently: [/^ERR_STALK_CONNECT$/m],
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
