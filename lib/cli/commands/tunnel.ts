// `stalk tunnel`: carries connections of any program from one end to the other. Knows the options of both ends and which
// end they make; what the ends do is tunnel/'s.

import { type Args, usage } from '../args.ts'
import type { Command } from '../command.ts'
import { KEY_LOG } from '../key-log.ts'
import { WHO_WE_ARE } from '../keys.ts'
import type { Shell } from '../shell.ts'
import { runFar } from '../tunnel/run-far.ts'
import { runNear } from '../tunnel/run-near.ts'
import { DIAL_SECONDS, DRAIN_SECONDS, PLACES } from '../tunnel/settings.ts'
import type { End } from '../tunnel/words.ts'

export const tunnel: Command = {
  name: 'tunnel',
  summary: 'carry the connections of other programs, encrypted and authenticated',
  usage: [
    'tunnel --listen PLACE --to PLACE --peer KEY [OPTIONS]',
    'tunnel --serve PLACE --target PLACE --authorize KEY [OPTIONS]'
  ],
  about: [
    'A tunnel has two ends. The far end stands beside a service, as in `stalk tunnel --serve 0.0.0.0:4000 --target 127.0.0.1:6379 --authorize SHA256:…`; the near end stands beside the programs that use it, as in `stalk tunnel --listen 6379 --to HOST:4000 --peer SHA256:…`. A program that connects to the near end then talks to the service. A PLACE is [HOST:]PORT, or the path of a Unix socket, which has a slash in it; HOST is 127.0.0.1 unless you say another.',
    "Each connection has one of stalk's to itself: none waits for another, each end is an end at the other side and each reset a reset. (A Unix socket has no reset: there it is an end.) A target that can't be reached is said at both ends, and the program is reset.",
    'SIGINT (Ctrl-C) and SIGTERM take no further connections and wait for those that are open; then the exit code is 0, or 5 if some had to be reset. A second one ends at once. A near end that is not accepted, or finds another key, when it starts ends with 4.'
  ],
  options: [
    { name: 'listen', value: 'PLACE', text: 'near: where programs connect to' },
    { name: 'to', value: 'PLACE', text: 'near: where the far end is' },
    {
      name: 'peer',
      value: 'KEY',
      multiple: true,
      text: "near: the far end's fingerprint (SHA256:…) or a key file; one of them, if several"
    },
    { name: 'serve', value: 'PLACE', text: 'far: where near ends connect to' },
    { name: 'target', value: 'PLACE', text: 'far: the service to carry connections to' },
    {
      name: 'authorize',
      value: 'KEY',
      multiple: true,
      text: 'far: who may use it: a fingerprint (SHA256:…) or a key file'
    },
    { name: 'anyone', text: 'near: whoever answers there; far: whoever comes. Nothing is verified' },
    ...WHO_WE_ARE,
    { name: 'max-connections', value: 'N', text: `open at once; default: ${PLACES}` },
    {
      name: 'max-per-address',
      value: 'N',
      text: 'open at once from one address; default: as many as in all'
    },
    { name: 'idle', value: 'SECONDS', text: 'reset what moves nothing for so long; default: never' },
    {
      name: 'connect-timeout',
      value: 'SECONDS',
      text: `how long the other side may take to answer; default: ${DIAL_SECONDS}`
    },
    {
      name: 'drain',
      value: 'SECONDS',
      text: `how long open connections have to end; default: ${DRAIN_SECONDS}`
    },
    {
      name: 'keep-alive',
      value: 'SECONDS',
      text: 'ask a silent other end for a sign of life, and reset without one. It counts as silent too while a program reads nothing; default: only what TCP does'
    },
    KEY_LOG
  ],
  run: carry
}

async function carry(args: Args, shell: Shell): Promise<void> {
  const end = endOf(args)
  await (end === 'near' ? runNear(args, shell) : runFar(args, shell))
}

/** Which one the options describe; those of the other are out of place. */
function endOf(args: Args): End {
  const [extra] = args.positionals
  if (extra !== undefined) throw usage(`${extra} is too much: each PLACE has an option of its own`)
  const near = ['listen', 'to', 'peer'].filter(name => args.has(name))
  const far = ['serve', 'target', 'authorize'].filter(name => args.has(name))
  if (near.length > 0 && far.length > 0)
    throw usage(
      `--${near[0]} is for the near end of a tunnel and --${far[0]} for the far end: this is one of them`
    )
  if (far.length === 0 && near.length === 0)
    throw usage('a tunnel has a near end (--listen, --to) and a far end (--serve, --target)')
  return near.length > 0 ? 'near' : 'far'
}
