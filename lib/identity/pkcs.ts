// Keys in DER: PKCS#8 and SPKI, and PKCS#1 for RSA, in clear, in the exact form of one key. node:crypto makes
// the key. Knows no PEM text, no encryption, no files.

import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { wipe } from '../bytes.ts'
import { checkKey } from './check.ts'
import { found, otherKind } from './foreign.ts'
import { type Der, type DerKind, type Label, oidIn, readDer, wipeDer } from './pem.ts'

/** Blocks that hold a key in clear, in DER. */
export type ClearLabel = Exclude<Label, 'ENCRYPTED PRIVATE KEY' | 'OPENSSH PRIVATE KEY'>

interface Form {
  readonly half: 'private' | 'public'
  readonly type: 'pkcs8' | 'spki' | 'pkcs1'
  /** What the outermost sequence has in it. */
  readonly shape: readonly DerKind[]
  /** What openssl is told to rewrite it with. */
  readonly openssl: string
}

/**
 * RFC 5208, section 5: SEQUENCE { version 0, algorithm, OCTET STRING }, without attributes. RFC 5280, section 4.1:
 * SEQUENCE { algorithm, BIT STRING }. RFC 8017, appendix A.1: version 0 and eight numbers; n and e.
 */
const FORMS: Record<ClearLabel, Form> = {
  'PRIVATE KEY': {
    half: 'private',
    type: 'pkcs8',
    shape: ['INTEGER', 'SEQUENCE', 'OCTET STRING'],
    openssl: 'pkey -in OLD -out NEW'
  },
  'PUBLIC KEY': {
    half: 'public',
    type: 'spki',
    shape: ['SEQUENCE', 'BIT STRING'],
    openssl: 'pkey -in OLD -pubin -pubout -out NEW'
  },
  'RSA PRIVATE KEY': {
    half: 'private',
    type: 'pkcs1',
    shape: Array<DerKind>(9).fill('INTEGER'),
    openssl: 'pkey -in OLD -out NEW'
  },
  'RSA PUBLIC KEY': {
    half: 'public',
    type: 'pkcs1',
    shape: ['INTEGER', 'INTEGER'],
    openssl: 'rsa -RSAPublicKey_in -in OLD -pubout -out NEW'
  }
}

/** Object identifiers of key algorithms: RFC 8017 (appendix C), 8410, 5480, 3279. */
const ALGORITHMS: Record<string, string> = {
  '1.2.840.113549.1.1.1': 'RSA',
  '1.3.101.112': 'Ed25519',
  '1.2.840.113549.1.1.10': 'RSA for PSS alone',
  '1.2.840.10045.2.1': 'elliptic-curve',
  '1.2.840.10040.4.1': 'DSA',
  '1.3.101.110': 'X25519',
  '1.3.101.111': 'X448',
  '1.3.101.113': 'Ed448'
}

const SUPPORTED = new Set(['RSA', 'Ed25519'])

/** The key in DER. Throws ERR_STALK_KEY_FILE_FORMAT and ERR_STALK_KEY_UNSUPPORTED. */
export function keyInDer(der: Buffer, label: ClearLabel, name: string): KeyObject {
  const root = readDer(der, name)
  try {
    checkStructure(root, label, name)
  } finally {
    wipeDer(root)
  }
  const key = toKey(der, label, name)
  checkKey(key, name)
  return key
}

/** The outer structure, all bytes used; then the algorithm, before OpenSSL sees any. */
function checkStructure({ children }: Der, label: ClearLabel, name: string): void {
  const { shape } = FORMS[label]
  if (!hasShape(children, shape)) throw found(name, notExact(label))
  if (!shape.includes('SEQUENCE')) return // PKCS#1 is RSA
  const oid = oidIn(children[shape.indexOf('SEQUENCE')]?.children[0])
  const algorithm = ALGORITHMS[oid] ?? oid
  if (!SUPPORTED.has(algorithm)) throw otherKind(name, algorithm)
}

const hasShape = (parts: readonly Der[], shape: readonly DerKind[]): boolean =>
  parts.map(({ kind }) => kind).join() === shape.join()

/** Whether a value is, from the outside, a private key of PKCS#8. */
export const isPkcs8 = ({ children }: Der): boolean => hasShape(children, FORMS['PRIVATE KEY'].shape)

/**
 * The key, if OpenSSL writes it back to the very same bytes: it would take bytes behind a number, long forms
 * of lengths, other parameters, and a file that reads in two ways is one that two programs read differently.
 */
function toKey(der: Buffer, label: ClearLabel, name: string): KeyObject {
  let again: Buffer = Buffer.alloc(0)
  try {
    const key = importDer(der, label)
    again = exportDer(key, label)
    if (again.equals(der)) return key
  } catch (cause) {
    throw found(name, `a block \`${label}\` that OpenSSL does not take; it is damaged`, cause)
  } finally {
    wipe(again)
  }
  throw found(name, notExact(label))
}

function importDer(key: Buffer, label: ClearLabel): KeyObject {
  const { half, type } = FORMS[label]
  return half === 'private'
    ? createPrivateKey({ key, format: 'der', type: type as 'pkcs8' | 'pkcs1' })
    : createPublicKey({ key, format: 'der', type: type as 'spki' | 'pkcs1' })
}

const exportDer = (key: KeyObject, label: ClearLabel): Buffer =>
  key.export({ format: 'der', type: FORMS[label].type as 'pkcs1' })

const notExact = (label: ClearLabel): string =>
  `a block \`${label}\` that is not in the exact DER form of one key; \`openssl ${FORMS[label].openssl}\` rewrites it`
