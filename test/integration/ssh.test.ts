// A channel of an ssh connection, of the package ssh2: what a remote command's stdin and stdout are.

import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import ssh from 'ssh2'
import { carries, type Link } from './talk.ts'

const hostKey = ssh.utils.generateKeyPairSync('ed25519').private

/** A server that lets everybody in and gives the channel of the first command that is run. */
function serve(): { server: ssh.Server; channel: Promise<Duplex> } {
  const server = new ssh.Server({ hostKeys: [hostKey] })
  const channel = new Promise<Duplex>(resolve => {
    server.on('connection', client => {
      client.on('error', () => {}) // it may be cut
      client.on('authentication', context => context.accept())
      client.on('session', accept => accept().on('exec', acceptCommand => resolve(acceptCommand())))
    })
  })
  return { server, channel }
}

async function make(): Promise<Link> {
  const { server, channel } = serve()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const client = new ssh.Client()
  client.on('error', () => {})
  client.connect({ host: '127.0.0.1', port, username: 'anyone' })
  await once(client, 'ready')
  const called = await new Promise<Duplex>((resolve, reject) => {
    client.exec('stalk', (error, opened) => (error ? reject(error) : resolve(opened)))
  })
  const close = (): void => {
    client.end()
    server.close()
  }
  return { called, accepted: await channel, cut: () => client.destroy(), close }
}

carries({ name: 'an ssh channel', closesBothWays: true, make })
