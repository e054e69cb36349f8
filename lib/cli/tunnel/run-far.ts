// The far end of `stalk tunnel`, from the command line to its end. Knows its options, who may come in, and who did not;
// each connection is far.ts's.

import type net from 'node:net'
import { type Identity, listener } from '../../index.ts'
import { asReached, textOf } from '../address.ts'
import { type Args, usage } from '../args.ts'
import { explainCaller } from '../explain.ts'
import { Flow } from '../flow.ts'
import { described, expected, namedIdentity, requireDefault } from '../keys.ts'
import type { Shell } from '../shell.ts'
import { showStatus } from '../status.ts'
import { harmless } from '../terminal.ts'
import { fingerprintOf } from '../words.ts'
import { Far } from './far.ts'
import {
  DIAL_SECONDS,
  failureOf,
  listening,
  ms,
  namesOf,
  place,
  stalkOptions,
  trafficOf,
  untilSignal,
  whereOf
} from './settings.ts'
import { farWords, showBegun } from './words.ts'

/** A near end shakes hands for 8 at a time; several may come from one address. */
const MAX_HALF_OPEN_PER_ADDRESS = 64

export async function runFar(args: Args, shell: Shell): Promise<void> {
  const { voice } = shell
  const from = place(args, 'serve', 0)
  const address = place(args, 'target', 1)
  const peers = await authorized(args)
  const named = await namedIdentity(args)
  const identity = named === undefined ? await requireDefault(['--anonymous goes without']) : named
  const flow = new Flow()
  const traffic = trafficOf(args, shell, 'far', flow)
  const server = listener({
    ...from,
    ...stalkOptions(args, shell),
    identity,
    peer: peers.length > 0 ? peers : 'anyone',
    tickets: true,
    maxHalfOpenPerAddress: MAX_HALF_OPEN_PER_ADDRESS
  })
  const timeoutMs = ms(args, 'connect-timeout', DIAL_SECONDS) as number
  const far = new Far(server, traffic, { address, timeoutMs }, farWords(voice))
  server.on('clientError', (error: Error, socket: net.Socket) => {
    voice.complain('clientError', explainCaller(error, socket))
  })
  const ended = untilSignal(args, shell, traffic, () => {
    server.close()
    far.end()
  })
  await listening(server, from)
  const where = whereOf(server)
  showBegun(
    voice,
    { end: 'far', where, leadsTo: textOf(address) },
    { identity: fingerprintOf(identity), authorized: namesOf(peers) },
    [
      `  we:      ${described(identity)}`,
      `  lets in: ${namesOf(peers).join('\n           ') || 'anyone'}`,
      `  to use it: stalk tunnel --listen ${address.port ?? 'PLACE'} --to ${harmless(asReached(where))} \\`,
      `    ${identity ? `--peer ${identity.fingerprint}` : '--anyone'}`
    ]
  )
  showStatus(shell, flow, 'connection')
  await Promise.race([ended, failureOf(server)])
}

async function authorized(args: Args): Promise<(Identity | string)[]> {
  const names = args.list('authorize')
  if (args.has('anyone') && names.length > 0) throw usage('either --authorize or --anyone, not both')
  if (args.has('anyone')) return []
  if (names.length > 0) return expected('authorize', names)
  throw usage('who may use the target? Say --authorize SHA256:… or --authorize FILE', [
    '`stalk fingerprint` shows it, at the near end',
    '--anyone lets in whoever can reach this place'
  ])
}
