// The message codec (lib/wire/message) and its steps one by one: check (values), pack and unpack (packer), scan. A
// hundred messages a batch, as a busy sender writes them; msgpackr called directly stands beside it.

import { Packr, Unpackr } from 'msgpackr'
import { check, MessageDecoder, MessageEncoder, type MessageFrame, pack, scan, unpack } from '../inside.ts'
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
    make: messages => () => {
      for (const message of messages) check(message)
    }
  },
  pack: { title: 'of it, pack', make: messages => () => void pack(messages) },
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
      // The first time may announce what later frames build upon.
      const [first, later] = [encode(), encode()]
      const decoder = new MessageDecoder()
      for (const frame of first) decoder.decode(frame)
      return () => {
        for (const frame of later) decoder.decode(frame)
      }
    }
  },
  scan: {
    title: 'of it, scan',
    make: messages => {
      const bytes = pack(messages)
      return () => void scan(bytes, 0, bytes.length)
    }
  },
  unpack: {
    title: 'of it, unpack',
    make: messages => {
      const bytes = pack(messages)
      return () => void unpack(bytes)
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
