"""Checks stalk_reference's values by the examples and rules of section 15, and by the library msgpack.

A line of CASES has an encoding in hexadecimal and, where it has to be accepted, the value in the package's
JSON notation; REFUSED otherwise.
"""

import json
import random
import sys

import msgpack

from stalk_reference.notation import construct, describe
from stalk_reference.values import Invalid, decode_batch, decode_message, encode_message

REFUSED = object()
NESTED_64 = '91' * 64 + '01'
LONGEST_INTEGER = 'c8 0400 42 7f' + 'ff' * 1023

CASES = [
    # The examples of the text.
    ('d6 ff 00000001', {'$date': [1, 0]}),
    ('d7 ff 003d0900 00000001', {'$date': [1, 1_000_000]}),
    ('c7 0c ff 3b8b87c0 ffffffffffffffff', {'$date': [-1, 999_000_000]}),
    ('d8 42 0000000000000001 0000000000000000', {'$bigint': str(2**64)}),
    ('c7 05 74 05 02010000', {'$Int32Array': '02010000'}),
    ('d4 73 00 92 01 02', {'$set': [1, 2]}),
    ('05', 5),
    ('d3 0000000000000005', {'$bigint': '5'}),
    ('cb 8000000000000000', {'$number': '-0'}),
    ('cb 7ff8000000000000', {'$number': 'NaN'}),
    # Any width, in any header.
    *(('cc 05', 5), ('ce 00000005', 5), ('d2 fffffffb', -5), ('ca 3fc00000', 1.5)),
    *(('d9 02 6869', 'hi'), ('db 00000002 6869', 'hi'), ('c6 00000001 aa', {'$bytes': 'aa'})),
    *(('dd 00000001 01', [1]), ('df 00000001 d9 01 61 01', {'a': 1}), ('d4 73 00 dc 0001 01', {'$set': [1]})),
    *(('cf 0000000000000005', {'$bigint': '5'}), ('d5 42 0001', {'$bigint': '1'})),
    *(('c9 00000001 42 ff', {'$bigint': '-1'}), ('c8 0002 74 01 aa', {'$Uint8Array': 'aa'})),
    # Exactly one value, which is neither nil nor undefined.
    *(('', REFUSED), ('01 01', REFUSED), ('c0', REFUSED), ('d4 00 00', REFUSED)),
    ('92 c0 d40000', [None, {'$undefined': True}]),
    # No other types, and no other forms of them.
    *(('c1', REFUSED), ('91 c1', REFUSED), ('d4 01 00', REFUSED)),
    *(('91 c7 01 00 00', REFUSED), ('91 d4 00 01', REFUSED), ('c7 00 42', REFUSED)),
    *(('d4 73 01 90', REFUSED), ('c7 01 73 00 90', REFUSED), ('d4 73 00 01', REFUSED), ('d4 73 00', REFUSED)),
    *(('c7 00 74', REFUSED), ('d4 74 0b', REFUSED), ('d4 74 12', REFUSED), ('d5 74 03 00', REFUSED)),
    (LONGEST_INTEGER, {'$bigint': str(2**8191 - 1)}),
    ('c8 0401 42' + '00' * 1025, REFUSED),
    # Lengths and counts.
    *(('a2 68', REFUSED), ('93 01 02', REFUSED), ('dd ffffffff 01', REFUSED), ('82 a1 61 01', REFUSED)),
    *(('c4 02 00', REFUSED), ('cb 00', REFUSED), ('d8 42 00', REFUSED)),
    # Depth.
    (NESTED_64, json.loads('[' * 64 + '1' + ']' * 64)),
    ('91' + NESTED_64, REFUSED),
    ('91' * 63 + 'd47300 91 01', json.loads('[' * 63 + '{"$set":[1]}' + ']' * 63)),
    *(('91' * 64 + 'd47300 90', REFUSED), ('91' * 64 + '80', REFUSED)),
    # Strings and keys.
    *(('a2 c080', REFUSED), ('a3 eda080', REFUSED), ('a1 ff', REFUSED), ('a3 efbbbf', '\ufeff')),
    *(('81 01 01', REFUSED), ('81 c4 01 61 01', REFUSED), ('82 a1 61 01 d9 01 61 02', REFUSED)),
    ('81 a9 5f5f70726f746f5f5f 01', REFUSED),
    # Dates.
    ('d4 ff ff', {'$date': None}),
    *(('c7 01 ff ff', REFUSED), ('d4 ff 00', REFUSED), ('d5 ff ffff', REFUSED)),
    ('c7 04 ff 00000001', {'$date': [1, 0]}),
    *(('d7 ff ee6b2800 00000000', REFUSED), ('c7 0c ff 3b9aca00 0000000000000000', REFUSED)),
    ('c7 0c ff 00000000 000007dba8218000', {'$date': [8_640_000_000_000, 0]}),
    ('c7 0c ff 00000001 000007dba8218000', REFUSED),
    ('c7 0c ff 00000000 fffff82457de8000', {'$date': [-8_640_000_000_000, 0]}),
    ('c7 0c ff 3b9ac9ff fffff82457de7fff', REFUSED),
]

