#!/usr/bin/env node
// `stalk COMMAND`: finds the command, hands it what the shell gave, and makes an exit code of how it went.
// Knows the names of the commands; what they do, they know.

import { readFileSync } from 'node:fs'
import { helpOf, overview, readArgs, type Synopsis, usage, usageLines } from './args.ts'
import type { Command } from './command.ts'
import { connectCommand } from './commands/connect.ts'
import { fingerprint } from './commands/fingerprint.ts'
import { inspectCommand } from './commands/inspect.ts'
import { keygen } from './commands/keygen.ts'
import { listen } from './commands/listen.ts'
import { peers } from './commands/peers.ts'
import { tunnel } from './commands/tunnel.ts'
import { CommandError, EXIT, exitOf, ReaderGone, Reported } from './exit.ts'
import { explain } from './explain.ts'
import { Shell } from './shell.ts'

const COMMANDS: readonly Command[] = [
  keygen,
  fingerprint,
  listen,
  connectCommand,
  tunnel,
  peers,
  inspectCommand
]

const ABOUT = 'stalk: encrypted and authenticated messages between two programs'

const NOTES = [
  'Your identity is a key pair, in $STALK_HOME or ~/.spack; its fingerprint (SHA256:…) is how others know you, as with SSH. Where a key file is encrypted, its passphrase is asked for, or taken from STALK_PASSPHRASE. To talk: `stalk keygen` at both ends, `stalk listen 0.0.0.0:4000` at one, and at the other `stalk connect HOST:4000`, which asks whether the fingerprint is the one that the first one shows.',
  'Colours are for terminals; NO_COLOR=1 turns them off.'
]

const HELP = new Set(['help', '--help', '-h'])

/** Resolves to the exit code. */
async function main([name, ...args]: readonly string[]): Promise<number> {
  const command = COMMANDS.find(command => command.name === name)
  const shell = new Shell(command ? `stalk ${command.name}` : 'stalk')
  try {
    await perform(name, command, args, shell)
    return EXIT.done
  } catch (error) {
    return report(error, command, shell)
  } finally {
    await shell.drained()
  }
}

async function perform(
  name: string | undefined,
  command: Command | undefined,
  args: readonly string[],
  shell: Shell
): Promise<void> {
  if (command) return run(command, args, shell)
  const [topic = ''] = args
  const asked = COMMANDS.find(command => command.name === topic)
  if (name !== undefined && HELP.has(name)) return show(asked ? helpOf(asked) : help(), shell)
  if (name === '--version') return show(version(), shell)
  if (name === undefined) throw usage('a command is needed')
  throw usage(`there is no command ${name}`)
}

async function run(command: Command, args: readonly string[], shell: Shell): Promise<void> {
  const given = readArgs(command, args)
  if (given.has('help')) return show(helpOf(command), shell)
  shell.voice.use({ json: given.has('json'), quiet: given.has('quiet') })
  const running = command.run(given, shell)
  await (command.mindsOutput ? running : Promise.race([running, shell.output.failed]))
}

function report(error: unknown, command: Synopsis | undefined, { voice }: Shell): number {
  const exit = exitOf(error)
  if (error instanceof ReaderGone || error instanceof Reported) return exit
  const { hints, ...rest } = explain(error)
  const misused = error instanceof CommandError && exit === EXIT.usage && hints.length === 0
  voice.complain('error', { ...rest, hints: misused ? wayOut(command) : hints }, { exit })
  return exit
}

const wayOut = (command: Synopsis | undefined): string[] =>
  command
    ? usageLines(command)
    : [`usage: stalk ${COMMANDS.map(({ name }) => name).join(' | ')}`, '`stalk --help` says more']

const help = (): string => overview(ABOUT, COMMANDS, NOTES)

/** package.json lies as far from here in lib as in dist. */
function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}

async function show(text: string, { output }: Shell): Promise<void> {
  await Promise.race([output.line(text), output.failed])
}

process.exit(await main(process.argv.slice(2)))
