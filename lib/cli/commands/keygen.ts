// `stalk keygen`: makes an identity. Knows the two files and what is said of them.

import { join } from 'node:path'
import { Identity } from '../../index.ts'
import { type Args, usage } from '../args.ts'
import type { Command } from '../command.ts'
import { home } from '../keys.ts'
import { chosen } from '../passphrase.ts'
import type { Shell } from '../shell.ts'

type SaveFiles = Parameters<Identity['save']>[0]
type GenerateOptions = NonNullable<Parameters<typeof Identity.generate>[0]>

export const keygen: Command = {
  name: 'keygen',
  summary: 'make an identity: a key pair in two files',
  usage: ['keygen [--type rsa|ed25519] [--bits N] [--passphrase] [--out DIR]'],
  about: [
    'Makes id_priv, which is secret, and id_pub in DIR, and prints the fingerprint, by which others know you. Never overwrites a file.',
    'With --passphrase the private key is encrypted; the passphrase is typed twice, or taken from STALK_PASSPHRASE in the environment. It is never an argument, which others can see.'
  ],
  options: [
    { name: 'type', short: 't', value: 'TYPE', text: 'rsa or ed25519; default: rsa' },
    { name: 'bits', short: 'b', value: 'N', text: 'of an RSA key: 2048, 3072 or 4096; default: 2048' },
    { name: 'passphrase', short: 'p', text: 'encrypt the private key, and ask with what' },
    { name: 'format', value: 'FORM', text: 'pkcs8 (PEM) or openssh; default: pkcs8' },
    { name: 'comment', short: 'C', value: 'TEXT', text: 'what you call the key, with --format openssh' },
    { name: 'out', short: 'o', value: 'DIR', text: 'the folder; default: $STALK_HOME or ~/.spack' }
  ],
  run: makeIdentity
}

async function makeIdentity(args: Args, shell: Shell): Promise<void> {
  if (args.positionals.length > 0) {
    const asked = args.has('passphrase') ? '--passphrase asks for it, ' : ''
    throw usage(`takes no arguments; ${asked}--out DIR names the folder`)
  }
  const folder = args.text('out') || home()
  const files = { privateFile: join(folder, 'id_priv'), publicFile: join(folder, 'id_pub') }
  const options = optionsOf(args)
  const form = formOf(args)
  const identity = await Identity.generate(options)
  await identity.save({
    ...files,
    ...form,
    ...(args.has('passphrase') && { passphrase: file => chosen(file) })
  })
  const { type, keysize: bits, fingerprint } = identity
  if (args.has('json')) {
    await shell.output.line(JSON.stringify({ type, bits, fingerprint, ...files }))
    return
  }
  await shell.output.line(fingerprint)
  await shell.output.line(`  private key: ${files.privateFile}`)
  await shell.output.line(`  public key:  ${files.publicFile}`)
}

function optionsOf(args: Args): GenerateOptions {
  const type = args.text('type') ?? 'rsa'
  if (type !== 'rsa' && type !== 'ed25519') throw usage(`--type is rsa or ed25519, not ${type}`)
  const bits = args.count('bits', 4096)
  if (bits === undefined) return { type }
  if (type === 'ed25519') throw usage('--bits is for RSA keys; every Ed25519 key has 256')
  if (bits === 2048 || bits === 3072 || bits === 4096) return { type, bits }
  throw usage(`--bits is 2048, 3072 or 4096, not ${bits}`)
}

function formOf(args: Args): Pick<SaveFiles, 'format' | 'comment'> {
  const format = args.text('format') ?? 'pkcs8'
  if (format !== 'pkcs8' && format !== 'openssh') throw usage(`--format is pkcs8 or openssh, not ${format}`)
  const comment = args.text('comment')
  if (comment === undefined) return { format }
  if (format === 'openssh') return { format, comment }
  throw usage('--comment is for --format openssh; PEM has no place for one')
}
