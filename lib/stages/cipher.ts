// The cipher stages: contents ↔ sealed records. They apply the Sealers and Openers that they are handed, and
// make the change of keys a barrier: outbound the new key stands in the queue behind the last record under the
// old one; inbound no record is opened until whoever took the one before it has installed the keys for it.

import { StalkError } from '../errors.ts'
import type { Frame } from '../wire/frame.ts'
import type { Inner, Opener, Outbound, Sealer } from '../wire/record.ts'
import { paced, type Stage } from './paced.ts'

/** Told of each content as it is sealed, in order. */
export type Sealed = (inner: Inner) => void

/** Contents (`Inner`), keys and frames in clear in (see `Outbound`), frames out. */
export function sealer(first?: Sealer, sealed: Sealed = () => {}): Stage {
  let current = first
  return paced<Outbound, Frame>(item => {
    if ('clear' in item) return [item.clear]
    if ('key' in item) {
      current = item.key
      return []
    }
    if (!current)
      throw new StalkError('ERR_STALK_INTERNAL', 'a record was to be sealed before there was a key')
    const frame = current.seal(item)
    sealed(item)
    return [frame]
  })
}

/** What opens records of a type; undefined for those that come in clear. */
export type Openers = (type: number) => Opener | undefined

/**
 * Takes a record away from the stream, or answers null for one that goes on. No further record is opened until
 * its promise is fulfilled; if it is rejected the stage fails with the reason.
 */
export type Handover = (type: number, inner: Inner) => Promise<void> | null

/** Frames in, contents out. Fails with ERR_STALK_BAD_RECORD for a frame that does not open. */
export function opener(openers: Opener | Openers, handover: Handover = () => null): Stage {
  const find: Openers = typeof openers === 'function' ? openers : () => openers
  return paced<Frame, Inner>(frame => {
    const inner = find(frame.type)?.open(frame) ?? frame
    const taken = handover(frame.type, inner)
    return taken === null ? [inner] : taken.then(() => [])
  })
}
