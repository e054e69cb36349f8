// The message codec: messages ↔ the frames that carry them, kinds 02 to 04 and 0A. Knows batches, fragments and the
// size limits; what a value may be and how it is packed stands in `values`, `scan` and `packer`. Knows nothing
// of encryption, sockets or streams.
//
//   0A  ├ shapes ───────────────────────────────┤      what the objects behind it need not repeat
//   02  ├ array of n ─┼ message ─┼ message ─┼ … ─┤      small messages share a record
//   03  ├ fragment ─────────────────────────────┤      more follow
//   04  ├ fragment, the last ─┤                        joined, one message

import { KIND, MAX_CONTENT_BYTES, MAX_MESSAGE_BYTES, MIN_FRAGMENT_BYTES } from '../constants.ts'
import { StalkError, unexpected } from '../errors.ts'
import { Assembly } from './assembly.ts'
import { assertPacksUnchanged, assertUnpacksUnchanged } from './canary.ts'
import type { Frame } from './frame.ts'
import { KeySets } from './key-sets.ts'
import { asItLies, binaryFrames, fragments, isLong, type MessageFrame } from './long.ts'
import {
  keepMarks,
  pack,
  restoreNegativeZeros,
  ShapePacker,
  ShapeUnpacker,
  withoutNegativeZeros
} from './packer.ts'
import { badMessage, markedStrings, scan } from './scan.ts'
import { Shapes } from './shapes.ts'
import { arrayHeader, FORM, FORMS, HEADERS, lengthAt, skip, TOKEN } from './tokens.ts'
import { Check } from './values.ts'

/** The most messages in a record of kind 02 of ours, and the header of an array of so many. */
const MAX_BATCH = 65_535
const MAX_HEADER_BYTES = 3

/** A message that passed the check, as it will be packed. */
interface Admitted {
  /** Its place among the messages handed over. */
  readonly index: number
  readonly value: unknown
  /** The place of its first object among those of all messages. */
  readonly first: number
  /** The number that stands in it for every -0, if it has one. */
  readonly placeholder: number | null
}

/** What is to be encoded, an array say: each is asked for when its turn has come. */
export type Messages = Pick<readonly unknown[], 'length' | 'at'>

/** Told of a message that can't be sent; the others go on. */
type Refused = (index: number, error: StalkError) => void

export class MessageEncoder {
  /** The largest message that the peer takes, in bytes of MessagePack. */
  maxMessageBytes = MAX_MESSAGE_BYTES

  readonly #keySets = new KeySets()
  readonly #shapes = new Shapes()
  #packer: ShapePacker | null = null

  readonly #views: boolean

  /**
   * `views`: whoever pulls the frames is done with each before it pulls the next, so that a long Buffer need not be
   * copied. Throws `ERR_STALK_INTERNAL` if another package has changed msgpackr.
   */
  constructor({ views = false } = {}) {
    this.#views = views
    assertPacksUnchanged()
  }

