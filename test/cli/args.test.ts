// The command line read, and how it is explained: options, addresses, who we are.

import t from 'tap'
import { addressOf, asReached, textOf } from '../../lib/cli/address.ts'
import { helpOf, overview, readArgs, type Synopsis, usageLines } from '../../lib/cli/args.ts'
import { connectCommand } from '../../lib/cli/commands/connect.ts'
import { fingerprint } from '../../lib/cli/commands/fingerprint.ts'
import { keygen } from '../../lib/cli/commands/keygen.ts'
import { listen } from '../../lib/cli/commands/listen.ts'
import { peers } from '../../lib/cli/commands/peers.ts'
import { namedIdentity } from '../../lib/cli/keys.ts'
import type { Address } from '../../lib/index.ts'

const COMMANDS: readonly Synopsis[] = [keygen, fingerprint, listen, connectCommand, peers]

const problem = (command: Synopsis, ...args: string[]): string => {
  try {
    readArgs(command, args)
    return 'none'
  } catch (error) {
    t.match(error, { exit: 2 })
    return (error as Error).message
  }
}

t.test('every help fits a terminal of 80 columns and names every option', async t => {
  for (const command of COMMANDS) {
    const help = helpOf(command)
    for (const line of help.split('\n')) t.ok(line.length <= 80, line)
    for (const { name } of command.options) t.match(help, `--${name}`)
    for (const name of ['--json', '--quiet', '--help']) t.match(help, name)
    for (const line of usageLines(command)) t.ok(line.length <= 78, line)
  }
  for (const line of overview('about', COMMANDS, ['note']).split('\n')) t.ok(line.length <= 80, line)
})

t.test('options are read by name and by letter, in any place, and -- ends them', async t => {
  const args = readArgs(connectCommand, ['--peer', 'a', '4000', '-q', '--peer=b', '--', '-x'])
  t.same(args.positionals, ['4000', '-x'])
  t.same(args.list('peer'), ['a', 'b'])
  t.equal(args.has('quiet'), true)
  t.equal(args.has('anyone'), false)
  t.equal(args.text('app'), undefined)
  t.same(args.list('suite'), [])
})

t.test('what is wrong is said in one short sentence', async t => {
  t.equal(problem(connectCommand, '--pear', 'x'), 'there is no option --pear')
  t.equal(problem(connectCommand, '-z'), 'there is no option -z')
  t.equal(problem(connectCommand, '--peer'), '--peer takes a value')
  t.equal(
    problem(keygen, '--type', '--bits'),
    '--type takes a value; one that begins with - stands behind =, as in --type=-1'
  )
  t.equal(problem(keygen, '-t', '-b'), '-t takes a value')
  t.equal(problem(listen, '--once=yes'), '--once takes no value')
})

t.test('a count is a whole number within its limits', async t => {
  const count = (text: string): number | undefined =>
    readArgs(connectCommand, [`--wait=${text}`]).count('wait', 100)
  t.equal(count('7'), 7)
  for (const text of ['0', '-1', '1.5', '101', 'x', '', '1e1']) {
    t.throws(() => count(text), { exit: 2, message: /^--wait takes a whole number from 1 to 100, not / })
  }
})

t.test('an address is a port of this machine, a host and a port, or a path', async t => {
  const address = (...args: string[]): Address => addressOf(readArgs(listen, args), 0)
  t.same(address('4000'), { host: '127.0.0.1', port: 4000 })
  t.same(address(':4000'), { host: '127.0.0.1', port: 4000 })
  t.same(address('0.0.0.0:0'), { host: '0.0.0.0', port: 0 })
  t.same(address('example.org:65535'), { host: 'example.org', port: 65535 })
  t.same(address('[::1]:4000'), { host: '::1', port: 4000 })
  t.same(address('--path', '/run/s'), { path: '/run/s' })
  for (const text of ['[::1]:4000', 'example.org:1', '127.0.0.1:4000']) t.equal(textOf(address(text)), text)
  t.equal(textOf(address('--path', '/run/s')), '/run/s')
})

t.test('others reach what listens on every address by one that they know', async t => {
  t.equal(asReached('0.0.0.0:4000'), 'HOST:4000')
  t.equal(asReached('[::]:4000'), 'HOST:4000')
  for (const place of ['10.0.0.0:4000', '[::1]:4000', './0.0.0.0:4000']) t.equal(asReached(place), place)
})

t.test('what is no address is refused with the reason', async t => {
  const cases: [string[], RegExp][] = [
    [[], /^a \[HOST:\]PORT or --path SOCKET is needed$/],
    [['1', '2'], /^one \[HOST:\]PORT, not also 2$/],
    [['1', '--path', 'x'], /^either 1 or --path x, not both$/],
    [['--path', ''], /^--path takes the path of a Unix socket$/],
    [['http'], /^http is no \[HOST:\]PORT: a port is a number from 1 to 65535$/],
    [['65536'], /^65536 is no \[HOST:\]PORT/],
    [['0'], /a port is a number from 1 to/],
    [['host:'], /a port is a number/],
    [['[]:4000'], /^\[\]:4000 is no .* an IPv6 address stands in brackets/],
    [['::1:4000'], /^::1:4000 is no .* an IPv6 address stands in brackets, as in \[::1\]:4000$/]
  ]
  for (const [args, message] of cases) {
    t.throws(() => addressOf(readArgs(listen, args), 1), { exit: 2, message })
  }
})

t.test('--identity and --anonymous exclude each other', async t => {
  const named = (...args: string[]): ReturnType<typeof namedIdentity> => namedIdentity(readArgs(listen, args))
  t.equal(await named(), undefined)
  t.equal(await named('--anonymous'), null)
  await t.rejects(named('--anonymous', '--identity', 'x'), {
    exit: 2,
    message: 'either --identity or --anonymous, not both'
  })
})
