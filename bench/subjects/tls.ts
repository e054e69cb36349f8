// The strongest rival: TLS 1.3 with a certificate at both ends, each verified by the other, and msgpackr's streams
// with their defaults, record structures included. What a Node user would write.

import { execFile } from 'node:child_process'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import tls, { type TLSSocket } from 'node:tls'
import { promisify } from 'node:util'
import { PackrStream, UnpackrStream } from 'msgpackr'
import type { Channel, Transport } from '../subject.ts'

export const transport: Transport = {
  async credentials() {
    const [ours, theirs] = await Promise.all([selfSigned(), selfSigned()])
    return {
      listener: { key: ours.key, cert: ours.cert, ca: theirs.cert },
      connector: { key: theirs.key, cert: theirs.cert, ca: ours.cert }
    }
  },

  async listen({ key, cert, ca }) {
    const mutual = { requestCert: true, rejectUnauthorized: true }
    const server = tls.createServer({ key, cert, ca, ...mutual, minVersion: 'TLSv1.3' })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const accepted = once(server, 'secureConnection').then(([socket]) => channelOf(socket as TLSSocket))
    accepted.finally(() => server.close())
    return { port: (server.address() as AddressInfo).port, accepted }
  },

  async connect(port, { key, cert, ca }) {
    const socket = tls.connect({ host: '127.0.0.1', port, key, cert, ca, minVersion: 'TLSv1.3' })
    await once(socket, 'secureConnect')
    return channelOf(socket)
  }
}

function channelOf(socket: TLSSocket): Channel {
  if (!socket.authorized || socket.getProtocol() !== 'TLSv1.3')
    throw new Error('tls: the peer is not verified')
  const outbound = new PackrStream()
  outbound.pipe(socket)
  return { outbound, inbound: socket.pipe(new UnpackrStream()) }
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