  /**
   * The frames that carry the messages, in order, each packed only as it is pulled: don't change a message
   * before the generator is done. One that can't be carried is reported with `ERR_STALK_VALUE_UNSUPPORTED` or
   * `ERR_STALK_MESSAGE_TOO_LARGE`. Nobody else writes to the bodies, ever.
   */
  *encode(messages: Messages, refused: Refused): Generator<MessageFrame, void, undefined> {
    if (this.#keySets.due) yield* this.#announce()
    const check = new Check(this.#keySets, this.#packer !== null)
    let group: Admitted[] = []
    let bytes = 0
    for (let index = 0; index < messages.length; index++) {
      const admitted = this.#admit(messages.at(index), index, check, refused)
      if (admitted === null) continue
      if (this.#views && isLong(admitted.value)) {
        if (group.length > 0) yield* this.#frames(group, check, refused)
        group = []
        bytes = 0
        yield* binaryFrames(admitted.value)
        continue
      }
      const fits = bytes + check.bytes <= MAX_CONTENT_BYTES - MAX_HEADER_BYTES && group.length < MAX_BATCH
      if (!fits && group.length > 0) {
        yield* this.#frames(group, check, refused)
        group = []
        bytes = 0
      }
      group.push(admitted)
      bytes += check.bytes
    }
    if (group.length > 0) yield* this.#frames(group, check, refused)
  }

  /** The key sets that were met often enough are shapes from here on. */
  *#announce(): Generator<MessageFrame, void, undefined> {
    const shapes = this.#keySets.take(this.#shapes.room)
    if (shapes.length === 0) return
    yield { type: KIND.shapes, body: this.#shapes.announce(shapes), messages: 0 }
    this.#packer = new ShapePacker(this.#shapes.all)
  }

  #admit(message: unknown, index: number, check: Check, refused: Refused): Admitted | null {
    try {
      const bytes = check.examine(message)
      const { first } = check
      if (bytes > this.maxMessageBytes) throw tooLarge(bytes, this.maxMessageBytes)
      if (!check.negativeZero) return { index, value: message, first, placeholder: null }
      return { index, first, ...withoutNegativeZeros(message) }
    } catch (error) {
      check.withdraw()
      refused(index, asRefusal(error))
      return null
    }
  }

  /** One pack call for the group, and one record if it fits, as it nearly always does. */
  *#frames(
    group: readonly Admitted[],
    check: Check,
    refused: Refused
  ): Generator<MessageFrame, void, undefined> {
    let bytes: Buffer
    try {
      bytes = this.#pack(group, check.shaped)
    } catch (error) {
      const [first, ...others] = group
      if (first !== undefined && others.length === 0) refused(first.index, asRefusal(error))
      else for (const admitted of group) yield* this.#frames([admitted], check, refused)
      return
    }
    const fits = bytes.length <= MAX_CONTENT_BYTES && bytes.length <= this.maxMessageBytes
    if (fits) yield { type: KIND.messages, body: bytes, messages: group.length }
    else yield* this.#cut(bytes, group, refused)
  }

  #pack(group: readonly Admitted[], shaped: readonly boolean[]): Buffer {
    const values = group.map(({ value }) => value)
    const bytes = this.#packer?.pack(values, shaped, group[0]?.first ?? 0) ?? pack(values)
    if (group.every(({ placeholder }) => placeholder === null)) return bytes
    let at = HEADERS[bytes[0] as number] as number
    for (const { placeholder } of group) {
      const end = skip(bytes, at, this.#shapes.sizes)
      if (placeholder !== null) restoreNegativeZeros(bytes, at, end, placeholder)
      at = end
    }
    return bytes
  }

  /** Cuts a packed group between messages, into as few records as hold it; what is larger goes in fragments. */
  *#cut(
    bytes: Buffer,
    group: readonly Admitted[],
    refused: Refused
  ): Generator<MessageFrame, void, undefined> {
    let at = HEADERS[bytes[0] as number] as number
    let from = at
    let count = 0
    for (const { index } of group) {
      const end = skip(bytes, at, this.#shapes.sizes)
      const size = end - at
      const alone = size > this.maxMessageBytes || size + 1 > MAX_CONTENT_BYTES
      if (alone || end - from + arrayHeader(count + 1).length > MAX_CONTENT_BYTES) {
        if (count > 0) yield batch(bytes.subarray(from, at), count)
        from = alone ? end : at
        count = 0
      }
      if (!alone) count++
      else if (size > this.maxMessageBytes) refused(index, tooLarge(size, this.maxMessageBytes))
      else yield* fragments(bytes.subarray(at, end))
      at = end
    }
    if (count > 0) yield batch(bytes.subarray(from, at), count)
  }
}

const batch = (messages: Buffer, count: number): MessageFrame => ({
  type: KIND.messages,
  body: Buffer.concat([arrayHeader(count), messages]),
  messages: count
})

const tooLarge = (bytes: number, limit: number): StalkError =>
  new StalkError(
    'ERR_STALK_MESSAGE_TOO_LARGE',
    `a message of ${bytes} bytes; the peer takes at most ${limit}`
  )

/** A getter may throw the second time it is read, a buffer may be detached. */
function asRefusal(error: unknown): StalkError {
  if (error instanceof StalkError) return error
  const reason = error instanceof Error ? error.message : String(error)
  return new StalkError('ERR_STALK_VALUE_UNSUPPORTED', `cannot encode the message: ${reason}`, {
    cause: error
  })
}

/** Messages that a content has completed, and how many bytes they had on the way. */
export class Arrived {
  readonly messages: readonly unknown[]
  readonly bytes: number

  constructor(messages: readonly unknown[], bytes: number) {
    this.messages = messages
    this.bytes = bytes
  }
}

export class MessageDecoder {
  readonly #maxMessageBytes: number
  readonly #shapes = new Shapes()
  readonly #unpacker = new ShapeUnpacker()
  /** The message of which fragments have come, but not the last. */
  #assembly: Assembly | null = null
  #failure: StalkError | null = null

