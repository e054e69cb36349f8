// The target addresses: the command line's options and where it says to connect or to listen.

import { addressOf, textOf } from '../../../lib/cli/address.ts'
import { type Args, readArgs } from '../../../lib/cli/args.ts'
import { connectCommand } from '../../../lib/cli/commands/connect.ts'
import { listen } from '../../../lib/cli/commands/listen.ts'
import { CommandError, EXIT } from '../../../lib/cli/exit.ts'
import type { Address } from '../../../lib/index.ts'
import { described, magnitude, require, type Target, texts, Violation } from '../target.ts'

export type ReadAddress = (args: Args, least: 0 | 1) => Address

/** Null where it is a mistake of usage. */
function used<T>(call: () => T): T | null {
  try {
    return call()
  } catch (error) {
    if (error instanceof CommandError && error.exit === EXIT.usage) return null
    throw new Violation(`threw ${described(error)}`, { cause: error })
  }
}

function requireAddress({ host, port, path }: Address, least: number): string {
  if (path !== undefined) {
    require(path !== '' &&
      host === undefined &&
      port === undefined, 'an address that is a path and something else')
    return 'a path'
  }
  const whole = Number.isInteger(port) && (port ?? -1) >= least && (port ?? -1) <= 65_535
  require(whole, 'a port out of range')
  require(host !== undefined && host !== '', 'a host without a name: it would be every interface')
  return host.includes(':') ? 'IPv6' : 'a host'
}

const MAX_WAIT = 2_000_000

function requireCount(count: number | null | undefined): void {
  const whole = typeof count === 'number' && Number.isInteger(count) && count >= 1 && count <= MAX_WAIT
  require(count === null || whole, 'a count that is no whole number in its range')
}

/** `u8 command ‖ words`, divided by line feeds. */
export const addresses = (read: ReadAddress = addressOf): Target => ({
  name: 'addresses',
  properties: [
    'nothing but a CommandError with the exit code of usage is thrown',
    'a count that is accepted is a whole number in its range',
    'an address that is accepted is a path, or a host with a name and a port in range',
    'it is shown as a text that is accepted and means the same'
  ],
  maxBytes: 256,
  dictionary: texts(
    '[::1]:4000',
    ':',
    '4000',
    'localhost:',
    '127.0.0.1:1',
    '--path',
    '--path=',
    '--',
    '\n',
    '[',
    ']',
    '65535',
    '65536',
    '0',
    '-q',
    '--json',
    '--peer',
    '--wait=3',
    '--wait',
    '+1',
    '-1',
    ' '
  ),
  seeds: () =>
    texts(
      '\0localhost:4000',
      '\0[::1]:4000',
      '\x01:0',
      '\x014000',
      '\0--path\n/tmp/socket',
      '\0--peer\nanyone\n--json\n80',
      '\x01--once\n-q\n1',
      '\0--wait=3\n4000'
    ),
  run(input) {
    const listening = (input[0] ?? 0) % 2 === 1
    const least = listening ? 0 : 1
    const command = listening ? listen : connectCommand
    const words = input.subarray(1).toString().split('\n')
    const args = used(() => readArgs(command, words))
    if (args === null) return `refused words ${magnitude(words.length)}`
    if (args.has('wait')) requireCount(used(() => args.count('wait', MAX_WAIT)))
    const address = used(() => read(args, least))
    if (address === null) return `refused address ${args.positionals.length}`
    const kind = requireAddress(address, least)
    if (address.path === undefined) {
      const again = used(() => read(readArgs(command, ['--', textOf(address)]), least))
      require(again !== null &&
        again.host === address.host &&
        again.port === address.port, 'the text of an address means another')
    }
    return `accepted ${kind} ${magnitude(words.length)}`
  }
})
