// The target known-peers: the text of a file of known peers, and its changes.

import { Hosts, type Place } from '../../../lib/trust/hosts.ts'
import { withKnown, withoutKnown, withRevoked } from '../../../lib/trust/known-edits.ts'
import { KnownFile } from '../../../lib/trust/known-file.ts'
import { withLine } from '../../../lib/trust/lines.ts'
import { attempt, magnitude, require, type Target, texts } from '../target.ts'
import { ann, everybody, expanded, stranger } from '../trusting.ts'

export type ReadKnown = (text: string, path: string) => Pick<KnownFile, 'entries' | 'verdict' | 'successions'>

const FORMAT = ['ERR_STALK_TRUST_FILE_FORMAT'] as const
const PATH = 'known_peers'

const PLACES: readonly Place[] = [
  { host: 'a', port: 1 },
  { host: 'a.org', port: 4000 },
  { host: '::1', port: 65_535 },
  { host: 'unix:/x', port: undefined }
]

const isIn = (kind: string): boolean => kind === 'known' || kind === 'successor'

export const knownPeers = (read: ReadKnown = KnownFile.read): Target => ({
  name: 'known-peers',
  properties: [
    'nothing but ERR_STALK_TRUST_FILE_FORMAT is thrown',
    'a file with a line that is none is refused',
    'a key that is not in the file gets in nowhere',
    'whoever is revoked everywhere gets in nowhere',
    'whoever is added is known there, or was succeeded, and whoever is forgotten is not in the file any more',
    'forgetting a key leaves all other lines as they are'
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
      '!',
      '*',
      '?',
      '#',
      '@revoked ',
      '|1|'
    ],
    ...[
      'a',
      'a.org',
      '*.org',
      '[a]:1',
      '[a.org]:4000',
      '[*]:*',
      '::1',
      'unix:/x',
      'ssh-ed25519 AAAA',
      'label',
      '\x00'
    ]
  ),
  seeds: () =>
    texts(
      'a %A label\n[a.org]:4000,*.org %B\n',
      '# mine\r\n\r\n@revoked * %A\r\na,!b %C\r\n',
      '* %A\n%S\n%T\n[a]:1 %B',
      '%S\n%U\n',
      'a ssh-ed25519 AAAA\n'
    ),
  run(input) {
    const text = expanded(input)
    const { value: file, code } = attempt(FORMAT, () => read(text, PATH))
    const spoilt = attempt(FORMAT, () => read(withLine(text, 'what?'), PATH))
    require(spoilt.value === null, 'a line that is none is passed over')
    if (file === null) return `${code} ${magnitude(text.length)}`
    const traits = new Set<string>()
    for (const place of PLACES) {
      for (const peer of everybody) traits.add(file.verdict(place, peer).kind)
      require(!isIn(file.verdict(place, stranger).kind), 'a stranger gets in')
    }
    requireRevocable(text, read)
    requireForgettable(text, read)
    return `${[...traits].sort()} ${magnitude(file.entries.length)} ${file.successions.all.length}`
  }
})

function requireRevocable(text: string, read: ReadKnown): void {
  const revoked = read(withRevoked(text, PATH, Hosts.of('*'), ann.raw, ''), PATH)
  for (const place of PLACES)
    require(revoked.verdict(place, ann).kind === 'revoked', 'a key that is revoked is not refused')
}

function requireForgettable(text: string, read: ReadKnown): void {
  const added = withKnown(text, PATH, Hosts.of('[a]:1'), stranger, 'new')
  require(read(added, PATH).verdict({ host: 'a', port: 1 }, stranger).kind ===
    'known', 'who is added is not known')
  const again = withoutKnown(added, PATH, stranger.fingerprint, () => {})
  require(again === (text === '' || text.endsWith('\n') ? text : `${text}\n`), 'other lines are changed')
  const without = read(
    withoutKnown(text, PATH, ann.fingerprint, () => {}),
    PATH
  )
  require(!without.entries.some(
    ({ key, revoked }) => !revoked && key.fingerprint === ann.fingerprint
  ), 'who is forgotten is still there')
}
