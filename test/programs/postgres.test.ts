// A real PostgreSQL behind a tunnel, reached by psql and pgbench: on its Unix socket at the far end, on a Unix socket too at
// the near one, since that is where PostgreSQL's programs look.

import { join } from 'node:path'
import t from 'tap'
import { makeHome } from '../cli/tools.ts'
import { startTunnel } from '../cli/tunnel/tools.ts'
import { find, folder, freePort, run, runUnprivileged, serve } from './tools.ts'

const programs = find('initdb', 'postgres', 'psql', 'pgbench')
if (typeof programs === 'string') t.plan(0, programs)
else {
  const dir = t.testdir()
  const keys = { near: await makeHome(dir, 'near'), far: await makeHome(dir, 'far') }
  const port = await freePort()
  const [base, nearFolder] = [folder(t), folder(t)]
  const data = join(base, 'data')
  const made = await runUnprivileged(programs.initdb, [
    '-D',
    data,
    '-U',
    'tester',
    '-A',
    'trust',
    '--no-sync'
  ])
  if (made.code !== 0) throw new Error(made.stderr)
  const settings = ['-c', 'fsync=off', '-c', 'listen_addresses=127.0.0.1', '-c', 'log_min_messages=fatal']
  await serve(t, programs.postgres, ['-D', data, '-p', `${port}`, '-k', base, ...settings], port)
  const nearPath = join(nearFolder, '.s.PGSQL.5432')
  const { near, far } = await startTunnel(t, keys, join(base, `.s.PGSQL.${port}`), { nearPath })
  const client = ['-h', nearFolder, '-p', '5432', '-U', 'tester']

  t.test('psql asks, and gets all of a large answer', async t => {
    const query = "select n, repeat('x', 100) from generate_series(1, 100000) n"
    const { code, stdout, stderr } = await run(programs.psql, [...client, '-XAt', '-c', query, 'postgres'])
    t.equal(code, 0, stderr)
    const rows = stdout.trimEnd().split('\n')
    t.equal(rows.length, 100_000)
    t.equal(rows.at(-1), `100000|${'x'.repeat(100)}`)
  })

  t.test('an error of the database is one of psql, and the connection lives on', async t => {
    const commands = ['-c', 'select 1/0', '-c', "select 'still here'"]
    const { code, stdout, stderr } = await run(programs.psql, [...client, '-XAt', ...commands, 'postgres'])
    t.equal(code, 0)
    t.match(stderr, /division by zero/)
    t.equal(stdout, 'still here\n')
  })

  t.test('pgbench fills its tables and runs its transactions over 10 connections', async t => {
    const filled = await run(programs.pgbench, [...client, '-i', '-q', '-s', '1', 'postgres'])
    t.equal(filled.code, 0, filled.stderr)
    const bench = ['-c', '10', '-j', '2', '-t', '100', '-M', 'prepared']
    const { code, stdout, stderr } = await run(programs.pgbench, [...client, ...bench, 'postgres'])
    t.equal(code, 0, stderr)
    t.match(stdout, /number of transactions actually processed: 1000\/1000/)
    t.match(stdout, /number of failed transactions: 0 /)
  })

  t.test('one connection for each transaction is carried too', async t => {
    const bench = ['-S', '-C', '-c', '4', '-t', '25']
    const { code, stdout, stderr } = await run(programs.pgbench, [...client, ...bench, 'postgres'])
    t.equal(code, 0, stderr)
    t.match(stdout, /number of transactions actually processed: 100\/100/)
    for (const end of [near, far]) t.notMatch(end.stderr, /ERR_STALK|refused|turned away/)
  })
}
