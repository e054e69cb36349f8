// Web streams: a duplex that went through toWeb and back, two that were web streams from the start, and the
// messages of a connection as web streams.

import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { type ReadableStream, TransformStream, type WritableStream } from 'node:stream/web'
import t from 'tap'
import { stalk } from '../../lib/index.ts'
import { alice, bob, tcpPair, within } from '../helpers/pair.ts'
import { carries, closed, type Link, messages } from './talk.ts'

async function thereAndBack(): Promise<Link> {
  const [called, accepted] = await tcpPair()
  const through = (duplex: Duplex): Duplex => Duplex.fromWeb(Duplex.toWeb(duplex))
  return {
    called: through(called),
    accepted: through(accepted),
    cut: () => void (called as Socket).resetAndDestroy()
  }
}

// By RST: a socket that is half open keeps its FIN from toWeb's reader until it is closed itself (node 20).
carries({ name: 'a socket as web streams', make: thereAndBack })

function webPair(): Link {
  const [there, back] = [new TransformStream(), new TransformStream()]
  const called = Duplex.fromWeb({ readable: back.readable, writable: there.writable })
  const accepted = Duplex.fromWeb({ readable: there.readable, writable: back.writable })
  return { called, accepted, cut: () => void called.destroy(new Error('cut')) }
}

carries({ name: 'a pair of TransformStreams', make: webPair })

t.test('the messages of a connection are read and written as web streams', async t => {
  const [called, accepted] = await tcpPair()
  const initiator = stalk(called, { identity: alice, peer: bob })
  const responder = stalk(accepted, { identity: bob, peer: alice })
  responder.pipe(responder)
  const { readable, writable } = Duplex.toWeb(initiator) as Web
  const writer = writable.getWriter()
  for (const message of messages.slice(0, 60)) await within(writer.write(message), 'write')
  await within(writer.close(), 'close')
  const got: unknown[] = []
  for await (const message of readable) got.push(message)
  t.same(got, messages.slice(0, 60))
  t.match(await closed(initiator), { kind: 'clean', sent: 60, received: 60 })
})

interface Web {
  readonly readable: ReadableStream<unknown>
  readonly writable: WritableStream<unknown>
}
