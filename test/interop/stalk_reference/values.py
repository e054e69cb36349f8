"""Values and their encoding: MessagePack with stalk's restrictions and extension types (section 15), and with the
shapes that a direction has announced (section 21.5): a list of key sets, each a tuple of names.

In Python a number is a float, and an integer (exact, of any size) is an int. nil is None, an object a
dict, an array a list. Whatever the rules of section 15 do not allow is refused while decoding.
"""

import math
import struct
from dataclasses import dataclass

from .wire import MESSAGE_INVALID, Fault

MAX_DEPTH = 64
MAX_VALUES = 1_000_000
MAX_INTEGER_BYTES = 1_024
MEMORY_COST = 8  # of bytes and typed arrays, in values
MAX_SECONDS = 8_640_000_000_000
MAX_SHAPES = 32
FIRST_SHAPE = 0x40  # the byte of shape 0; up to 7f all are of shapes, once one was announced

UNDEFINED_TYPE, INTEGER_TYPE, SET_TYPE, ARRAY_TYPE, DATE_TYPE = 0x00, 0x42, 0x73, 0x74, 0xFF

TYPED_ARRAYS = {  # code: name, bytes of an element
    0x00: ('Int8Array', 1), 0x01: ('Uint8Array', 1), 0x02: ('Uint8ClampedArray', 1),
    0x03: ('Int16Array', 2), 0x04: ('Uint16Array', 2), 0x05: ('Int32Array', 4), 0x06: ('Uint32Array', 4),
    0x07: ('Float32Array', 4), 0x08: ('Float64Array', 8), 0x09: ('BigInt64Array', 8),
    0x0A: ('BigUint64Array', 8), 0x10: ('ArrayBuffer', 1), 0x11: ('DataView', 1),
}


class Undefined:
    def __repr__(self) -> str:
        return 'UNDEFINED'


UNDEFINED = Undefined()


@dataclass(frozen=True)
class TypedArray:
    """Binary data with a type. The elements are kept as they travel, little-endian."""

    code: int
    data: bytes


@dataclass(frozen=True)
class Date:
    """An instant since 1970, or the invalid date if seconds is None."""

    seconds: int | None
    nanoseconds: int = 0


@dataclass(frozen=True)
class Set:
    """Elements in their order. Not a Python set, which cannot hold lists and dicts."""

    elements: list


class Invalid(Fault):
    def __init__(self, reason: str):
        super().__init__(MESSAGE_INVALID, reason)


# ---- decoding


def decode_message(data: bytes, shapes=()):
    """The message that is encoded in all of data."""
    decoder = _Decoder(data, shapes)
    value = decoder.message()
    decoder.end()
    return value


def decode_batch(data: bytes, shapes=()) -> list[tuple[object, int]]:
    """The messages of a record of kind 02, each with its size."""
    decoder = _Decoder(data, shapes)
    messages = []
    for _ in range(decoder.batch_length()):
        start = decoder.at
        value = decoder.message()
        messages.append((value, decoder.at - start))
    decoder.end()
    return messages


