// A second decoder of what the scan accepts, as plain as can be, to compare msgpackr with.

const ARRAYS = [
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array
]

/** The first value of the bytes. */
export function reference(bytes: Buffer): unknown {
  let at = 0

  const take = (length: number): Buffer => {
    at += length
    return bytes.subarray(at - length, at)
  }
  const uint = (width: number): number => take(width).readUIntBE(0, width)
  const text = (length: number): string =>
    new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(take(length))
  const array = (length: number): unknown[] => Array.from({ length }, value)
  const map = (length: number): unknown =>
    Object.fromEntries(Array.from({ length }, () => [value(), value()]))

  function value(): unknown {
    const token = uint(1)
    if (token < 0x80) return token
    if (token < 0x90) return map(token & 15)
    if (token < 0xa0) return array(token & 15)
    if (token < 0xc0) return text(token & 31)
    if (token >= 0xe0) return token - 256
    return named(token)
  }

  function named(token: number): unknown {
    switch (token) {
      case 0xc0:
        return null
      case 0xc2:
        return false
      case 0xc3:
        return true
      case 0xca:
        return take(4).readFloatBE()
      case 0xcb:
        return take(8).readDoubleBE()
      case 0xcf:
        return take(8).readBigUInt64BE()
      case 0xd3:
        return take(8).readBigInt64BE()
    }
    const width = (of: number): number => [1, 2, 4][token - of] as number
    if (token >= 0xc4 && token <= 0xc6) return Buffer.from(take(uint(width(0xc4))))
    if (token >= 0xc7 && token <= 0xc9) return extension(uint(width(0xc7)))
    if (token >= 0xcc && token <= 0xce) return uint(width(0xcc))
    if (token >= 0xd0 && token <= 0xd2) return take(width(0xd0)).readIntBE(0, width(0xd0))
    if (token >= 0xd4 && token <= 0xd8) return extension(1 << (token - 0xd4))
    if (token >= 0xd9 && token <= 0xdb) return text(uint(width(0xd9)))
    return token < 0xde ? array(uint(token === 0xdc ? 2 : 4)) : map(uint(token === 0xde ? 2 : 4))
  }

  function extension(length: number): unknown {
    const type = uint(1)
    const data = take(length)
    if (type === 0) return undefined
    if (type === 0x42) return BigInt.asIntN(data.length * 8, BigInt(`0x${data.toString('hex')}`))
    if (type === 0x73) return new Set(value() as unknown[])
    if (type === 0x74) return binary(data)
    return date(data)
  }

  return value()
}

function binary(data: Buffer): unknown {
  const { buffer } = Uint8Array.from(data.subarray(1))
  const code = data[0] as number
  if (code >= 16) return code === 16 ? buffer : new DataView(buffer)
  return new (ARRAYS[code] as typeof Uint8Array)(buffer)
}

function date(data: Buffer): Date {
  if (data.length === 1) return new Date(Number.NaN)
  if (data.length === 4) return new Date(data.readUInt32BE() * 1000)
  if (data.length === 12) return new Date(Number(data.readBigInt64BE(4)) * 1000 + data.readUInt32BE() / 1e6)
  const both = data.readBigUInt64BE()
  return new Date(Number(both & (2n ** 34n - 1n)) * 1000 + Number(both >> 34n) / 1e6)
}
