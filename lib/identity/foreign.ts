// What people have in key files that stalk does not take, told by its looks, with the way out; and the errors
// that say so. Knows labels and first words; parses nothing.

import { type ErrorCode, StalkError } from '../errors.ts'

/** What is needed instead. */
export const WANTED =
  'a PEM block (PKCS#8, PKCS#1, SPKI), a private key of OpenSSH or a line `ssh-rsa` or `ssh-ed25519` is needed'

/** By the label of a PEM block (RFC 7468 and others). */
const OTHER_LABELS: Record<string, string> = {
  'EC PRIVATE KEY': 'an elliptic-curve private key; stalk takes RSA and Ed25519 keys',
  'DSA PRIVATE KEY': 'a DSA private key; stalk takes RSA and Ed25519 keys',
  CERTIFICATE: 'a certificate; `openssl x509 -in OLD -pubkey -noout -out NEW` takes the public key out of it'
}

/** What is no PEM at all. */
const OTHER_FORMS: readonly (readonly [RegExp, string])[] = [
  [/^\s*$/, 'nothing: it is empty'],
  [
    /^PuTTY-User-Key-File/,
    'a PuTTY key; `puttygen OLD -O private-openssh-new -o NEW` exports it for OpenSSH, which stalk takes'
  ],
  [
    /^---- BEGIN SSH2 PUBLIC KEY/m,
    'a public key in the form of RFC 4716; `ssh-keygen -i -f OLD > NEW` makes it a line of OpenSSH'
  ],
  [
    /(^|[\s,"])(ssh|ecdsa|sk)-\S{1,64} AAAA/,
    'a public key with something in front of it; a line of OpenSSH begins with the kind of key'
  ],
  [/^0[\x81\x82*.]/, 'DER without PEM around it; `openssl pkey -inform DER -in OLD -out NEW` adds it']
]

/** What a block with this label is. */
export const otherLabel = (label: string): string => OTHER_LABELS[label] ?? `a block \`${label}\`; ${WANTED}`

/** What a text without any key is. */
export function otherForm(text: string): string {
  for (const [pattern, description] of OTHER_FORMS) if (pattern.test(text)) return description
  return `no key; ${WANTED}`
}

/** The error for a text that is no key: "NAME holds WHAT". */
export const found = (name: string, what: string, cause?: unknown): StalkError =>
  failure('ERR_STALK_KEY_FILE_FORMAT', `${name} holds ${what}`, cause)

/** The error for a key that stalk doesn't take. */
export const unsupported = (name: string, text: string, cause?: unknown): StalkError =>
  failure('ERR_STALK_KEY_UNSUPPORTED', `${name}: ${text}`, cause)

/** The error for a key of a kind that stalk doesn't take. */
export const otherKind = (name: string, kind: string): StalkError =>
  unsupported(name, `this is a key of the kind ${kind}; stalk takes RSA and Ed25519 keys`)

/** The error where nothing sensible comes out of decryption. A damaged file looks no different. */
export const wrongPassphrase = (name: string, cause?: unknown): StalkError =>
  failure(
    'ERR_STALK_PASSPHRASE_WRONG',
    `${name} does not open with this passphrase (or it is damaged, which looks the same)`,
    cause
  )

const failure = (code: ErrorCode, text: string, cause?: unknown): StalkError =>
  new StalkError(code, text, { phase: 'setup', cause })
