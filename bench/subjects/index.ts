// The subjects by name. Each is loaded only where it is run, so that no process holds another's code: msgpackr
// can be changed by whoever loads it. Rivals with packages of their own live in bench/compare.

import { NotHere, type Subject, type Transport } from '../subject.ts'

/** What needs a package of its own, which may not be there, or not work on this machine. */
const rival = (load: () => Promise<Subject>) => async (): Promise<Subject> => {
  try {
    return await load()
  } catch (error) {
    throw new NotHere(`not installed (${String(error).split('\n')[0]})`)
  }
}

const LOADERS: Readonly<Record<string, () => Promise<Subject>>> = {
  stalk: async () => {
    const { stalk } = await import('./stalk.ts')
    const { local } = await import('./stalk-local.ts')
    return { transport: stalk({ type: 'rsa' }), local }
  },
  'stalk-ed25519': async () => ({ transport: (await import('./stalk.ts')).stalk({ type: 'ed25519' }) }),
  'stalk-resumed': async () => ({
    transport: (await import('./stalk.ts')).stalk({ type: 'rsa', resumed: true })
  }),
  direct: async () => {
    const { local, transport } = await import('./direct.ts')
    return { local, transport }
  },
  tls: async () => ({ transport: (await import('./tls.ts')).bareTls() }),
  'tls-resumed': async () => ({ transport: (await import('./tls.ts')).bareTls({ resumed: true }) }),
  'tls+msgpackr': async () => ({ transport: (await import('./tls.ts')).tlsWithMsgpackr }),
  tcp: async () => ({ transport: (await import('./tcp.ts')).bareTcp }),
  'tcp+length': async () => ({ transport: (await import('./tcp.ts')).tcpWithLengths }),
  'by-hand': async () => ({ transport: (await import('./by-hand.ts')).gcmByHand }),
  'crypto-rsa': async () => ({ transport: (await import('./crypto-alone.ts')).cryptoAlone('rsa') }),
  'crypto-ed25519': async () => ({ transport: (await import('./crypto-alone.ts')).cryptoAlone('ed25519') }),
  'crypto-resumed': async () => ({ transport: (await import('./crypto-alone.ts')).cryptoAlone(null) }),
  'tcp+msgpackr': async () => ({ transport: (await import('./tcp.ts')).tcpWithMsgpackr }),
  'secret-stream+msgpackr': rival(() => import('../compare/secret-stream.ts')),
  'zeromq+msgpackr': rival(() => import('../compare/zeromq.ts')),
  'libp2p-noise+msgpackr': rival(() => import('../compare/libp2p-noise.ts')),
  'ws+msgpackr': rival(() => import('../compare/ws.ts')),
  codec: async () => ({ codec: (await import('./codec.ts')).codec })
}

export async function loadSubject(name: string): Promise<Subject> {
  const load = LOADERS[name]
  if (!load) throw new Error(`there is no subject ${name}; there are ${Object.keys(LOADERS).join(', ')}`)
  return load()
}

export async function transportOf(name: string): Promise<Transport> {
  const { transport } = await loadSubject(name)
  if (!transport) throw new Error(`${name} is no transport`)
  return transport
}
