// What the targets of trust files share: keys and statements that a mutator could not make, as short marks in an input.
// Knows the marks; knows no parser.

import { readFileSync } from 'node:fs'
import { Identity, Succession } from '../../lib/index.ts'
import { keyNamed } from './vectors.ts'

const identityOf = (name: string): Identity =>
  Identity.fromPem(keyNamed(name).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString())

/** Those that stand in files, and one that never does. */
export const ann = identityOf('ed25519, initiator')
export const bob = identityOf('rsa, initiator')
const next = identityOf('ed25519, responder')
export const stranger = identityOf('ed25519, attacker')

interface Statements {
  readonly statements: readonly { readonly line: string }[]
}

const file = readFileSync(new URL('../vectors/successions.json', import.meta.url), 'utf8')

/** From ann to bob, from bob to the next, and from ann to the next. */
export const statements = (JSON.parse(file) as Statements).statements.flatMap(({ line }) =>
  Succession.parse(line)
)

const MARKS: Record<string, string> = {
  '%A': ann.publicLine.trim(),
  '%B': bob.publicLine.trim(),
  '%C': next.publicLine.trim(),
  '%S': statements[0]?.line ?? '',
  '%T': statements[1]?.line ?? '',
  '%U': statements[2]?.line ?? ''
}

/** The text that an input stands for, as latin1. */
export const expanded = (input: Buffer): string =>
  input.toString('latin1').replace(/%[ABCSTU]/g, mark => MARKS[mark] ?? mark)

/** Everybody who stands in files. */
export const everybody: readonly Identity[] = [ann, bob, next]
