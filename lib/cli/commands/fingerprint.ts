// `stalk fingerprint`: what others know a key by. Knows files and how a fingerprint is shown.

import { join } from 'node:path'
import { Identity } from '../../index.ts'
import type { Args } from '../args.ts'
import type { Command } from '../command.ts'
import { exitOf, Reported } from '../exit.ts'
import { explain } from '../explain.ts'
import { home, listed, requireDefault } from '../keys.ts'
import type { Shell } from '../shell.ts'
import { harmless } from '../terminal.ts'

export const fingerprint: Command = {
  name: 'fingerprint',
  summary: 'show the fingerprints of key files, or of your identity',
  usage: ['fingerprint [FILE…]'],
  about: [
    'One line a key, as `ssh-keygen -l` prints it: bits, fingerprint, file, kind of key. Without a file it is the default identity, in $STALK_HOME or ~/.spack.'
  ],
  options: [],
  run: showFingerprints
}

async function showFingerprints(args: Args, shell: Shell): Promise<void> {
  if (args.positionals.length === 0) {
    return show(await requireDefault(), join(home(), 'id_pub'), args, shell)
  }
  let exit = 0
  for (const file of args.positionals) {
    try {
      await show(await Identity.load(file), file, args, shell)
    } catch (error) {
      exit = exitOf(error)
      shell.voice.complain('error', explain(error), { exit, file })
    }
  }
  if (exit > 0) throw new Reported(exit)
}

async function show(identity: Identity, file: string, args: Args, shell: Shell): Promise<void> {
  const { type, keysize: bits, fingerprint, privkey } = identity
  const line = args.has('json')
    ? JSON.stringify({ file, type, bits, fingerprint, private: privkey !== null })
    : harmless(listed(identity, file))
  await shell.output.line(line)
}
