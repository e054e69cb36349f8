// The subjects by name. Each is loaded only where it is run, so that no process holds another's code: msgpackr
// can be changed by whoever loads it. Rivals with packages of their own are to live in bench/compare.

import type { Subject } from '../subject.ts'

export const SUBJECTS = {
  stalk: 'stalk, mutual RSA-2048, pinned',
  'tls+msgpackr': 'TLS 1.3, mutual RSA-2048, PackrStream',
  'tcp+msgpackr': 'plain TCP, PackrStream',
  codec: 'limit: msgpackr alone, no I/O, no crypto'
} as const

export type SubjectName = keyof typeof SUBJECTS

const LOADERS: Readonly<Record<SubjectName, () => Promise<Subject>>> = {
  stalk: async () => ({ transport: (await import('./stalk.ts')).transport }),
  'tls+msgpackr': async () => ({ transport: (await import('./tls.ts')).transport }),
  'tcp+msgpackr': async () => ({ transport: (await import('./tcp.ts')).transport }),
  codec: async () => ({ codec: (await import('./codec.ts')).codec })
}

export const loadSubject = (name: SubjectName): Promise<Subject> => LOADERS[name]()
