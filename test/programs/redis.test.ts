// A real redis behind a tunnel, with redis's own programs in front: many connections, pipelines and large values.

import { createHash, randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { makeHome } from '../cli/tools.ts'
import { startTunnel } from '../cli/tunnel/tools.ts'
import { find, folder, freePort, run, serve } from './tools.ts'

const programs = find('redis-server', 'redis-cli', 'redis-benchmark')
if (typeof programs === 'string') t.plan(0, programs)
else {
  const dir = t.testdir()
  const keys = { near: await makeHome(dir, 'near'), far: await makeHome(dir, 'far') }
  const port = await freePort()
  const data = folder(t)
  const args = [
    '--port',
    `${port}`,
    '--bind',
    '127.0.0.1',
    '--save',
    '',
    '--dir',
    data,
    '--loglevel',
    'warning'
  ]
  await serve(t, programs['redis-server'], args, port)
  const { near, far, place } = await startTunnel(t, keys, port)
  const client = ['-h', '127.0.0.1', '-p', String(place)]

  t.test('redis-benchmark does its work over 50 connections, one by one and in pipelines', async t => {
    for (const more of [[], ['-P', '16']]) {
      const tests = [
        '-t',
        'ping_inline,set,get,lpush,lrange_100',
        '-n',
        '2000',
        '-c',
        '50',
        '-d',
        '200',
        '--csv'
      ]
      const { code, stdout, stderr } = await run(programs['redis-benchmark'], [...client, ...tests, ...more])
      t.equal(code, 0, stderr)
      for (const name of ['PING_INLINE', 'SET', 'GET', 'LPUSH', 'LRANGE_100']) {
        t.match(stdout, new RegExp(`^"${name}.*","[\\d.]+"`, 'm'))
      }
    }
  })

  t.test('a value of 20 MB comes back as it was', async t => {
    const bytes = Buffer.from(randomBytes(10_000_000).toString('hex'))
    const file = join(folder(t), 'value')
    writeFileSync(file, bytes)
    const set = await run('/bin/sh', [
      '-c',
      `'${programs['redis-cli']}' ${client.join(' ')} -x set big < '${file}'`
    ])
    t.equal(set.stdout, 'OK\n')
    const got = await run(programs['redis-cli'], [...client, 'get', 'big'])
    const digest = (text: Buffer): string => createHash('sha256').update(text).digest('hex')
    t.equal(digest(Buffer.from(got.stdout.trimEnd())), digest(bytes))
  })

  t.test('nothing of it broke, and both ends go down when asked', async t => {
    for (const end of [near, far]) {
      end.child.kill('SIGTERM')
      t.equal(await end.exit, 0)
      t.notMatch(end.stderr, /ERR_STALK|refused|turned away/)
    }
  })
}
