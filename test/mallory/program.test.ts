// Mallory and its targets as programs: another process behind a command, and one fault from the command line.

import { once } from 'node:events'
import net from 'node:net'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { runFile } from '../helpers/child.ts'
import { faultNamed } from './catalogue.ts'
import { run } from './runner.ts'
import { commandTarget } from './targets.ts'

const file = (name: string): string => fileURLToPath(new URL(name, import.meta.url))
const command = `${process.execPath} --import=tsx ${file('echo.ts')} {role} {host} {port}`

t.test('another process behind a command is judged by the wire alone', async t => {
  const target = commandTarget(`${command} {settings}`)
  for (const name of [
    'control-honest',
    'finished-flip',
    'unpinned-key',
    'control-answer-messages',
    'control-resumed-twice'
  ]) {
    for (const role of ['initiator', 'responder'] as const) {
      const { complaints, seen } = await run(faultNamed(name), role, target)
      t.same(complaints, [], `${name}, ${role}: ${seen}`)
    }
  }
  t.notOk(commandTarget(command).takes('maxMessage'), 'without {settings} it takes none')
})

const againstPort = (port: number) =>
  runFile(file('main.ts'), ['--fault', 'm1-magic', '--connect', `127.0.0.1:${port}`])

t.test('the program does one fault and exits with what came of it', async t => {
  const server = net.createServer({ allowHalfOpen: true }, socket => socket.resume().end())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const met = await againstPort((server.address() as net.AddressInfo).port)
  server.close()
  t.match(met, {
    code: 0,
    out: /m1-magic: Mallory .+\nexpected: alert none; seen: alert none\n$/s,
    err: ''
  })
})

t.test('the program says that nobody is there', async t => {
  const nobody = 1
  t.match(await againstPort(nobody), { code: 2, err: 'nobody listens at 127.0.0.1:1\n' })
})