class _Decoder:
    def __init__(self, data: bytes, shapes):
        self._data = data
        self._shapes = shapes
        self._budget = 0
        self.at = 0

    def message(self):
        self._budget = MAX_VALUES
        value = self._value(0)
        if value is None or value is UNDEFINED:
            raise Invalid('a message is neither nil nor undefined')
        return value

    def end(self) -> None:
        if self.at != len(self._data):
            raise Invalid('bytes are left over')

    def batch_length(self) -> int:
        length = self._array_length()
        if not length:
            raise Invalid('an empty batch')
        return length

    def _take(self, size: int) -> bytes:
        if len(self._data) - self.at < size:
            raise Invalid('a length goes beyond the end')
        self.at += size
        return self._data[self.at - size : self.at]

    def _uint(self, size: int) -> int:
        return int.from_bytes(self._take(size), 'big')

    def _int(self, size: int) -> int:
        return int.from_bytes(self._take(size), 'big', signed=True)

    def _charge(self, values: int) -> None:
        self._budget -= values
        if self._budget < 0:
            raise Invalid('too many values')

    def _value(self, depth: int):
        self._charge(1)
        first = self._uint(1)
        if FIRST_SHAPE <= first <= 0x7F and self._shapes:
            return self._shaped(first - FIRST_SHAPE, depth)
        if first <= 0x7F:
            return float(first)
        if first >= 0xE0:
            return float(first - 256)
        if first <= 0x8F:
            return self._object(first & 0x0F, depth)
        if first <= 0x9F:
            return self._array(first & 0x0F, depth)
        if first <= 0xBF:
            return self._string(first & 0x1F)
        if first not in _FORMS:
            raise Invalid(f'a value that begins with {first:02x}')
        return _FORMS[first](self, depth)

    def _room(self, least: int) -> None:
        if len(self._data) - self.at < least:
            raise Invalid('a count goes beyond the end')

    def _nest(self, depth: int) -> int:
        if depth == MAX_DEPTH:
            raise Invalid('nested too deep')
        return depth + 1

    def _array(self, length: int, depth: int) -> list:
        depth = self._nest(depth)
        self._room(length)
        return [self._value(depth) for _ in range(length)]

    def _object(self, length: int, depth: int) -> dict:
        depth = self._nest(depth)
        self._room(2 * length)
        members = {}
        for _ in range(length):
            key = self._key()
            if key in members or key == '__proto__':
                raise Invalid(f'the key {key!r} is there twice, or must not be there')
            members[key] = self._value(depth)
        return members

    def _shaped(self, shape: int, depth: int) -> dict:
        if shape >= len(self._shapes):
            raise Invalid(f'shape {shape}, which was not announced')
        depth = self._nest(depth)
        return {name: self._value(depth) for name in self._shapes[shape]}

    def _key(self) -> str:
        first = self._uint(1)
        if 0xA0 <= first <= 0xBF:
            return self._string(first & 0x1F)
        if 0xD9 <= first <= 0xDB:
            return self._string(self._uint(1 << first - 0xD9))
        raise Invalid('a key is a string')

    def _string(self, size: int) -> str:
        try:
            return self._take(size).decode('utf-8')
        except UnicodeDecodeError:
            raise Invalid('not UTF-8') from None

    def _bytes(self, size: int) -> bytes:
        self._charge(MEMORY_COST - 1)
        return self._take(size)

    def _array_length(self) -> int:
        first = self._uint(1)
        if 0x90 <= first <= 0x9F:
            length = first & 0x0F
        elif first in (0xDC, 0xDD):
            length = self._uint(2 if first == 0xDC else 4)
        else:
            raise Invalid('not an array')
        self._room(length)
        return length

    def _extension(self, size: int, depth: int, fixed: bool):
        kind, data = self._uint(1), self._take(size)
        if kind == UNDEFINED_TYPE and fixed and data == b'\0':
            return UNDEFINED
        if kind == SET_TYPE and fixed and data == b'\0':
            return Set(self._array(self._array_length(), depth))
        if kind == INTEGER_TYPE and 1 <= size <= MAX_INTEGER_BYTES:
            return int.from_bytes(data, 'big', signed=True)
        if kind == ARRAY_TYPE:
            return self._typed_array(data)
        if kind == DATE_TYPE and fixed and data == b'\xff':
            return Date(None)
        if kind == DATE_TYPE:
            return _date(data)
        raise Invalid(f'extension {kind:02x} of {size} bytes')

    def _typed_array(self, data: bytes) -> TypedArray:
        self._charge(MEMORY_COST - 1)
        if not data or data[0] not in TYPED_ARRAYS or (len(data) - 1) % TYPED_ARRAYS[data[0]][1]:
            raise Invalid('a malformed typed array')
        return TypedArray(data[0], data[1:])


def _date(data: bytes) -> Date:
    if len(data) == 4:
        return Date(int.from_bytes(data, 'big'))
    if len(data) == 8:
        nanoseconds, seconds = divmod(int.from_bytes(data, 'big'), 2**34)
    elif len(data) == 12:
        nanoseconds, seconds = struct.unpack('>Iq', data)
    else:
        raise Invalid(f'a date of {len(data)} bytes')
    if nanoseconds > 999_999_999:
        raise Invalid('a second has 1,000,000,000 nanoseconds')
    if not -MAX_SECONDS <= seconds <= MAX_SECONDS or (seconds == MAX_SECONDS and nanoseconds):
        raise Invalid('a date that is out of range')
    return Date(seconds, nanoseconds)


def _forms() -> dict:
    """How a value goes on behind its first byte, for first bytes that say only its form."""
    forms = {
        0xC0: lambda d, depth: None,
        0xC2: lambda d, depth: False,
        0xC3: lambda d, depth: True,
        0xCA: lambda d, depth: struct.unpack('>f', d._take(4))[0],
        0xCB: lambda d, depth: struct.unpack('>d', d._take(8))[0],
        0xCF: lambda d, depth: d._uint(8),
        0xD3: lambda d, depth: d._int(8),
    }
    for i, size in enumerate((1, 2, 4)):
        forms[0xC4 + i] = lambda d, depth, size=size: d._bytes(d._uint(size))
        forms[0xC7 + i] = lambda d, depth, size=size: d._extension(d._uint(size), depth, fixed=False)
        forms[0xCC + i] = lambda d, depth, size=size: float(d._uint(size))
        forms[0xD0 + i] = lambda d, depth, size=size: float(d._int(size))
        forms[0xD9 + i] = lambda d, depth, size=size: d._string(d._uint(size))
    for i, size in enumerate((1, 2, 4, 8, 16)):
        forms[0xD4 + i] = lambda d, depth, size=size: d._extension(size, depth, fixed=True)
    for i, size in enumerate((2, 4)):
        forms[0xDC + i] = lambda d, depth, size=size: d._array(d._uint(size), depth)
        forms[0xDE + i] = lambda d, depth, size=size: d._object(d._uint(size), depth)
    return forms


