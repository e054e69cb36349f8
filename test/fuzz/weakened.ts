// Weakened parsers: one or more for each target, with a check removed. The test of the fuzzer holds that every
// target's properties notice.

import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  verify as nodeVerify
} from 'node:crypto'
import { readLine } from '../../lib/cli/ndjson.ts'
import { KIND } from '../../lib/constants.ts'
import { fromRaw } from '../../lib/crypto/public-key.ts'
import { SUITES } from '../../lib/crypto/suites.ts'
import { StalkError } from '../../lib/errors.ts'
import { decodeFlight } from '../../lib/handshake/flight.ts'
import {
  decodeInitiatorHello,
  decodeInitiatorIdentity,
  decodeResponderHello,
  decodeResponderIdentity
} from '../../lib/handshake/messages.ts'
import { readOpenKey } from '../../lib/identity/key-text.ts'
import { AuthorizedFile } from '../../lib/trust/authorized-file.ts'
import { KnownFile } from '../../lib/trust/known-file.ts'
import { decodeControl } from '../../lib/wire/control.ts'
import { Deframer, type Frame } from '../../lib/wire/frame.ts'
import { MessageDecoder, MessageEncoder } from '../../lib/wire/message.ts'
import { pack, unpack } from '../../lib/wire/packer.ts'
import { Opener } from '../../lib/wire/record.ts'
import { scan as libsScan } from '../../lib/wire/scan.ts'
import { skip } from '../../lib/wire/tokens.ts'
import { keysOf } from '../helpers/formulas.ts'
import { cpuMs } from './bound.ts'
import { play } from './played.ts'
import type { Target } from './target.ts'
import { addresses } from './targets/addresses.ts'
import { authorizedPeers } from './targets/authorized-peers.ts'
import { controls } from './targets/controls.ts'
import { conversation } from './targets/conversation.ts'
import { encoding } from './targets/encoding.ts'
import { extensions } from './targets/extensions.ts'
import { fingerprints } from './targets/fingerprints.ts'
import { flights } from './targets/flights.ts'
import { fragments } from './targets/fragments.ts'
import { frames } from './targets/frames.ts'
import { helloInitiator, helloResponder } from './targets/hellos.ts'
import { identities } from './targets/identities.ts'
import { knownPeers } from './targets/known-peers.ts'
import { lines } from './targets/lines.ts'
import { messages } from './targets/messages.ts'
import { openssh } from './targets/openssh.ts'
import { pem } from './targets/pem.ts'
import { records } from './targets/records.ts'
import { scan } from './targets/scan.ts'
import { shapes } from './targets/shapes.ts'
import { successions } from './targets/successions.ts'
import { values } from './targets/values.ts'

export interface Weakened {
  readonly without: string
  readonly target: Target
}

/** What the call gives, or what `instead` does. */
function unless<T>(call: () => T, instead: () => T): T {
  try {
    return call()
  } catch {
    return instead()
  }
}

/** The same, with errors that are no StalkError made one. */
function coded<T>(code: 'ERR_STALK_BAD_MESSAGE' | 'ERR_STALK_KEY_FILE_FORMAT', call: () => T): T {
  try {
    return call()
  } catch (cause) {
    throw cause instanceof StalkError ? cause : new StalkError(code, 'refused', { cause })
  }
}

/** A byte that is left over is not noticed. */
const withoutEnd =
  <T>(decode: (bytes: Buffer) => T) =>
  (bytes: Buffer): T =>
    unless(
      () => decode(bytes),
      () => decode(bytes.subarray(0, -1))
    )

const framed =
  <T>(decode: (frame: Frame) => T) =>
  ({ type, body }: Frame): T =>
    withoutEnd(bytes => decode({ type, body: bytes }))(body)

function openerWithoutTag(id: number): { open(frame: Frame): Frame } {
  const suite = Object.values(SUITES).find(known => known.id === id) ?? SUITES['X25519-AES256GCM-SHA256']
  const opener = new Opener(0xe4, suite, keysOf(Buffer.alloc(32, 7), id))
  return {
    open: frame =>
      unless<Frame>(
        () => opener.open(frame),
        () => ({ type: 5, body: Buffer.alloc(0) })
      )
  }
}

/** Bytes in the messages are views of the record. */
function aliasing(frame: Frame): unknown[] {
  const { body } = frame
  return new MessageDecoder({ maxMessageBytes: 1_024 }).decode(frame).map(value => {
    const at = Buffer.isBuffer(value) && value.length > 1 ? body.indexOf(value) : -1
    return at < 0 ? value : body.subarray(at, at + (value as Buffer).length)
  })
}

/** As the scan, in quadratic time: a fifth of a second for 64 KiB, a fifth of a ms for 2. */
function quadratic(bytes: Buffer, start: number, end: number): number {
  const from = cpuMs()
  while (cpuMs() - from < ((end - start) / 1_024) ** 2 / 20);
  return libsScan(bytes, start, end)
}

const withoutMinimum = (maxMessageBytes: number): Pick<MessageDecoder, 'decode' | 'partial'> => {
  const decoder = new MessageDecoder({ maxMessageBytes })
  return {
    decode: frame => (frame.type === 3 && frame.body.length < 1_024 ? [] : decoder.decode(frame)),
    partial: false
  }
}

/** Shapes are used and not announced. */
class Silent extends MessageEncoder {
  override *encode(...given: Parameters<MessageEncoder['encode']>): ReturnType<MessageEncoder['encode']> {
    for (const frame of super.encode(...given)) if (frame.type !== KIND.shapes) yield frame
  }
}