  /** Throws `ERR_STALK_INTERNAL` if another package has changed msgpackr. */
  constructor(options: { maxMessageBytes?: number } = {}) {
    this.#maxMessageBytes = options.maxMessageBytes ?? MAX_MESSAGE_BYTES
    assertUnpacksUnchanged()
  }

  /** Whether fragments of a message have come, but not the last. */
  get partial(): boolean {
    return this.#assembly !== null
  }

  /**
   * The messages that this frame completes, in order. Throws `ERR_STALK_BAD_MESSAGE`, `ERR_STALK_OVERFLOW` or
   * `ERR_STALK_UNEXPECTED`, and the same error for every later call.
   */
  decode(frame: Frame): unknown[] {
    if (this.#failure !== null) throw this.#failure
    try {
      return this.#decode(frame)
    } catch (error) {
      this.#assembly = null
      this.#failure = error instanceof StalkError ? error : undecodable(error)
      throw this.#failure
    }
  }

  #decode({ type, body, own = false }: Frame): unknown[] {
    if (type === KIND.messages) return this.#batch(body, own)
    if (type === KIND.lastFragment) return [this.#join(body, own)]
    if (type === KIND.shapes) return this.#hear(body)
    if (type !== KIND.fragment) throw unexpected(`a record of kind ${type} where messages are expected`)
    if (body.length < MIN_FRAGMENT_BYTES) throw malformed('a fragment too short to have another behind it')
    this.#added(body)
    return []
  }

  #hear(body: Buffer): [] {
    if (this.partial) throw unexpected('shapes between the fragments of a message')
    this.#shapes.hear(body)
    this.#unpacker.announce(this.#shapes.all)
    return []
  }

  #batch(body: Buffer, own: boolean): unknown[] {
    if (this.partial) throw unexpected('messages between the fragments of another')
    const first = body[0] as number
    const count = FORMS[first] === FORM.array ? lengthAt(body, 0) : 0
    if (!(count > 0)) throw malformed('a record of messages that is not an array of at least one')
    const marks = markedStrings
    const start = HEADERS[first] as number
    let at = start
    for (let i = 0; i < count; i++) at = this.#scan(body, at)
    if (at !== body.length) throw malformed('bytes behind the last message')
    const alone = own && count === 1 ? asItLies(body, start) : null
    if (alone) return [alone]
    return this.#unpack(body, marks) as unknown[]
  }

  #scan(bytes: Buffer, at: number): number {
    const end = scan(bytes, at, bytes.length, this.#shapes.sizes)
    this.#limit(end - at)
    if (bytes[at] === TOKEN.nil) throw badMessage('nil, which is not a message,', at)
    // Of extension 0, undefined, the scan takes this form only.
    if (bytes[at] === TOKEN.fixext1 && bytes[at + 1] === 0)
      throw badMessage('undefined, which is not a message,', at)
    return end
  }

  #added(body: Buffer): Assembly {
    if (body.length === 0) throw malformed('a fragment without a byte')
    this.#assembly ??= new Assembly(this.#maxMessageBytes)
    this.#limit(this.#assembly.bytes + body.length)
    this.#assembly.add(body)
    return this.#assembly
  }

  #join(body: Buffer, own: boolean): unknown {
    const bytes = this.#added(body).joined()
    this.#assembly = null
    const marks = markedStrings
    if (this.#scan(bytes, 0) !== bytes.length) throw malformed('bytes behind a message in fragments')
    const alone = own || bytes !== body ? asItLies(bytes, 0) : null // what was joined is nobody else's
    return alone ?? this.#unpack(bytes, marks)
  }

  /** `marks` is the count of marked strings before the bytes were scanned. */
  #unpack(bytes: Buffer, marks: number): unknown {
    return this.#unpacker.unpack(markedStrings === marks ? bytes : keepMarks(bytes))
  }

  #limit(bytes: number): void {
    if (bytes <= this.#maxMessageBytes) return
    throw new StalkError('ERR_STALK_OVERFLOW', `a message of more than ${this.#maxMessageBytes} bytes`)
  }
}

const malformed = (text: string): StalkError => new StalkError('ERR_STALK_BAD_MESSAGE', text)

const undecodable = (cause: unknown): StalkError =>
  new StalkError('ERR_STALK_INTERNAL', 'msgpackr could not decode a message that had passed the scan', {
    cause
  })
