// Passphrases of key files, never from the command line: from the environment, or asked for at the terminal. Knows
// where they come from and how often one may be wrong; what they open is the library's.

import { type Identity, StalkError } from '../index.ts'
import { CommandError, EXIT } from './exit.ts'
import { askSecretly, hasTerminal } from './prompt.ts'
import { harmless } from './terminal.ts'

type LoadOptions = NonNullable<Parameters<typeof Identity.load>[1]>

/** What asks, and where; for tests, others. */
export interface Source {
  readonly env: { readonly STALK_PASSPHRASE?: string | undefined }
  readonly attended: boolean
  ask(question: string): Promise<Buffer>
}

const ours = (): Source => ({ env: process.env, attended: hasTerminal(), ask: askSecretly })

/** How often somebody may try, as with ssh. */
const TRIES = 3

/**
 * Loads what may be encrypted. A passphrase of the environment is tried once; at a terminal one is asked for, up to
 * three times. Where there is neither, the library's ERR_STALK_PASSPHRASE_REQUIRED is thrown.
 */
export async function unlocked<T>(load: (options: LoadOptions) => Promise<T>, source = ours()): Promise<T> {
  for (let tries = 1; ; tries++) {
    const answers: Buffer[] = []
    try {
      return await load({ passphrase: file => answerTo(file, tries, answers, source) })
    } catch (error) {
      if (answers.length === 0 || tries === TRIES || !isWrong(error)) throw error
    } finally {
      for (const answer of answers) answer.fill(0)
    }
  }
}

/** What was typed is kept in `answers`, to be wiped. */
async function answerTo(
  file: string,
  tries: number,
  answers: Buffer[],
  { env, attended, ask }: Source
): Promise<string | Buffer | null> {
  if (env.STALK_PASSPHRASE) return env.STALK_PASSPHRASE
  if (!attended) return null
  const answer = await ask(`${tries > 1 ? 'wrong; once more: ' : ''}passphrase of ${harmless(file)}: `)
  answers.push(answer)
  return answer
}

const isWrong = (error: unknown): boolean =>
  error instanceof StalkError && error.code === 'ERR_STALK_PASSPHRASE_WRONG'

/** A passphrase for a new file: of the environment, or typed twice. Throws a CommandError. */
export async function chosen(
  file: string,
  { env, attended, ask }: Source = ours()
): Promise<string | Buffer> {
  if (env.STALK_PASSPHRASE) return env.STALK_PASSPHRASE
  if (!attended) {
    throw new CommandError(EXIT.keys, '--passphrase asks at a terminal, and there is none', [
      'STALK_PASSPHRASE in the environment may hold the passphrase'
    ])
  }
  const [first, second] = [
    await ask(`passphrase for ${harmless(file)}: `),
    await ask('the same passphrase again: ')
  ]
  const same = first.equals(second)
  second.fill(0)
  if (!same) throw new CommandError(EXIT.keys, 'the two passphrases differ; nothing was made')
  if (first.length > 0) return first
  throw new CommandError(EXIT.keys, 'an empty passphrase protects nothing; nothing was made', [
    'without --passphrase the key is in clear'
  ])
}
