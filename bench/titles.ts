// What the subjects are called where a person reads of them.

const TITLES = {
  stalk: 'stalk, mutual RSA-2048, pinned',
  'stalk-ed25519': 'stalk, mutual Ed25519, pinned',
  'stalk-resumed': 'stalk, resumed',
  direct: 'limit: the same codecs in one Duplex',
  tls: 'TLS 1.3, mutual RSA-2048',
  'tls-resumed': 'TLS 1.3, resumed',
  'tls+msgpackr': 'TLS 1.3, mutual RSA-2048, msgpackr',
  tcp: 'plain TCP',
  'tcp+length': 'limit: plain TCP, the same buffers',
  'by-hand': 'limit: AES-256-GCM by hand',
  'crypto-rsa': 'limit: TCP and the calls to node:crypto, RSA-2048',
  'crypto-ed25519': 'limit: TCP and the calls to node:crypto, Ed25519',
  'crypto-resumed': 'limit: TCP and the calls to node:crypto, resumed',
  'tcp+msgpackr': 'plain TCP, msgpackr',
  'secret-stream+msgpackr': '@hyperswarm/secret-stream, msgpackr',
  'zeromq+msgpackr': 'ZeroMQ CURVE, msgpackr',
  'libp2p-noise+msgpackr': '@chainsafe/libp2p-noise, msgpackr',
  'ws+msgpackr': 'ws over TLS 1.3, mutual, msgpackr',
  codec: 'limit: msgpackr alone, no I/O, no crypto'
} as const

export type SubjectName = keyof typeof TITLES

export const titled = (names: readonly SubjectName[]): Readonly<Record<string, string>> =>
  Object.fromEntries(names.map(name => [name, TITLES[name]]))

/** The same where there is little room. */
const SHORT_TITLES: Partial<Record<string, string>> = {
  stalk: 'stalk',
  'stalk-ed25519': 'stalk, Ed25519',
  'tls+msgpackr': 'TLS 1.3',
  tls: 'TLS 1.3',
  'tcp+msgpackr': 'plain TCP',
  tcp: 'plain TCP',
  'tcp+length': 'limit: TCP',
  'secret-stream+msgpackr': 'secret-stream',
  'zeromq+msgpackr': 'ZeroMQ CURVE',
  'libp2p-noise+msgpackr': 'libp2p-noise',
  'ws+msgpackr': 'ws over TLS',
  'by-hand': 'limit: GCM by hand',
  codec: 'limit: codec',
  direct: 'limit: the codecs in one Duplex'
}

export const shortTitle = (name: string, otherwise = name): string =>
  SHORT_TITLES[name] ?? TITLES[name as SubjectName] ?? otherwise

/** Those that bench/compare has. */
export const RIVALS = [
  'secret-stream+msgpackr',
  'zeromq+msgpackr',
  'libp2p-noise+msgpackr',
  'ws+msgpackr'
] as const

export const isRival = (name: string): boolean => RIVALS.some(rival => rival === name)

/** All that carry any message. */
export const CARRIERS = ['stalk', 'tls+msgpackr', ...RIVALS, 'tcp+msgpackr'] as const

/** Those that stalk can't be ahead of. Plain TCP protects nothing. */
const LIMITS = [
  'codec',
  'direct',
  'tcp',
  'tcp+length',
  'tcp+msgpackr',
  'by-hand',
  'crypto-rsa',
  'crypto-ed25519',
  'crypto-resumed'
]

export const isLimit = (name: string): boolean => LIMITS.includes(name)