_FORMS = _forms()


# ---- encoding


def encode_message(value, shapes=()) -> bytes:
    """The encoding of a message; what a receiver would refuse is refused here."""
    encoded = b''.join(_encode(value, 0, shapes))
    decode_message(encoded, shapes)
    return encoded


def _encode(value, depth: int, shapes):
    if depth > MAX_DEPTH + 1:
        raise Invalid('nested too deep')
    if value is None:
        yield b'\xc0'
    elif value is UNDEFINED:
        yield b'\xd4\0\0'
    elif isinstance(value, bool):
        yield b'\xc3' if value else b'\xc2'
    elif isinstance(value, float):
        small = FIRST_SHAPE <= value <= 0x7F and value.is_integer()
        yield bytes([0xCC, int(value)]) if small and shapes else _number(value)
    elif isinstance(value, int):
        yield _integer(value)
    elif isinstance(value, str):
        yield _text(value)
    elif isinstance(value, bytes):
        yield _sized(len(value), ((0xC4, 1), (0xC5, 2), (0xC6, 4))) + value
    elif isinstance(value, TypedArray):
        yield _long_ext(ARRAY_TYPE, bytes([value.code]) + value.data)
    elif isinstance(value, Date):
        yield _ext(DATE_TYPE, _timestamp(value))
    elif isinstance(value, Set):
        yield b'\xd4\x73\0'
        yield from _encode(value.elements, depth, shapes)
    elif isinstance(value, list):
        yield _sized(len(value), ((0xDC, 2), (0xDD, 4)), (0x90, 15))
        for element in value:
            yield from _encode(element, depth + 1, shapes)
    elif isinstance(value, dict) and tuple(value) in shapes:
        yield bytes([FIRST_SHAPE + shapes.index(tuple(value))])
        for member in value.values():
            yield from _encode(member, depth + 1, shapes)
    elif isinstance(value, dict):
        yield _sized(len(value), ((0xDE, 2), (0xDF, 4)), (0x80, 15))
        for key, member in value.items():
            yield _text(key)
            yield from _encode(member, depth + 1, shapes)
    else:
        raise Invalid(f'a {type(value).__name__} cannot be carried')


def _sized(size: int, forms, inline: tuple[int, int] = (0, -1)) -> bytes:
    """The shortest header for a size: in the first byte itself, or in the fewest bytes behind it."""
    base, most = inline
    if size <= most:
        return bytes([base + size])
    for first, width in forms:
        if size < 256**width:
            return bytes([first]) + size.to_bytes(width, 'big')
    raise Invalid('too large')


def _text(value: str) -> bytes:
    try:
        data = value.encode('utf-8')
    except UnicodeEncodeError:
        raise Invalid('half a surrogate pair') from None
    return _sized(len(data), ((0xD9, 1), (0xDA, 2), (0xDB, 4)), (0xA0, 31)) + data


def _number(value: float) -> bytes:
    if math.isnan(value):
        return bytes.fromhex('cb7ff8000000000000')
    negative_zero = value == 0 and math.copysign(1, value) < 0
    if negative_zero or not value.is_integer() or not -(2**31) <= value < 2**32:
        return b'\xcb' + struct.pack('>d', value)
    whole = int(value)
    if -32 <= whole < 128:
        return struct.pack('>b' if whole < 0 else '>B', whole)
    if whole > 0:
        return _sized(whole, ((0xCC, 1), (0xCD, 2), (0xCE, 4)))
    first, width = next((0xD0 + i, 1 << i) for i in range(3) if whole >= -(1 << 8 * (1 << i) - 1))
    return bytes([first]) + whole.to_bytes(width, 'big', signed=True)


def _integer(value: int) -> bytes:
    if -(2**63) <= value < 2**63:
        return b'\xd3' + value.to_bytes(8, 'big', signed=True)
    if 0 < value < 2**64:
        return b'\xcf' + value.to_bytes(8, 'big')
    magnitude = value if value >= 0 else ~value
    return _ext(INTEGER_TYPE, value.to_bytes(magnitude.bit_length() // 8 + 1, 'big', signed=True))


def _ext(kind: int, data: bytes) -> bytes:
    fixed = {1: 0xD4, 2: 0xD5, 4: 0xD6, 8: 0xD7, 16: 0xD8}
    if len(data) in fixed:
        return bytes([fixed[len(data)], kind]) + data
    return _long_ext(kind, data)


def _long_ext(kind: int, data: bytes) -> bytes:
    return _sized(len(data), ((0xC7, 1), (0xC8, 2), (0xC9, 4))) + bytes([kind]) + data


def _timestamp(date: Date) -> bytes:
    seconds, nanoseconds = date.seconds, date.nanoseconds
    if seconds is None:
        return b'\xff'
    if not 0 <= seconds < 2**32:
        return struct.pack('>Iq', nanoseconds, seconds)
    if nanoseconds:
        return (nanoseconds * 2**34 + seconds).to_bytes(8, 'big')
    return seconds.to_bytes(4, 'big')
