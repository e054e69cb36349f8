// A listener with authorized peers, over real sockets: who gets in by which name, and that the file of this moment counts.

import { once } from 'node:events'
import { chmodSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { authorizedPeers, connect, type Identity, listener, Succession, stalk } from '../../lib/index.ts'
import { freshPath, pair } from '../helpers/pair.ts'
import { alice, bob, carol, fileOf, noModes, words } from '../trust/files.ts'

interface Served {
  /** How it went for somebody: the name, or the code of what the listener was told. */
  meet(identity: Identity | null): Promise<unknown>
  readonly path: string
}

async function serve(t: Test, ...lines: string[]): Promise<Served> {
  const path = fileOf(t, ...lines)
  const server = listener('127.0.0.1', 0, conn => conn.on('error', () => {}).end(), {
    identity: bob,
    authorize: authorizedPeers(path)
  })
  t.teardown(() => server.close())
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const meet = async (identity: Identity | null): Promise<unknown> => {
    const heard = Promise.race([
      once(server, 'connection').then(([conn]) => conn.security.peerName),
      once(server, 'clientError').then(([error]) => error.code)
    ])
    const met = connect('127.0.0.1', port, { identity, peer: bob }).then(
      conn => {
        conn.resume()
        return 'in'
      },
      error => error.code
    )
    const [here, there] = [await heard, await met]
    if ((there === 'in') !== !String(here).startsWith('ERR_'))
      throw new Error(`${here} here and ${there} there`)
    if (there !== 'in' && there !== 'ERR_STALK_REJECTED') throw new Error(`told the peer ${there}`)
    return here
  }
  return { meet, path }
}

t.test('the name of the entry is the name of the peer: the option, or else the comment', async t => {
  const { meet } = await serve(
    t,
    `name="ann" ${words(alice, 'a comment')}`,
    words(carol, 'Carol’s laptop'),
    words(bob)
  )
  t.equal(await meet(alice), 'ann')
  t.equal(await meet(carol), 'Carol’s laptop')
  t.equal(await meet(bob), null)
  t.equal(await meet(null), 'ERR_STALK_PEER_ANONYMOUS')
})

t.test('the file of this moment counts, and one that is unfit lets in nobody', async t => {
  const { meet, path } = await serve(t, words(alice))
  t.equal(await meet(alice), null)
  t.equal(await meet(carol), 'ERR_STALK_UNAUTHORIZED')
  writeFileSync(path, `name="c" ${words(carol)}\n`)
  t.equal(await meet(carol), 'c')
  t.equal(await meet(alice), 'ERR_STALK_UNAUTHORIZED')
  writeFileSync(path, `name="c" ${words(carol)}\nwhat?\n`)
  t.equal(await meet(carol), 'ERR_STALK_TRUST_FILE_FORMAT')
  t.equal(await meet(carol), 'ERR_STALK_TRUST_FILE_FORMAT', 'the last good one is not kept')
  rmSync(path)
  t.equal(await meet(carol), 'ERR_STALK_TRUST_FILE_MISSING')
  writeFileSync(path, `${words(carol)}\n`, { mode: 0o600 })
  t.equal(await meet(carol), null)
  if (noModes) return
  chmodSync(path, 0o660)
  t.equal(await meet(carol), 'ERR_STALK_TRUST_FILE_MODE')
  chmodSync(path, 0o600)
  t.equal(await meet(carol), null)
})

t.test('a change that leaves size and time as they were is seen', { skip: noModes }, async t => {
  const { meet, path } = await serve(t, words(alice))
  const { atime, mtime } = statSync(path)
  t.equal(await meet(alice), null)
  writeFileSync(path, `${words(carol)}\n`)
  utimesSync(path, atime, mtime)
  t.equal(await meet(alice), 'ERR_STALK_UNAUTHORIZED')
  t.equal(await meet(carol), null)
})

t.test('from is the address of the socket; expired and revoked keys do not get in', async t => {
  const { meet, path } = await serve(
    t,
    `from="127.0.0.0/8" ${words(alice)}`,
    `from="!127.0.0.1,*" ${words(carol)}`
  )
  t.equal(await meet(alice), null)
  t.equal(await meet(carol), 'ERR_STALK_UNAUTHORIZED')
  writeFileSync(path, `expiry-time="20250101Z" ${words(alice)}\n${words(carol)}\n@revoked ${words(carol)}\n`)
  t.equal(await meet(alice), 'ERR_STALK_UNAUTHORIZED')
  t.equal(await meet(carol), 'ERR_STALK_PEER_REVOKED')
})

t.test('a succession is recorded in the file, and the new key has the old name', async t => {
  const { meet, path } = await serve(t, `name="ann" ${words(alice)}`)
  const file = authorizedPeers(path)
  const statement = await Succession.sign(alice, carol)
  t.equal(await file.succeed(statement), true)
  t.equal(await file.succeed(statement), false)
  t.equal(await meet(carol), 'ann')
  await t.rejects(file.succeed(await Succession.sign(bob, alice)), {
    code: 'ERR_STALK_SUCCESSION',
    message: `the succession is not followed: ${path} does not know ${bob.fingerprint}`
  })
  await t.rejects(file.succeed(await Succession.sign(alice, bob)), {
    code: 'ERR_STALK_SUCCESSION',
    message: /has two successors \(line 2\)/
  })
  writeFileSync(path, `${words(alice)}\n@revoked ${words(alice)}\n`)
  await t.rejects(file.succeed(statement), {
    code: 'ERR_STALK_SUCCESSION',
    message: `the succession is not followed: ${alice.fingerprint} is revoked in ${path}, line 2`
  })
  await t.rejects(file.succeed({} as never), { code: 'ERR_STALK_SUCCESSION' })
})

t.test('where no address is known, entries with from let nobody in', { skip: noModes }, async t => {
  const file = authorizedPeers(fileOf(t, `from="*" ${words(alice)}`))
  const path = freshPath()
  const server = listener({ path, identity: bob, authorize: file })
  t.teardown(() => server.close())
  await once(server, 'listening')
  const refused = once(server, 'clientError')
  await t.rejects(connect({ path, identity: alice, peer: bob }), { code: 'ERR_STALK_REJECTED' })
  t.match(await refused, [
    {
      code: 'ERR_STALK_UNAUTHORIZED',
      message: `${alice.fingerprint} is not authorized: ${file.path}, line 1, takes it from some addresses, and none is known`
    }
  ])
  const [a, b] = pair()
  const there = stalk(a, { role: 'initiator', identity: alice, peer: bob })
  there.on('error', () => {})
  const here = stalk(b, { role: 'responder', identity: bob, authorize: file })
  here.on('error', () => {})
  await t.rejects(here.ready, { code: 'ERR_STALK_UNAUTHORIZED', message: /none is known$/ })
})

t.test('an initiator may have such a file too, and a path has to be one', async t => {
  const { meet } = await serve(t, words(alice))
  t.equal(await meet(alice), null)
  for (const path of ['', 1, null])
    t.throws(() => authorizedPeers(path as string), {
      code: 'ERR_STALK_INVALID_OPTION',
      message: 'authorizedPeers takes the path of a file'
    })
  const file = authorizedPeers(fileOf(t, words(bob, 'the server')))
  t.throws(() => listener('127.0.0.1', 0, () => {}, { identity: bob, peer: file as never }), {
    code: 'ERR_STALK_INVALID_OPTION',
    message: 'option peer: authorized peers belong into the option authorize'
  })
  const server = listener('127.0.0.1', 0, conn => conn.on('error', () => {}).end(), { identity: bob })
  t.teardown(() => server.close())
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const conn = await connect('127.0.0.1', port, { identity: null, authorize: file })
  t.equal(conn.security?.peerName, 'the server')
  conn.resume()
})
