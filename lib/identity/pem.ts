// PEM text and DER structure, both ways: one block, plain base64, one reading. The only file that imports
// node-forge, which takes text and structure apart. Knows no keys: what a block means is pkcs's, pbes2's and
// openssh's.

import type forge from 'node-forge'
// The two parts alone: all of node-forge takes five times as long to load. Their types stand below.
// @ts-expect-error No types.
import forgeAsn1 from 'node-forge/lib/asn1.js'
// @ts-expect-error No types.
import forgePem from 'node-forge/lib/pem.js'
import { wipe } from '../bytes.ts'
import { MAX_KEY_FILE_BYTES } from '../constants.ts'
import { found, otherLabel, WANTED } from './foreign.ts'

const asn1: typeof forge.asn1 = forgeAsn1
const pem: typeof forge.pem = forgePem

/** The labels of blocks that hold a key of ours. */
const LABELS = [
  'PRIVATE KEY',
  'ENCRYPTED PRIVATE KEY',
  'RSA PRIVATE KEY',
  'PUBLIC KEY',
  'RSA PUBLIC KEY',
  'OPENSSH PRIVATE KEY'
] as const

export type Label = (typeof LABELS)[number]

export interface Block {
  readonly label: Label
  readonly bytes: Buffer
}

const isLabel = (label: string): label is Label => (LABELS as readonly string[]).includes(label)

// --- text ----------------------------------------------------------------------------------------------

/**
 * The one block in a text; null if there is none. Text around it is ignored (RFC 7468, section 2). `name` begins
 * the error texts. Throws ERR_STALK_KEY_FILE_FORMAT for two blocks, a label that is none of ours, and damage.
 */
export function onlyBlock(text: string, name: string): Block | null {
  if (text.length > MAX_KEY_FILE_BYTES) throw found(name, `more than ${MAX_KEY_FILE_BYTES} bytes; ${WANTED}`)
  const labels = labelsIn(text)
  const [label = ''] = labels
  if (labels.length === 0) return null
  if (labels.length > 1) {
    throw found(name, `${labels.length} blocks (${labels.join(', ')}); keep one in a file`)
  }
  if (!isLabel(label)) throw found(name, otherLabel(label))
  return { label, bytes: decodeBlock(text, label, name) }
}

function labelsIn(text: string): string[] {
  const rests = text.split('-----BEGIN ').slice(1)
  return rests.map(rest => /^([A-Z0-9 ]{1,40})-----/.exec(rest)?.[1] ?? 'unreadable')
}

/**
 * The bytes of the block. node-forge skips characters that are no base64 and takes headers and odd padding,
 * so what it read is compared with what is there: base64 of exactly these bytes and white space.
 */
function decodeBlock(text: string, label: Label, name: string): Buffer {
  const start = text.indexOf(`-----BEGIN ${label}-----`) + `-----BEGIN ${label}-----`.length
  const end = text.indexOf(`-----END ${label}-----`, start)
  if (end < 0) throw found(name, `a block \`${label}\` without its END line; it is cut short`)
  const body = text.slice(start, end)
  if (/^Proc-Type: *4,ENCRYPTED/m.test(body)) throw found(name, OLD_ENCRYPTION)
  const bytes = Buffer.from(forgeBody(text, name), 'latin1')
  if (bytes.toString('base64') === body.replace(/\s+/g, '')) return bytes
  throw found(name, `a block \`${label}\` that is not plain base64; it is damaged, or has headers`)
}

/** One round of MD5 between a passphrase and its key. */
const OLD_ENCRYPTION =
  'a private key in the old encryption of PEM, which protects little; ' +
  '`ssh-keygen -p -f COPY` or `openssl pkcs8 -topk8 -in OLD -out NEW` encrypts it anew'

function forgeBody(text: string, name: string): string {
  try {
    return pem.decode(text)[0]?.body ?? ''
  } catch (cause) {
    throw found(name, `a block that is not well formed; ${WANTED}`, cause)
  }
}

