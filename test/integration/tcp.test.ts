// TCP: sockets of node:net, cut by RST and by FIN.

import type { Socket } from 'node:net'
import { tcpPair } from '../helpers/pair.ts'
import { carries } from './talk.ts'

carries({
  name: 'TCP, cut by RST',
  knowsRoles: true,
  make: async () => {
    const [called, accepted] = await tcpPair()
    return { called, accepted, cut: () => void (accepted as Socket).resetAndDestroy() }
  }
})

carries({
  name: 'TCP, cut by FIN',
  knowsRoles: true,
  make: async () => {
    const [called, accepted] = await tcpPair()
    return { called, accepted, cut: () => void called.end() }
  }
})
