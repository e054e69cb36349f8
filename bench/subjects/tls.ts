// The strongest rival: TLS 1.3 with an RSA-2048 certificate at both ends, each verified by the other; bare, or with
// msgpackr's streams.

import { execFile } from 'node:child_process'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import tls, { type TLSSocket } from 'node:tls'
import { promisify } from 'node:util'
import { type BothCredentials, type Channel, type Credentials, MAX_FULL, type Transport } from '../subject.ts'
import { bare, withMsgpackr } from './tcp.ts'

interface Kind {
  /** Whether sessions are resumed, all but the first. */
  readonly resumed?: boolean
}

function tlsTransport(channelOf: (socket: TLSSocket) => Channel, { resumed = false }: Kind = {}): Transport {
  let session: Buffer | undefined // good for any number of connections, as node's own agent takes it
  let full = 0
  return {
    credentials: mutualCertificates,

    async listen(own, accepted) {
      const server = tls.createServer(mutual(own), socket => accepted(channelOf(verified(socket))))
      server.on('tlsClientError', error => {
        throw error
      })
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      return (server.address() as AddressInfo).port
    },

    async connect(port, own) {
      const socket = tls.connect({
        host: '127.0.0.1',
        port,
        secureContext: contextOf(own),
        minVersion: 'TLSv1.3',
        ...(session ? { session } : {})
      })
      await once(socket, 'secureConnect')
      if (resumed && !session) [session] = await once(socket, 'session')
      if (resumed && !socket.isSessionReused() && ++full > MAX_FULL) {
        throw new Error('tls: sessions are not resumed')
      }
      return channelOf(verified(socket))
    }
  }
}

export const bareTls = (kind?: Kind): Transport => tlsTransport(bare, kind)
export const tlsWithMsgpackr: Transport = tlsTransport(withMsgpackr)

/** What a server needs so that both ends are verified, in TLS 1.3 alone. */
export const mutual = ({ key, cert, ca }: Credentials) =>
  ({ key, cert, ca, requestCert: true, rejectUnauthorized: true, minVersion: 'TLSv1.3' }) as const

let context: tls.SecureContext | undefined

/** Made once, as a program that connects often would. */
function contextOf({ key, cert, ca }: Credentials): tls.SecureContext {
  context ??= tls.createSecureContext({ key, cert, ca, minVersion: 'TLSv1.3' })
  return context
}

export function verified(socket: TLSSocket): TLSSocket {
  if (!socket.authorized || socket.getProtocol() !== 'TLSv1.3')
    throw new Error('tls: the peer is not verified')
  return socket
}

/** For both ends, each with the other's as what it trusts. */
export async function mutualCertificates(): Promise<BothCredentials> {
  const [ours, theirs] = await Promise.all([selfSigned(), selfSigned()])
  return { listener: { ...ours, ca: theirs.cert }, connector: { ...theirs, ca: ours.cert } }
}

/** An RSA-2048 key and a certificate that it signed for itself, in PEM. */
async function selfSigned(): Promise<{ key: string; cert: string }> {
  const request = 'req -x509 -newkey rsa:2048 -nodes -keyout - -out - -days 2 -subj /CN=stalk-bench'
  const { stdout } = await promisify(execFile)('openssl', [
    ...request.split(' '),
    '-addext',
    'subjectAltName=IP:127.0.0.1'
  ])
  return { key: block(stdout, 'PRIVATE KEY'), cert: block(stdout, 'CERTIFICATE') }
}

function block(pem: string, label: string): string {
  const found = pem.match(new RegExp(`-----BEGIN ${label}-----[^-]+-----END ${label}-----`))
  if (found === null) throw new Error(`openssl has made no ${label}`)
  return `${found[0]}\n`
}
