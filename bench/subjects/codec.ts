// The limit: msgpackr with record structures, as its streams use them, called directly. Encoding and
// decoding follow each other on one core.

import { Packr, Unpackr } from 'msgpackr'
import type { Codec } from '../subject.ts'

const packr = new Packr({ sequential: true })
const unpackr = new Unpackr({ sequential: true })

export const codec: Codec = {
  encode: message => packr.pack(message),
  decode: bytes => unpackr.unpack(bytes)
}
