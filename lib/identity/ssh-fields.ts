// The fields of SSH's binary formats (RFC 4251, section 5): strings and whole numbers, written, and read with every
// length checked. Knows no keys.

import { u32 } from '../bytes.ts'
import { found } from './foreign.ts'

/** `u32 length ‖ bytes`. */
export function sshString(content: string | Buffer): Buffer {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content
  return Buffer.concat([u32(bytes.length), bytes])
}

/** A whole number from 0 on, big-endian; it is signed, so a set top bit gets a zero byte in front. */
export function sshNumber(bytes: Buffer): Buffer {
  const from = bytes.findIndex(byte => byte !== 0)
  const digits = from < 0 ? Buffer.alloc(0) : bytes.subarray(from)
  return sshString(((digits[0] ?? 0) & 0x80) === 0 ? digits : Buffer.concat([Buffer.alloc(1), digits]))
}

/** Reads fields off the front; whatever is missing or left over throws ERR_STALK_KEY_FILE_FORMAT. */
export class SshReader {
  readonly #bytes: Buffer
  readonly #name: string
  readonly #what: string
  #offset = 0

  /** `what` is read out of the file `name`. */
  constructor(bytes: Buffer, name: string, what: string) {
    this.#bytes = bytes
    this.#name = name
    this.#what = what
  }

  get rest(): Buffer {
    return this.#bytes.subarray(this.#offset)
  }

  u32(): number {
    return this.take(4).readUInt32BE(0)
  }

  /** A view of the next bytes. */
  take(length: number): Buffer {
    if (length > this.#bytes.length - this.#offset) this.fail('is cut short')
    this.#offset += length
    return this.#bytes.subarray(this.#offset - length, this.#offset)
  }

  /** A view of the next string. */
  string(): Buffer {
    return this.take(this.u32())
  }

  /** The next string, of ASCII that can be shown. */
  word(): string {
    const word = this.string().toString('latin1')
    if (!/^[!-~]{1,64}$/.test(word)) this.fail('has a name that is none')
    return word
  }

  /** The digits of the next whole number: at least 1, in its shortest form. */
  number(): Buffer {
    const bytes = this.string()
    const [first = 0, second = 0] = bytes
    if (bytes.length === 0 || first >= 0x80 || (first === 0 && second < 0x80)) {
      this.fail('has a number that is not in its only form')
    }
    return first === 0 ? bytes.subarray(1) : bytes
  }

  /** Throws unless everything was read. */
  end(): void {
    if (this.rest.length > 0) this.fail(`has ${this.rest.length} bytes too many`)
  }

  fail(problem: string): never {
    throw found(this.#name, `${this.#what} that ${problem}; it is damaged`)
  }
}