/** A bad announcement is passed over. */
function withoutShapes(): Pick<MessageDecoder, 'decode'> {
  const decoder = new MessageDecoder()
  const passed = (frame: Frame): unknown[] =>
    unless(
      () => decoder.decode(frame),
      () => []
    )
  return { decode: frame => (frame.type === KIND.shapes ? passed(frame) : decoder.decode(frame)) }
}

export const weakened: readonly Weakened[] = [
  { without: 'the cap of a type', target: frames(admit => new Deframer(type => admit(type) + 1_000_000)) },
  { without: 'the tag', target: records(openerWithoutTag) },
  { without: 'the end of M1', target: helloInitiator(framed(decodeInitiatorHello)) },
  { without: 'the end of M2', target: helloResponder(framed(decodeResponderHello)) },
  {
    without: 'the end of an identity message',
    target: flights({
      flight: decodeFlight,
      responder: withoutEnd(decodeResponderIdentity),
      initiator: withoutEnd(decodeInitiatorIdentity)
    })
  },
  {
    without: 'the checks of a key',
    target: identities({ fromRaw: ed25519FromRaw, verify: () => true })
  },
  {
    without: 'the length of a signature',
    target: identities({
      fromRaw,
      verify: (key, input, signature) =>
        key.type === 'ed25519' && nodeVerify(null, input, fromRaw(key), signature.subarray(0, 64))
    })
  },
  {
    without: 'the length of a close',
    target: controls(frame =>
      frame.type === 5 && frame.body[0] === 0 ? { name: 'close', received: 0 } : decodeControl(frame)
    )
  },
  {
    without: 'the list of extensions',
    target: scan((bytes, start, end) =>
      unless(
        () => libsScan(bytes, start, end),
        () => skip(bytes, start)
      )
    )
  },
  {
    without: 'linear time',
    target: { ...scan(quadratic), name: 'scan of one value', seeds: () => [Buffer.of(0xc3)] }
  },
  { without: 'a copy of its bytes', target: messages(aliasing) },
  { without: 'the least length of a fragment', target: fragments(withoutMinimum) },
  {
    without: 'the check before encoding',
    target: encoding(all => ({
      frames: [{ type: 2, body: pack(all), messages: all.length }],
      refused: new Map()
    }))
  },
  { without: 'a word of its shapes', target: encoding(undefined, () => new Silent()) },
  {
    without: 'the scan, with foreign extensions',
    target: extensions(body => coded('ERR_STALK_BAD_MESSAGE', () => unpack(body) as unknown[]))
  },
  {
    without: 'the exact form of key files',
    target: pem(text =>
      coded('ERR_STALK_KEY_FILE_FORMAT', () =>
        unless(
          () => createPrivateKey(text),
          () => createPublicKey(text)
        )
      )
    )
  },
  {
    without: 'the checks of a container',
    target: openssh((text, name) => unless(() => readOpenKey(text, name), looked))
  },
  {
    without: 'the unused bits of a fingerprint',
    target: fingerprints({
      is: text => /^SHA256:[A-Za-z0-9+/]{43}$/.test(String(text)),
      parse: text => Buffer.from(text.slice(7), 'base64')
    })
  },
  {
    without: 'tags for what JSON lacks',
    target: lines({ read: readLine, write: message => JSON.stringify(message) })
  },
  {
    without: 'the range of ports',
    target: addresses(({ positionals: [text = ''] }) => ({
      host: text.split(':')[0] || '::',
      port: Number(text.split(':').at(-1))
    }))
  },
  {
    without: 'the refusal of lines that are none',
    target: knownPeers((text, path) =>
      unless(
        () => KnownFile.read(text, path),
        () => KnownFile.read('', path)
      )
    )
  },
  {
    without: 'the refusal of options that do not exist',
    target: authorizedPeers((text, path) => AuthorizedFile.read(text.replaceAll('command="x" ', ''), path))
  },
  {
    without: 'signatures',
    target: successions(text =>
      text
        .split('\n')
        .filter(line => line.split(' ').length === 8)
        .map(line => ({ line }))
    )
  }
]

/** Against the Python implementation. */
export const weakenedDifferential: readonly Weakened[] = [
  { without: 'the scan', target: values(bytes => coded('ERR_STALK_BAD_MESSAGE', () => unpack(bytes))) },
  { without: 'the checks of an announcement', target: shapes(withoutShapes) },
  {
    without: 'a refusal',
    target: conversation(async plan => {
      const ending = await play(plan)
      return ending.end === 'fault 2' ? { ...ending, end: 'truncated' } : ending
    })
  },
  { without: 'early data', target: conversation(plan => play({ ...plan, early: false, held: null })) },
  {
    without: 'a request for new keys',
    target: conversation(plan => play({ ...plan, asks: false, held: null }))
  },
  { without: 'a policy', target: conversation(plan => play({ ...plan, refuses: false })) }
]

/** Whatever is in the file, it is this key. */
const looked = (): { key: KeyObject; comment: string } => ({
  key: generateKeyPairSync('ed25519').privateKey,
  comment: ''
})

function ed25519FromRaw(raw: Parameters<typeof fromRaw>[0]): ReturnType<typeof fromRaw> {
  if (raw.type === 'rsa' || raw.bytes.length !== 32) return fromRaw(raw)
  const x = raw.bytes.toString('base64url')
  return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
}
