// Unix sockets: no address, no port, otherwise as TCP.

import { unixPair } from '../helpers/pair.ts'
import { carries } from './talk.ts'

carries({
  name: 'a Unix socket',
  knowsRoles: true,
  make: async () => {
    const [called, accepted] = await unixPair()
    return { called, accepted, cut: () => void accepted.destroy() }
  }
})
