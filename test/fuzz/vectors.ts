// The vectors of test/vectors, as the targets use them. Knows the files; parses nothing.

import { createPrivateKey, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { type RawPublicKey, toRaw } from '../../lib/crypto/public-key.ts'
import { isOfTickets } from '../helpers/resumption.ts'
import type { HandshakeFile, HandshakeVector, NegativeFile } from '../vectors/format.ts'

const read = (name: string): string =>
  readFileSync(new URL(`../vectors/${name}.json`, import.meta.url), 'utf8')

const all: HandshakeFile = JSON.parse(read('handshake'))
const refused: NegativeFile = JSON.parse(read('negative'))

/** Those without tickets: nobody who is played keeps any. They come first in the file, so their indices are its own. */
export const handshakes: HandshakeFile = {
  ...all,
  vectors: all.vectors.filter(vector => !isOfTickets(vector))
}
export const negatives: NegativeFile = {
  ...refused,
  vectors: refused.vectors.filter(({ handshake }) =>
    handshakes.vectors.some(({ name }) => name === handshake)
  )
}

export interface VectorKey {
  readonly name: string
  readonly privateKey: KeyObject
  readonly raw: RawPublicKey
}

export const keys: readonly VectorKey[] = handshakes.keys.map(({ name, pkcs8 }) => {
  const privateKey = createPrivateKey({ key: Buffer.from(pkcs8, 'hex'), format: 'der', type: 'pkcs8' })
  return { name, privateKey, raw: toRaw(privateKey) }
})

export function keyNamed(name: string): VectorKey {
  const key = keys.find(known => known.name === name)
  if (!key) throw new Error(`no key ${name}`)
  return key
}

/**
 * What a side of a vector has signed, if it was this. RSA-PSS signatures are random, so that another one would not fit
 * what comes behind it.
 */
export function recordedSignature(
  vector: HandshakeVector,
  role: 'initiator' | 'responder',
  input: Buffer
): Buffer | null {
  const { signed, signature } = vector[role]
  return signature !== null && signed === input.toString('hex') ? Buffer.from(signature, 'hex') : null
}

/** The whole records of a handshake in one place, the spoiled ones of negative.json too. */
export const recordsAt = (place: 'M1' | 'M2' | 'M3' | 'M4' | 'M5'): Buffer[] =>
  [
    ...handshakes.vectors.map(({ records }) => records[place]),
    ...negatives.vectors.filter(negative => negative.place === place).map(({ record }) => record)
  ].map(record => Buffer.from(record, 'hex'))

/** The contents of sealed records behind M5, with their kinds. */
export const contents = handshakes.vectors.flatMap(({ after }: HandshakeVector) =>
  after.map(({ kind, content }) => ({ kind, content: Buffer.from(content, 'hex') }))
)
