// PEM texts of keys: PKCS#8 `PRIVATE KEY` and SPKI `PUBLIC KEY`, one block, exact DER, nothing else. The only
// file that imports node-forge, which takes text and structure apart; node:crypto makes the key. Knows no
// files, no modes.

import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import type forge from 'node-forge'
// The two parts alone: all of node-forge takes five times as long to load. Their types stand below.
// @ts-expect-error No types.
import forgeAsn1 from 'node-forge/lib/asn1.js'
// @ts-expect-error No types.
import forgePem from 'node-forge/lib/pem.js'
import { wipe } from '../bytes.ts'
import { MAX_KEY_FILE_BYTES } from '../constants.ts'
import { toRaw } from '../crypto/public-key.ts'
import { StalkError } from '../errors.ts'

const asn1: typeof forge.asn1 = forgeAsn1
const pem: typeof forge.pem = forgePem

const PRIVATE_LABEL = 'PRIVATE KEY'
const PUBLIC_LABEL = 'PUBLIC KEY'

type Label = typeof PRIVATE_LABEL | typeof PUBLIC_LABEL

/** What else people have in key files, by the label of its block (RFC 7468 and others), and the way out. */
const OTHER_LABELS: Record<string, string> = {
  'ENCRYPTED PRIVATE KEY':
    'an encrypted private key: encrypted key files are not supported in this version; ' +
    '`openssl pkey -in OLD -out NEW` makes a plain one',
  'RSA PRIVATE KEY': 'an RSA private key in PKCS#1 form; `openssl pkey -in OLD -out NEW` makes it PKCS#8',
  'RSA PUBLIC KEY':
    'an RSA public key in PKCS#1 form; `openssl rsa -RSAPublicKey_in -in OLD -pubout -out NEW` makes it SPKI',
  'OPENSSH PRIVATE KEY':
    "a private key in OpenSSH's own form, which is not supported in this version; " +
    '`ssh-keygen -p -N "" -m PKCS8 -f COPY` rewrites a copy of an RSA key as PKCS#8',
  'EC PRIVATE KEY': 'an elliptic-curve private key; stalk takes RSA and Ed25519 keys',
  'DSA PRIVATE KEY': 'a DSA private key; stalk takes RSA and Ed25519 keys',
  CERTIFICATE: 'a certificate; `openssl x509 -in OLD -pubkey -noout -out NEW` takes the public key out of it'
}

/** What people have in key files that is no PEM at all. */
const OTHER_FORMS: readonly (readonly [RegExp, string])[] = [
  [/^\s*$/, 'nothing: it is empty'],
  [
    /^\s*(ssh|ecdsa|sk)-\S+ AAAA/,
    'an OpenSSH public key; `ssh-keygen -e -m PKCS8 -f OLD > NEW` makes an RSA one SPKI'
  ],
  [
    /^PuTTY-User-Key-File/,
    'a PuTTY key; `puttygen` exports it for OpenSSH, `ssh-keygen` from there to PKCS8'
  ],
  [/^0[\x81\x82*.]/, 'DER without PEM around it; `openssl pkey -inform DER -in OLD -out NEW` adds it']
]

const WANTED = 'a PEM block `PRIVATE KEY` (PKCS#8) or `PUBLIC KEY` (SPKI) is needed'

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

/**
 * The key in a PEM text: exactly one block, `PRIVATE KEY` or `PUBLIC KEY`, whose DER has one reading only.
 * Text around the block is ignored (RFC 7468, section 2). `name` begins the error texts: a path, or "the PEM
 * text".
 *
 * Throws ERR_STALK_KEY_FILE_FORMAT, saying what was found and what to do about it, and
 * ERR_STALK_KEY_UNSUPPORTED for well-formed keys that stalk doesn't take (other algorithms, RSA sizes,
 * exponents).
 */
export function parsePem(text: string, name: string): KeyObject {
  const label = onlyLabel(text, name)
  const der = decodeBlock(text, label, name)
  try {
    checkStructure(der, label, name)
    const key = toKey(der, label, name)
    checkKey(key, name)
    return key
  } finally {
    wipe(der)
  }
}

/** A public key as an SPKI `PUBLIC KEY` block (RFC 7468, section 13). */
export const toPublicPem = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' }).toString()

/** A private key, in clear, as a PKCS#8 `PRIVATE KEY` block (RFC 7468, section 10). */
export const toPrivatePem = (key: KeyObject): string =>
  key.export({ type: 'pkcs8', format: 'pem' }).toString()

// --- text ----------------------------------------------------------------------------------------------

function onlyLabel(text: string, name: string): Label {
  if (text.length > MAX_KEY_FILE_BYTES) throw found(name, `more than ${MAX_KEY_FILE_BYTES} bytes; ${WANTED}`)
  const labels = labelsIn(text)
  const [label = ''] = labels
  if (labels.length === 0) throw found(name, otherForm(text))
  if (labels.length > 1) {
    throw found(name, `${labels.length} blocks (${labels.join(', ')}); keep one in a file`)
  }
  if (label !== PRIVATE_LABEL && label !== PUBLIC_LABEL) {
    throw found(name, OTHER_LABELS[label] ?? `a block \`${label}\`; ${WANTED}`)
  }
  return label
}

function labelsIn(text: string): string[] {
  const rests = text.split('-----BEGIN ').slice(1)
  return rests.map(rest => /^([A-Z0-9 ]{1,40})-----/.exec(rest)?.[1] ?? 'unreadable')
}

function otherForm(text: string): string {
  for (const [pattern, description] of OTHER_FORMS) if (pattern.test(text)) return description
  return `no key; ${WANTED}`
}

/**
 * The bytes of the block. node-forge skips characters that are no base64 and takes headers and odd padding,
 * so what it read is compared with what is there: base64 of exactly these bytes and white space.
 */
