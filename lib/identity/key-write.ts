// Keys as the texts of files: PKCS#8 and SPKI, or OpenSSH's forms, in clear or encrypted. Knows the forms by name;
// knows no disk.

import type { KeyObject } from 'node:crypto'
import { inspect } from 'node:util'
import { wipe } from '../bytes.ts'
import { toRaw } from '../crypto/public-key.ts'
import { StalkError } from '../errors.ts'
import { writeContainer } from './openssh.ts'
import { encryptPkcs8 } from './pbes2.ts'
import { toPem } from './pem.ts'
import { writeSshLine } from './ssh-public.ts'

/** `pkcs8`: PKCS#8 and SPKI. `openssh`: as ssh-keygen writes them. */
export type KeyFormat = 'pkcs8' | 'openssh'

const FORMATS: readonly unknown[] = ['pkcs8', 'openssh']

/** Throws ERR_STALK_INVALID_OPTION. */
export function requireFormat(format: unknown): void {
  if (FORMATS.includes(format)) return
  const text = `format is one of ${FORMATS.join(', ')}, not ${inspect(format)}`
  throw new StalkError('ERR_STALK_INVALID_OPTION', text, { phase: 'setup' })
}

/** A public key as an SPKI `PUBLIC KEY` block (RFC 7468, section 13). */
export const toPublicPem = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' }).toString()

/** A private key, in clear, as a PKCS#8 `PRIVATE KEY` block (RFC 7468, section 10). */
export const toPrivatePem = (key: KeyObject): string =>
  key.export({ type: 'pkcs8', format: 'pem' }).toString()

export const publicText = (key: KeyObject, format: KeyFormat, comment: string): string =>
  format === 'openssh' ? writeSshLine(toRaw(key), comment) : toPublicPem(key)

/** Without a passphrase it is in clear. */
export async function privateText(
  key: KeyObject,
  format: KeyFormat,
  comment: string,
  passphrase: Buffer | null
): Promise<string> {
  if (format === 'openssh') {
    return consumed('OPENSSH PRIVATE KEY', await writeContainer(key, comment, passphrase))
  }
  return passphrase ? encryptedPem(key, passphrase) : toPrivatePem(key)
}

async function encryptedPem(key: KeyObject, passphrase: Buffer): Promise<string> {
  const der = key.export({ type: 'pkcs8', format: 'der' })
  try {
    return consumed('ENCRYPTED PRIVATE KEY', await encryptPkcs8(der, passphrase))
  } finally {
    wipe(der)
  }
}

function consumed(label: Parameters<typeof toPem>[0], bytes: Buffer): string {
  const text = toPem(label, bytes)
  wipe(bytes)
  return text
}
