// The message codec (lib/wire/message) and its steps one by one: check (values), pack and unpack (packer), scan, once
// key sets that repeat are shapes. A hundred messages a batch, as a busy sender writes them; msgpackr called directly stands beside it.

import { Packr, Unpackr } from 'msgpackr'
import {
  Check,
  KeySets,
  MessageDecoder,
  MessageEncoder,
  type MessageFrame,
  ShapePacker,
  Shapes,
  ShapeUnpacker,
  scan
} from '../inside.ts'
import { type PayloadName, payloadOf } from '../payloads.ts'
import type { Step, Steps } from './index.ts'

const MESSAGES = 100

const messagesOf = (name: PayloadName): unknown[] => {
  const payload = payloadOf(name)
  return Array.from({ length: MESSAGES }, (_, index) => payload.make(index))
}

const refused = (_index: number, error: Error): never => {
  throw error
}

/** What a connection has learnt by then: the key sets that repeat are shapes. */
function taught(messages: readonly unknown[]) {
  const [keySets, shapes] = [new KeySets(), new Shapes()]
  const examine = (): readonly boolean[] => {
    const check = new Check(keySets, shapes.sizes !== null)
    for (const message of messages) check.examine(message)
    return check.shaped
  }
  examine()
  if (keySets.due) shapes.announce(keySets.take(shapes.room))
  const shaped = examine()
  const packer = new ShapePacker(shapes.all)
  return { keySets, shapes, shaped, packer, bytes: packer.pack(messages, shaped, 0), sizes: shapes.sizes }
}

type Make = (messages: unknown[]) => () => void

const MAKERS: Readonly<Record<string, { readonly title: string; make: Make }>> = {
  encode: {
    title: 'encode: the whole codec',
    make: messages => {
      const encoder = new MessageEncoder()
      return () => {
        for (const _ of encoder.encode(messages, refused));
      }
    }
  },
  check: {
    title: 'of it, check',
    make: messages => {
      const { keySets } = taught(messages)
      return () => {
        const check = new Check(keySets, true)
        for (const message of messages) check.examine(message)
      }
    }
  },
  pack: {
    title: 'of it, pack',
    make: messages => {
      const { packer, shaped } = taught(messages)
      return () => void packer.pack(messages, shaped, 0)
    }
  },
  'msgpackr pack': {
    title: 'msgpackr alone, with record structures',
    make: messages => {
      const packr = new Packr({ sequential: true })
      return () => {
        for (const message of messages) packr.pack(message)
      }
    }
  },
  decode: {
    title: 'decode: the whole codec',
    make: messages => {
      const encoder = new MessageEncoder()
      const encode = (): MessageFrame[] => [...encoder.encode(messages, refused)]
      // The second time announces what later frames build upon.
      const [first, second, later] = [encode(), encode(), encode()]
      const decoder = new MessageDecoder()
      for (const frame of [...first, ...second]) decoder.decode(frame)
      return () => {
        for (const frame of later) decoder.decode(frame)
      }
    }
  },
  scan: {
    title: 'of it, scan',
    make: messages => {
      const { bytes, sizes } = taught(messages)
      return () => void scan(bytes, 0, bytes.length, sizes)
    }
  },
  unpack: {
    title: 'of it, unpack',
    make: messages => {
      const { bytes, shapes } = taught(messages)
      const unpacker = new ShapeUnpacker()
      unpacker.announce(shapes.all)
      return () => void unpacker.unpack(bytes)
    }
  },
  'msgpackr unpack': {
    title: 'msgpackr alone, with record structures',
    make: messages => {
      const packr = new Packr({ sequential: true })
      const unpackr = new Unpackr({ sequential: true })
      const encode = (): Buffer[] => messages.map(message => Buffer.from(packr.pack(message)))
      for (const bytes of encode()) unpackr.unpack(bytes)
      const all = encode()
      return () => {
        for (const bytes of all) unpackr.unpack(bytes)
      }
    }
  }
}

const PAYLOADS: readonly PayloadName[] = ['small', 'mixed', '64KiB']

export const steps: Steps = Object.fromEntries(
  PAYLOADS.flatMap(payload =>
    Object.entries(MAKERS).map(([name, { title, make }]) => [
      `${payload} ${name}`,
      {
        title: `${payload}, ${title}`,
        prepare: (): Step => ({ per: MESSAGES, run: make(messagesOf(payload)) })
      }
    ])
  )
)
