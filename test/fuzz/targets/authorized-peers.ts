// The target authorized-peers: the text of a file of authorized peers, with its options.

import { AuthorizedFile } from '../../../lib/trust/authorized-file.ts'
import { withLine } from '../../../lib/trust/lines.ts'
import { attempt, magnitude, require, type Target, texts } from '../target.ts'
import { ann, everybody, expanded, stranger } from '../trusting.ts'

export type ReadAuthorized = (text: string, path: string) => Pick<AuthorizedFile, 'admit' | 'entries'>

const FORMAT = ['ERR_STALK_TRUST_FILE_FORMAT'] as const
const REFUSED = ['ERR_STALK_UNAUTHORIZED', 'ERR_STALK_PEER_REVOKED'] as const
const PATH = 'authorized_peers'
const NOW = Date.UTC(2026, 0, 31)

export const authorizedPeers = (read: ReadAuthorized = AuthorizedFile.read): Target => ({
  name: 'authorized-peers',
  properties: [
    'nothing but ERR_STALK_TRUST_FILE_FORMAT is thrown when it is read, and refusals when it is asked',
    'a file with a line that is none, or with an option that does not exist, is refused',
    'a key that is not in the file does not get in',
    'a key that is revoked does not get in',
    'whoever gets in has an entry that is not over and takes it from there',
    'a name can be shown on one line'
  ],
  maxBytes: 512,
  dictionary: texts(
    ...[
      '%A',
      '%B',
      '%C',
      '%S',
      '%T',
      '%U',
      '\n',
      '\r\n',
      ' ',
      '\t',
      ',',
      '"',
      '\\',
      '\\"',
      '!',
      '@revoked ',
      '="'
    ],
    ...[
      'name="',
      'from="',
      'expiry-time="',
      '192.0.2.7',
      '10.0.0.0/8',
      '2001:db8::/32',
      '10.*',
      '20270101Z',
      '20250101'
    ],
    ...['1200', '::', 'ssh-ed25519 AAAA', 'command="x"', '\x00']
  ),
  seeds: () =>
    texts(
      '%A me\n%B\n',
      'name="ann",from="192.0.2.7,10.0.0.0/8,!10.0.0.1",expiry-time="20270101Z" %A\n',
      'from="2001:db8::/32,10.*" %B\r\n@revoked %C\r\n',
      '# who\n\nname="a \\"b\\" \\\\" %A\n%S\n%T\n',
      'expiry-time="20250101" %A'
    ),
  run(input) {
    const text = expanded(input)
    const { value: file, code } = attempt(FORMAT, () => read(text, PATH))
    for (const bad of ['what?', `command="x" ${ann.publicLine.trim()}`])
      require(attempt(FORMAT, () => read(withLine(text, bad), PATH)).value ===
        null, 'a line that is none is passed over')
    if (file === null) return `${code} ${magnitude(text.length)}`
    const traits = new Set<string>()
    for (const address of ['192.0.2.7', '::ffff:10.0.0.1', '2001:db8::1', undefined]) {
      for (const peer of everybody) traits.add(requireRight(file, peer, address))
      require(attempt(REFUSED, () => file.admit(stranger, address, NOW)).value === null, 'a stranger gets in')
    }
    const revoked = read(withLine(text, `@revoked ${ann.publicLine.trim()}`), PATH)
    const asked = attempt(REFUSED, () => revoked.admit(ann, '192.0.2.7', NOW))
    require(asked.code === 'ERR_STALK_PEER_REVOKED', 'a key that is revoked gets in')
    return `${[...traits].sort()} ${magnitude(file.entries.length)}`
  }
})

function requireRight(
  file: ReturnType<ReadAuthorized>,
  peer: (typeof everybody)[number],
  address: string | undefined
): string {
  const { value: entry, code } = attempt(REFUSED, () => file.admit(peer, address, NOW))
  if (entry === null) return String(code)
  const { expires, allows, name } = entry.options
  require(expires > NOW && allows(address), 'an entry lets in whom it does not take')
  require(!/[\n\r]/.test(name ?? ''), 'a name has a line break')
  return `in ${name !== null} ${Number.isFinite(expires)}`
}