# Contents of records of kind 02.
BATCHES = [
    *(('92 c3 a2 6869', [True, 'hi']), ('dd 00000001 01', [1])),
    *(('90', REFUSED), ('01', REFUSED), ('', REFUSED)),
    *(('92 01', REFUSED), ('91 01 01', REFUSED), ('92 01 c0', REFUSED)),
]


def verdict(decode, data: bytes):
    try:
        return describe(decode(data))
    except Invalid:
        return REFUSED


def decoded_batch(data: bytes) -> list:
    return [message for message, _ in decode_batch(data)]


def survives(expected) -> bool:
    """Whether an accepted value is the same once more encoded and decoded."""
    value = construct(expected)
    return describe(decode_message(encode_message(value))) == expected == describe(value)


def budget_cases():
    """A message may have 1,000,000 values; bytes count eight."""
    for count, element, accepted in (
        (999_999, '01', True), (1_000_000, '01', False), (124_999, 'c400', True), (125_000, 'c400', False),
    ):
        yield bytes.fromhex(f'dd {count:08x}' + element * count), accepted


def random_value(depth: int = 3):
    """A value that MessagePack itself has."""
    leaves = [
        lambda: random.choice([None, True, False]),
        lambda: random.uniform(-1e9, 1e9) + 0.5,
        lambda: 'ü' * random.choice([0, 5, 20, 200, 40_000]),
        lambda: random.randbytes(random.choice([0, 3, 300, 70_000])),
    ]
    if depth and random.random() < 0.6:
        length = random.choice([0, 1, 15, 16, 17])
        if random.random() < 0.5:
            return [random_value(depth - 1) for _ in range(length)]
        return {f'{i}': random_value(depth - 1) for i in range(length)}
    return random.choice(leaves)()


def disagreements():
    """What the library encodes or decodes otherwise. Its integers are our whole numbers."""
    random.seed(1)
    for _ in range(60):
        value = [random_value()]
        if encode_message(value) != msgpack.packb(value) or msgpack.unpackb(encode_message(value)) != value:
            yield value
    bounds = [sign * 2**bits for bits in (5, 7, 8, 15, 16, 31, 32) for sign in (1, -1)]
    for number in [bound + step for bound in bounds for step in (-1, 0, 1)]:
        if -(2**31) <= number < 2**32 and encode_message(float(number)) != msgpack.packb(number):
            yield number


def failures():
    for cases, decode in ((CASES, decode_message), (BATCHES, decoded_batch)):
        for text, expected in cases:
            if verdict(decode, bytes.fromhex(text)) != expected:
                yield text
            elif expected is not REFUSED and not survives(expected):
                yield f're-encoded: {text}'
    for data, accepted in budget_cases():
        if (verdict(decode_message, data) is not REFUSED) != accepted:
            yield f'a message of {len(data)} bytes'
    for value in disagreements():
        yield f'msgpack differs: {value!r}'


def main() -> int:
    failed = [failure[:80] for failure in failures()]
    for failure in failed:
        print('FAILED', failure)
    print(f'{len(CASES) + len(BATCHES)} checked, {len(failed)} failed')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
