// `stalk fingerprint`: what others know a key by. Knows files and how a fingerprint is shown.

import { join } from 'node:path'
import { Identity, StalkError } from '../../index.ts'
import type { Args } from '../args.ts'
import type { Command } from '../command.ts'
import { exitOf, Reported } from '../exit.ts'
import { explain } from '../explain.ts'
import { home, listed, requireDefault } from '../keys.ts'
import { unlocked } from '../passphrase.ts'
import type { Shell } from '../shell.ts'
import { harmless } from '../terminal.ts'

export const fingerprint: Command = {
  name: 'fingerprint',
  summary: 'show the fingerprints of key files, or of your identity',
  usage: ['fingerprint [FILE…]'],
  about: [
    'One line a key, as `ssh-keygen -l` prints it: bits, fingerprint, comment or file, kind of key. Files are PEM or of OpenSSH, public or private; an encrypted one of OpenSSH needs no passphrase. Without a file it is the default identity, in $STALK_HOME or ~/.spack.'
  ],
  options: [],
  run: showFingerprints
}

async function showFingerprints(args: Args, shell: Shell): Promise<void> {
  if (args.positionals.length === 0) {
    const identity = await requireDefault()
    return show({ identity, private: true }, join(home(), 'id_pub'), args, shell)
  }
  let exit = 0
  for (const file of args.positionals) {
    try {
      await show(await look(file), file, args, shell)
    } catch (error) {
      exit = exitOf(error)
      shell.voice.complain('error', explain(error), { exit, file })
    }
  }
  if (exit > 0) throw new Reported(exit)
}

interface Shown {
  readonly identity: Identity
  readonly private: boolean
}

/** An encrypted key shows its public half if it can, and only else is its passphrase asked for. */
async function look(file: string): Promise<Shown> {
  try {
    const identity = await Identity.load(file)
    return { identity, private: identity.privkey !== null }
  } catch (error) {
    if (!(error instanceof StalkError) || error.code !== 'ERR_STALK_PASSPHRASE_REQUIRED') throw error
    return { identity: await unlocked(options => Identity.loadPublic(file, options)), private: true }
  }
}

async function show(shown: Shown, file: string, args: Args, shell: Shell): Promise<void> {
  const { type, keysize: bits, fingerprint, comment } = shown.identity
  const line = args.has('json')
    ? JSON.stringify({ file, type, bits, fingerprint, ...(comment && { comment }), private: shown.private })
    : harmless(listed(shown.identity, file))
  await shell.output.line(line)
}
