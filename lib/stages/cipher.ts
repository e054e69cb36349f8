// The cipher stages: contents ↔ sealed records. They apply the Sealers and Openers that they are handed, and
// make the change of keys a barrier: outbound the new key stands in the queue behind the last record under the
// old one; inbound no record is opened until whoever took the one before it has installed the keys for it.

import { TYPE } from '../constants.ts'
import { StalkError } from '../errors.ts'
import type { Frame } from '../wire/frame.ts'
import {
  contentBytes,
  type Inner,
  type Opener,
  type Outbound,
  type Sealer,
  type Used
} from '../wire/record.ts'
import { paced, type Stage } from './paced.ts'

/** Told of each content as it is sealed, in order, and of what was done under its key by then. */
export type Sealed = (inner: Inner, used: Used) => void

/** How long a content's plaintext is to be, kind and padding included, if `least` is what it needs; both in bytes. */
export type Pad = (least: number) => number

/** Contents (`Inner`), keys and frames in clear in (see `Outbound`), frames out. */
export function sealer(first?: Sealer, sealed: Sealed = () => {}, pad?: Pad): Stage {
  let current = first
  return paced<Outbound, Frame>(item => {
    if ('clear' in item) return [item.clear]
    if ('key' in item) {
      current?.retire()
      current = item.key
      return []
    }
    if (!current)
      throw new StalkError('ERR_STALK_INTERNAL', 'a record was to be sealed before there was a key')
    const padded = pad && current.type === TYPE.sealedApplication
    const frame = current.seal(padded ? { ...item, innerBytes: pad(contentBytes(item) + 1) } : item)
    sealed(item, current.used)
    return [frame]
  })
}

/** What opens records of a type; undefined for those that come in clear. */
export type Openers = (type: number) => Opener | undefined

/**
 * Takes a record away from the stream, or answers null for one that goes on. No further record is opened until
 * its promise is fulfilled; if it is rejected the stage fails with the reason.
 */
export type Handover = (frame: Frame, inner: Inner) => Promise<void> | null

/** Frames in, contents out. Fails with ERR_STALK_BAD_RECORD for a frame that does not open. */
export function opener(openers: Opener | Openers, handover: Handover = () => null): Stage {
  const find: Openers = typeof openers === 'function' ? openers : () => openers
  return paced<Frame, Inner>(frame => {
    const opened = find(frame.type)?.open(frame)
    if (opened) frame.loan?.giveBack() // nobody reads what was sealed any more
    const inner = opened ?? frame
    const taken = handover(frame, inner)
    return taken === null ? [inner] : taken.then(() => [])
  })
}
