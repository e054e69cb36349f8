// TLS sockets, with a certificate of openssl's: stalk inside TLS, where a TLS terminator is in the way anyhow.

import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import tls from 'node:tls'
import { carries, type Link } from './talk.ts'

interface Certificate {
  readonly key: Buffer
  readonly cert: Buffer
}

/** A self-signed certificate for localhost. */
function selfSigned(): Certificate {
  const folder = mkdtempSync(join(tmpdir(), 'stalk-tls-'))
  const [keyFile, certFile] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost']
  const args = ['req', '-x509', '-days', '2', ...kind, ...subject, '-keyout', keyFile, '-out', certFile]
  execFileSync('openssl', args, { stdio: 'ignore' })
  const made = { key: readFileSync(keyFile), cert: readFileSync(certFile) }
  rmSync(folder, { recursive: true })
  return made
}

const certificate = selfSigned()

async function make(): Promise<Link> {
  const server = tls.createServer({ ...certificate, allowHalfOpen: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const there = {
    host: '127.0.0.1',
    port,
    servername: 'localhost',
    ca: certificate.cert,
    allowHalfOpen: true
  }
  const called = tls.connect(there)
  const [[accepted]] = await Promise.all([once(server, 'secureConnection'), once(called, 'secureConnect')])
  server.close()
  return { called, accepted: accepted as tls.TLSSocket, cut: () => void called.destroy() }
}

carries({ name: 'TLS', knowsRoles: true, make })