/** A block of PEM, with lines of 64 characters, or of 70 as ssh-keygen writes them. */
export function toPem(label: Label, bytes: Buffer): string {
  const width = label === 'OPENSSH PRIVATE KEY' ? 70 : 64
  return pem
    .encode({ type: label, body: bytes.toString('latin1') } as forge.pem.ObjectPEM, { maxline: width })
    .replaceAll('\r\n', '\n')
}

// --- structure -----------------------------------------------------------------------------------------

export type DerKind = 'INTEGER' | 'SEQUENCE' | 'OCTET STRING' | 'BIT STRING' | 'OID' | 'NULL' | 'other'

/** A value in DER. `children` is empty for all that are no sequence. */
export interface Der {
  readonly kind: DerKind
  readonly bytes: Buffer
  readonly children: readonly Der[]
}

const KINDS: Record<number, DerKind> = {
  [asn1.Type.INTEGER]: 'INTEGER',
  [asn1.Type.SEQUENCE]: 'SEQUENCE',
  [asn1.Type.OCTETSTRING]: 'OCTET STRING',
  [asn1.Type.BITSTRING]: 'BIT STRING',
  [asn1.Type.OID]: 'OID',
  [asn1.Type.NULL]: 'NULL'
}

const TYPES = Object.fromEntries(Object.entries(KINDS).map(([type, kind]) => [kind, Number(type)]))

/** The value that all of the bytes are. Throws ERR_STALK_KEY_FILE_FORMAT. */
export function readDer(der: Buffer, name: string): Der {
  try {
    return nodeOf(asn1.fromDer(der.toString('latin1'), true))
  } catch (cause) {
    throw found(name, 'DER that is damaged, cut short, or followed by more bytes', cause)
  }
}

function nodeOf({ tagClass, type, value }: forge.asn1.Asn1): Der {
  const kind = tagClass === asn1.Class.UNIVERSAL ? (KINDS[type] ?? 'other') : 'other'
  if (typeof value === 'string') return { kind, bytes: Buffer.from(value, 'latin1'), children: [] }
  return { kind, bytes: Buffer.alloc(0), children: value.map(nodeOf) }
}

/** Wipes what was read; node-forge's own strings are out of reach. */
export function wipeDer({ bytes, children }: Der): void {
  wipe(bytes)
  for (const child of children) wipeDer(child)
}

/** The one encoding of a value. */
export const writeDer = (node: Der): Buffer => Buffer.from(asn1.toDer(forgeNode(node)).getBytes(), 'latin1')

function forgeNode({ kind, bytes, children }: Der): forge.asn1.Asn1 {
  const constructed = kind === 'SEQUENCE'
  const value = constructed ? children.map(forgeNode) : bytes.toString('latin1')
  return asn1.create(asn1.Class.UNIVERSAL, TYPES[kind] ?? 0, constructed, value)
}

export const sequence = (...children: Der[]): Der => ({ kind: 'SEQUENCE', bytes: Buffer.alloc(0), children })

export const octets = (bytes: Buffer): Der => ({ kind: 'OCTET STRING', bytes, children: [] })

export const derNull: Der = { kind: 'NULL', bytes: Buffer.alloc(0), children: [] }

/** A whole number from 0 to 2³¹ − 1. */
export const integer = (value: number): Der => ({
  kind: 'INTEGER',
  bytes: Buffer.from(asn1.integerToDer(value).getBytes(), 'latin1'),
  children: []
})

/** Object identifiers are written with dots. */
export const oid = (text: string): Der => ({
  kind: 'OID',
  bytes: Buffer.from(asn1.oidToDer(text).getBytes(), 'latin1'),
  children: []
})

/** The object identifier in a value, with dots; "unknown" if there is none. */
export function oidIn(node: Der | undefined): string {
  if (node?.kind !== 'OID') return 'unknown'
  try {
    return asn1.derToOid(node.bytes.toString('latin1')) ?? 'unknown'
  } catch {
    // An arc beyond 53 bits, as in identifiers made of a UUID: legal, and none that stalk knows.
    return 'unknown'
  }
}
