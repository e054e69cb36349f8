// `stalk keygen`: makes an identity. Knows the two files and what is said of them.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Identity, Succession } from '../../index.ts'
import { type Args, usage } from '../args.ts'
import type { Command } from '../command.ts'
import { CommandError, EXIT } from '../exit.ts'
import { home } from '../keys.ts'
import { chosen, unlocked } from '../passphrase.ts'
import type { Shell } from '../shell.ts'

type SaveFiles = Parameters<Identity['save']>[0]
type GenerateOptions = NonNullable<Parameters<typeof Identity.generate>[0]>

export const keygen: Command = {
  name: 'keygen',
  summary: 'make an identity: a key pair in two files',
  usage: [
    'keygen [--type rsa|ed25519] [--bits N] [--passphrase] [--out DIR]',
    'keygen --succeed OLD --out DIR [OPTIONS]'
  ],
  about: [
    'Makes id_priv, which is secret, and id_pub in DIR, and prints the fingerprint, by which others know you. Never overwrites a file.',
    'With --passphrase the private key is encrypted; the passphrase is typed twice, or taken from STALK_PASSPHRASE in the environment. It is never an argument, which others can see.',
    'With --succeed the new key takes the place of an old one: both sign a statement, in id.succession in DIR. It is no secret: whoever knows the old key runs `stalk peers trust id.succession`, and accepts the new one from then on.'
  ],
  options: [
    { name: 'type', short: 't', value: 'TYPE', text: 'rsa or ed25519; default: rsa' },
    { name: 'bits', short: 'b', value: 'N', text: 'of an RSA key: 2048, 3072 or 4096; default: 2048' },
    { name: 'passphrase', short: 'p', text: 'encrypt the private key, and ask with what' },
    { name: 'format', value: 'FORM', text: 'pkcs8 (PEM) or openssh; default: pkcs8' },
    { name: 'comment', short: 'C', value: 'TEXT', text: 'what you call the key, with --format openssh' },
    { name: 'succeed', value: 'OLD', text: 'the private key whose place the new one takes' },
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
  const statementFile = join(folder, 'id.succession')
  const old = await predecessorOf(args, statementFile)
  const identity = await Identity.generate(options)
  const statement = old && (await Succession.sign(old, identity))
  await identity.save({
    ...files,
    ...form,
    ...(args.has('passphrase') && { passphrase: file => chosen(file) })
  })
  await statement?.save(statementFile)
  const { type, keysize: bits, fingerprint } = identity
  const succession = statement && {
    predecessor: statement.predecessor.fingerprint,
    succession: statementFile
  }
  if (args.has('json')) {
    await shell.output.line(JSON.stringify({ type, bits, fingerprint, ...files, ...succession }))
    return
  }
  await shell.output.line(fingerprint)
  await shell.output.line(`  private key: ${files.privateFile}`)
  await shell.output.line(`  public key:  ${files.publicFile}`)
  if (!succession) return
  await shell.output.line(`  succeeds:    ${succession.predecessor}`)
  await shell.output.line(`  statement:   ${statementFile}`)
  await shell.output.line(`  for those who know the old key: stalk peers trust ${statementFile}`)
}

/** The old key, which has to be there and open before a new one is made. */
async function predecessorOf(args: Args, statementFile: string): Promise<Identity | null> {
  const file = args.text('succeed')
  if (file === undefined) return null
  if (file === '') throw usage('--succeed takes the file of the old private key')
  if (existsSync(statementFile))
    throw new CommandError(EXIT.keys, `${statementFile} is there already, and is never overwritten`, [
      '--out DIR puts the new key elsewhere'
    ])
  const old = await unlocked(options => Identity.load(file, options))
  if (old.privkey) return old
  throw new CommandError(EXIT.keys, `${file} holds a public key; the old private one signs the new one`)
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