function decodeBlock(text: string, label: Label, name: string): Buffer {
  const start = text.indexOf(`-----BEGIN ${label}-----`) + `-----BEGIN ${label}-----`.length
  const end = text.indexOf(`-----END ${label}-----`, start)
  if (end < 0) throw found(name, `a block \`${label}\` without its END line; it is cut short`)
  const base64 = text.slice(start, end).replace(/\s+/g, '')
  const der = Buffer.from(forgeBody(text, name), 'latin1')
  if (der.toString('base64') === base64) return der
  throw found(name, `a block \`${label}\` that is not plain base64; it is damaged, or has headers`)
}

function forgeBody(text: string, name: string): string {
  try {
    return pem.decode(text)[0]?.body ?? ''
  } catch (cause) {
    throw found(name, `a block that is not well formed; ${WANTED}`, cause)
  }
}

// --- structure -----------------------------------------------------------------------------------------

/**
 * The outer structure, all bytes used. RFC 5208, section 5: SEQUENCE { version 0, algorithm, OCTET STRING },
 * without attributes. RFC 5280, section 4.1: SEQUENCE { algorithm, BIT STRING }. Then the algorithm, before
 * OpenSSL sees any.
 */
function checkStructure(der: Buffer, label: Label, name: string): void {
  const parts = childrenOf(parseDer(der, name))
  const { INTEGER, SEQUENCE, OCTETSTRING, BITSTRING } = asn1.Type
  const shape = label === PRIVATE_LABEL ? [INTEGER, SEQUENCE, OCTETSTRING] : [SEQUENCE, BITSTRING]
  if (parts.map(part => part.type).join() !== shape.join()) throw found(name, notExact(label))
  const algorithm = algorithmOf(parts[shape.indexOf(SEQUENCE)])
  if (!SUPPORTED.has(algorithm)) {
    throw unsupported(name, `this is a key of the kind ${algorithm}; stalk takes RSA and Ed25519 keys`)
  }
}

function parseDer(der: Buffer, name: string): forge.asn1.Asn1 {
  try {
    return asn1.fromDer(der.toString('latin1'), true)
  } catch (cause) {
    throw found(name, 'DER that is damaged, cut short, or followed by more bytes', cause)
  }
}

const childrenOf = (node: forge.asn1.Asn1 | undefined): forge.asn1.Asn1[] =>
  Array.isArray(node?.value) ? node.value : []

function algorithmOf(node: forge.asn1.Asn1 | undefined): string {
  const [identifier] = childrenOf(node)
  if (identifier?.type !== asn1.Type.OID || typeof identifier.value !== 'string') return 'unknown'
  const oid = readOid(identifier.value)
  return ALGORITHMS[oid] ?? oid
}

function readOid(bytes: string): string {
  try {
    return asn1.derToOid(bytes) ?? 'unknown'
  } catch {
    // An arc beyond 53 bits, as in identifiers made of a UUID: legal, and none that stalk knows.
    return 'unknown'
  }
}

/**
 * The key, if OpenSSL writes it back to the very same bytes: it would take bytes behind a number, long forms
 * of lengths, other parameters, and a file that reads in two ways is one that two programs read differently.
 */
function toKey(der: Buffer, label: Label, name: string): KeyObject {
  let again: Buffer = Buffer.alloc(0)
  try {
    const key = importDer(der, label)
    again = exportDer(key)
    if (again.equals(der)) return key
  } catch (cause) {
    throw found(name, `a block \`${label}\` that OpenSSL does not take; it is damaged`, cause)
  } finally {
    wipe(again)
  }
  throw found(name, notExact(label))
}

const importDer = (key: Buffer, label: Label): KeyObject =>
  label === PRIVATE_LABEL
    ? createPrivateKey({ key, format: 'der', type: 'pkcs8' })
    : createPublicKey({ key, format: 'der', type: 'spki' })

const exportDer = (key: KeyObject): Buffer =>
  key.type === 'private'
    ? key.export({ format: 'der', type: 'pkcs8' })
    : key.export({ format: 'der', type: 'spki' })

// --- the key -------------------------------------------------------------------------------------------

function checkKey(key: KeyObject, name: string): void {
  try {
    toRaw(key)
  } catch (cause) {
    throw unsupported(name, (cause as Error).message, cause)
  }
  if (key.type === 'private' && !signsForItself(key)) {
    throw found(name, 'a private key whose parts do not belong together; it is damaged')
  }
}

/**
 * An RSA file holds all the numbers of the key, and OpenSSL doesn't compare them. Takes about 1 ms at 2048
 * bits.
 */
function signsForItself(key: KeyObject): boolean {
  const algorithm = key.asymmetricKeyType === 'rsa' ? 'sha256' : null
  const probe = Buffer.from('stalk: does this private key fit its public key?')
  try {
    return verify(algorithm, probe, createPublicKey(key), sign(algorithm, probe, key))
  } catch {
    // Numbers that can't be computed with, as an even prime: no other news than "no".
    return false
  }
}

const notExact = (label: Label): string =>
  `a block \`${label}\` that is not in the exact DER form of one key; \`openssl pkey -in OLD ` +
  `${label === PUBLIC_LABEL ? '-pubin -pubout ' : ''}-out NEW\` rewrites it`

const found = (name: string, what: string, cause?: unknown): StalkError =>
  new StalkError('ERR_STALK_KEY_FILE_FORMAT', `${name} holds ${what}`, { phase: 'setup', cause })

const unsupported = (name: string, text: string, cause?: unknown): StalkError =>
  new StalkError('ERR_STALK_KEY_UNSUPPORTED', `${name}: ${text}`, { phase: 'setup', cause })
