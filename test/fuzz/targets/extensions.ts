// The target extensions: what other packages register with msgpackr must not widen what is accepted. From the
// first input on, this process has every extension type registered that lib does not use.

import { addExtension } from 'msgpackr'
import { KIND } from '../../../lib/constants.ts'
import { MessageDecoder } from '../../../lib/wire/message.ts'
import { scan as libsScan } from '../../../lib/wire/scan.ts'
import { reference } from '../../wire/reference.ts'
import { attempt, hex, magnitude, require, type Target } from '../target.ts'
import { EXAMPLES, TOKENS } from '../tokens.ts'
import { kindOf, same } from '../values.ts'

/** Decodes the content of a record of kind 02. */
export type Decode = (body: Buffer) => unknown[]

const libs: Decode = body => new MessageDecoder().decode({ type: KIND.messages, body })

/** Types that lib relies on; the canary notices who changes them. */
const OWN = [0x00, 0x42, 0x73, 0x74, 0xff]

class Foreign {
  readonly data: unknown

  constructor(data: unknown) {
    this.data = data
  }
}

let called = 0
let registered = false

/** Both forms in which msgpackr takes a reader: `unpack` gets bytes, `read` a value. */
function register(): void {
  if (registered) return
  registered = true
  for (let type = 1; type < 255; type++) {
    if (OWN.includes(type) || type === 0x80) continue
    const take = (data: unknown): unknown => {
      called++
      return new Foreign(data)
    }
    const reader = type % 2 ? { unpack: take } : { read: take }
    addExtension({
      Class: class extends Foreign {},
      type: type < 128 ? type : type - 256,
      pack: () => Buffer.of(1),
      ...reader
    } as never)
  }
}

/** What the bytes alone say, without msgpackr: whether one array of messages fills them. */
function accepts(body: Buffer): boolean {
  const count = [0x91, 0x92].indexOf(body[0] ?? 0) + 1
  let at = 1
  for (let i = 0; i < count; i++) {
    const from = at
    const { value } = attempt(['ERR_STALK_BAD_MESSAGE'], () => libsScan(body, from, body.length))
    if (value === null || body[from] === 0xc0 || (body[from] === 0xd4 && body[from + 1] === 0)) return false
    at = value
  }
  return count > 0 && at === body.length
}

export const extensions = (decode: Decode = libs): Target => ({
  name: 'extensions',
  properties: [
    'no reader that another package has registered with addExtension is called for what a peer sent',
    'the same bytes are accepted as without it, with the same values'
  ],
  maxBytes: 512,
  batch: 128,
  dictionary: [...TOKENS, ...Array.from({ length: 64 }, (_, i) => Buffer.of(0xd4, i * 4 + 1, 0))],
  seeds: () => [
    ...EXAMPLES.map(example => Buffer.concat([hex('91'), example])),
    ...[0x01, 0x13, 0x65, 0x72, 0x62, 0x69, 0x70, 0x78, 0xfe].map(type =>
      Buffer.from([0x91, 0xd5, type, 1, 2])
    )
  ],
  run(input) {
    register()
    const before = called
    const body = input[0] === 0x91 || input[0] === 0x92 ? input : Buffer.concat([hex('91'), input])
    const { value, code } = attempt(['ERR_STALK_BAD_MESSAGE', 'ERR_STALK_OVERFLOW'], () => decode(body))
    require(called === before, "another package's reader is called")
    require((value !== null) === accepts(body), 'another verdict than without the extensions')
    if (value === null) return `${code} ${magnitude(body.length)}`
    require(same(value, reference(body)), 'other values than without the extensions')
    return `accepted ${kindOf(value[0])}`
  }
})
