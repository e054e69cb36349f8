"""Checks shapes (section 21.5): the examples and rules, in pieces and between two connections of stalk_reference.

    python3 check_shapes.py
"""

import socket
import sys
import threading

from check_upkeep import fails, meet, read
from check_vectors import Tally
from stalk_reference.connection import Connection
from stalk_reference.handshake import Config
from stalk_reference.notation import describe
from stalk_reference.shapes import Shapes
from stalk_reference.values import Invalid, decode_batch, decode_message, encode_message
from stalk_reference.wire import (
    CLOSE, FRAGMENT, LAST_FRAGMENT, LIMIT, MESSAGE_INVALID, MESSAGES, PING, SHAPES, SUITES,
    UNEXPECTED, Fault, PeerAlert,
)

INVALID = Invalid, MESSAGE_INVALID
REFUSED = 'refused'
LONGEST = 'a' * 64
PROTO = '__proto__'
POINT, BOX = ('x', 'y'), ('at', 'size')


def content(first: int, *shapes) -> bytes:
    """The content of an announcement, good or bad."""
    encoded = b''.join(
        bytes([len(names)]) + b''.join(bytes([len(name.encode())]) + name.encode() for name in names)
        for names in shapes
    )
    return bytes([first, len(shapes)]) + encoded


def shape(size: int) -> tuple[str, ...]:
    return tuple(f'n{i}' for i in range(size))


# ---- announcements

TAKEN = [
    (bytes.fromhex('00 01 02 02 69 64 02 61 74'), [('id', 'at')]),  # the example of the text
    (content(0, ('a',), ('a',)), [('a',), ('a',)]),
    (content(0, ('_', '$', 'A0', 'constructor', LONGEST)), [('_', '$', 'A0', 'constructor', LONGEST)]),
    (content(0, shape(64)), [shape(64)]),
    (content(0, ('__proto_', '__proto___', '__PROTO__')), [('__proto_', '__proto___', '__PROTO__')]),
    (content(0, *[('a', 'b')] * 32), [('a', 'b')] * 32),
]

BAD = [
    *(b'', b'\0', b'\0\0', b'\0\1', b'\0\1\1', b'\0\1\1\1'),  # cut, or none
    *(content(1, ('a',)), content(0, ()), content(0, shape(65)), content(0, *[('a',)] * 33)),
    *(content(0, (name,)) for name in ('', 'a' * 65, 'a-b', '1a', '9', 'a b', 'ü', 'a\0', 'a\n', PROTO, '0x40')),
    *(content(0, ('a', 'b', 'a')), content(0, ('a',), ('b', 'b'))),
    *(content(0, ('a',)) + b'\0', content(0, ('a',)) + content(1, ('b',)), content(0, ('a',), ('b',))[:-1]),
    content(0, ('a',)).replace(b'a', b'\xff'),
]


def taken(*contents: bytes):
    shapes = Shapes()
    try:
        for each in contents:
            shapes.take(each)
    except Fault as fault:
        return fault.alert
    return shapes.known


def check_announcements(tally: Tally) -> None:
    for each, known in TAKEN:
        tally(f'taken: {each.hex()}', taken(each), known)
        tally(f'made: {each.hex()}', Shapes().announce(known), each)
    for each in BAD:
        tally(f'not taken: {each.hex()}', taken(each), MESSAGE_INVALID)
    first, second = content(0, POINT), content(1, POINT)
    tally('the second in its place', taken(first, second), [POINT, POINT])
    tally('a first one again', taken(first, first), MESSAGE_INVALID)
    tally('a gap', taken(first, content(2, POINT)), MESSAGE_INVALID)
    most = [content(i, ('a',)) for i in range(32)]
    tally('32 one by one', taken(*most), [('a',)] * 32)
    tally('the 33rd', taken(*most, content(32, ('a',))), MESSAGE_INVALID)
    tally('31 and two more', taken(*most[:31], content(31, ('a',), ('b',))), MESSAGE_INVALID)


# ---- values

SHAPES_OF = [('id', 'at'), POINT, BOX, ('a',)]
NESTED_64 = '43' * 64 + '01'

VALUES = [
    *(('40 07 c3', {'id': 7, 'at': True}), ('cc 40', 64), ('81 a1 78 05', {'x': 5})),
    *(('3f', 63), ('e0', -32), ('cd 0041', 65), ('ca 42800000', 64)),
    ('42 41 01 02 41 03 04', {'at': {'x': 1, 'y': 2}, 'size': {'x': 3, 'y': 4}}),
    ('92 43 c0 43 d40000', [{'a': None}, {'a': {'$undefined': True}}]),
    ('d4 73 00 92 43 01 43 01', {'$set': [{'a': 1}, {'a': 1}]}),
    ('82 a1 78 05 a1 79 43 01', {'x': 5, 'y': {'a': 1}}),
    *(('44 01', REFUSED), ('5f 01', REFUSED), ('60 01', REFUSED), ('7f', REFUSED), ('40', REFUSED)),
    *(('40 07', REFUSED), ('40 07 c3 c3', REFUSED), ('40 07 c1', REFUSED), ('42 41 01 02 41 03', REFUSED)),
    *(('81 43 01 01', REFUSED), ('81 43 a1 61 01', REFUSED), ('81 a1 61 7f', REFUSED), ('d4 73 00 43 01', REFUSED)),
    *((NESTED_64, describe(decode_message(bytes.fromhex('81a161' * 64 + '01')))), ('43' + NESTED_64, REFUSED)),
    *(('43' * 64 + '80', REFUSED), ('91' * 64 + '43 01', REFUSED), ('91' * 63 + 'd47300 91 43 01', REFUSED)),
]


def value(data: bytes, shapes=SHAPES_OF):
    try:
        return describe(decode_message(data, shapes))
    except Invalid:
        return REFUSED


def check_values(tally: Tally) -> None:
    for text, expected in VALUES:
        data = bytes.fromhex(text)
        tally(text, value(data), expected)
        if expected != REFUSED:
            message = decode_message(data, SHAPES_OF)
            tally(f'{text} again', value(encode_message(message, SHAPES_OF)), expected)
    batch = [describe(message) for message, _ in decode_batch(bytes.fromhex('92 cc40 4007c3'), SHAPES_OF)]
    tally('two messages', batch, [64, {'id': 7, 'at': True}])
    tally('a batch is no shape', fails(lambda: decode_batch(bytes.fromhex('43 01'), SHAPES_OF)), INVALID)
    tally('before any, numbers', value(bytes.fromhex('93 40 5f 7f'), []), [64, 95, 127])
    numbers = [float(number) for number in range(60, 132)]
    expected = b''.join(bytes([0xCC, int(n)]) if n > 63 else bytes([int(n)]) for n in numbers)
    tally('numbers are written as cc', encode_message(numbers, SHAPES_OF)[3:], expected)
    tally('of another order', encode_message({'y': 1.0, 'x': 2.0}, SHAPES_OF).hex(), '82a17901a17802')


def check_budget(tally: Tally) -> None:
    """Each object is a value, and each of its values: an array of n with one each has 1 + 2n."""
    for count, accepted in ((499_999, True), (500_000, False)):
        data = bytes.fromhex(f'dd {count:08x}') + b'\x43\1' * count
        tally(f'{count} objects', value(data) != REFUSED, accepted)
    for count, accepted in ((111_111, True), (111_112, False)):
        data = bytes.fromhex(f'dd {count:08x}') + b'\x43\xc4\0' * count
        tally(f'{count} objects of empty bytes, which count eight', value(data) != REFUSED, accepted)


# ---- connections


def send_raw(conn: Connection, *records: tuple[int, bytes]) -> None:
    for kind, each in records:
        conn._link.write_sealed(kind, each)


def end_of(*records: tuple[int, bytes]) -> tuple:
    """What a connection makes of these: its failure, its messages, and what the other one is told."""
    sender, receiver = meet()
    send_raw(sender, *records)
    got = fails(lambda: read(receiver, len(records)))
    queue = [describe(message) for message in receiver._queue]
    return got, queue, fails(lambda: read(sender)) if got else None


def check_places(tally: Tally) -> None:
    announced, used = (SHAPES, content(0, POINT)), (MESSAGES, bytes.fromhex('91 40 01 02'))
    part, close = (FRAGMENT, b'\xda\x08\0' + b'a' * 1_021), (5, bytes([CLOSE]) + bytes(8))
    got = [{'x': 1, 'y': 2}]
    tally('announced and used', end_of(announced, used), (None, got, None))
    tally('used before', end_of(used, announced)[0], INVALID)
    tally('alone in a last fragment', end_of(announced, (LAST_FRAGMENT, bytes.fromhex('40 01 02'))), (None, got, None))
    told = (PeerAlert, UNEXPECTED)
    tally('between fragments', end_of(part, announced), ((Fault, UNEXPECTED), [], told))
    tally('behind a close', end_of(close, announced)[0], (Fault, UNEXPECTED))
    bad = end_of(announced, used, (SHAPES, content(0, POINT)))
    tally('a bad one behind a message', bad, (INVALID, got, (PeerAlert, MESSAGE_INVALID)))
    large = encode_message({'x': 'a' * 20_000, 'y': 1.0}, [POINT])
    parts = [(FRAGMENT, large[at : at + 6_000]) for at in range(0, 18_000, 6_000)]
    end = end_of(announced, *parts, (LAST_FRAGMENT, large[18_000:]))
    tally('in fragments', [message['y'] for message in end[1]], [1])


def check_bucket(tally: Tally) -> None:
    """Announcements neither draw on what may come uninvited nor fill it up."""
    sender, receiver = meet()
    for i in range(32):
        send_raw(sender, (PING, b'question'), (SHAPES, content(i, ('a',))))
        read(receiver, 2)
    send_raw(sender, (PING, b'question'), (PING, b'question'))
    failed = fails(lambda: read(receiver, 2))
    tally('a shape fills no bucket', failed, (Fault, LIMIT))


def check_session(suite: int, tally: Tally) -> None:
    a, b = meet(suite, shapes_wait=2)
    messages = [{'at': {'x': 1.0, 'y': float(i)}, 'size': [{'x': 64.0, 'y': 127.0}]} for i in range(4)]
    a.send(messages[0])
    a.update_keys()
    for message in messages[1:]:
        a.send(message)
    b.send({'x': 1.0, 'y': 2.0})
    got = [b.receive() for _ in messages]
    tally(f'suite {suite}: the same objects', (got, a.receive()), (messages, {'x': 1.0, 'y': 2.0}))
    counts = [(end.outcome().shapes, end.outcome().peer_shapes) for end in (a, b)]
    tally(f'suite {suite}: in one direction alone', counts, [(2, 0), (0, 2)])
    b.finish()
    a.finish()
    tally(f'suite {suite}: none behind a close', fails(lambda: a.announce([('z',)])), (ValueError, None))


def check_early(tally: Tally) -> None:
    sockets, made = socket.socketpair(), []
    settings = Config(shapes_wait=1)
    responding = threading.Thread(target=lambda: made.append(Connection(sockets[1], 'responder', settings)))
    responding.start()
    early = [{'x': float(i), 'y': 100.0} for i in range(3)]
    a = Connection(sockets[0], 'initiator', settings, early=early)
    responding.join()
    a.send({'x': 3.0, 'y': 4.0})
    got = [made[0].receive() for _ in range(4)]
    tally('early data', (got[:3], got[3], made[0].outcome().peer_shapes), (early, {'x': 3.0, 'y': 4.0}, 1))


def check_most(tally: Tally) -> None:
    a, b = meet(shapes_wait=1)
    messages = [{f'n{i}': {'nested': [{f'm{i}': float(i)}]}} for i in range(20)]
    for message in messages:
        a.send(message)
    tally('32 at most, in any depth', ([b.receive() for _ in messages], a.outcome().shapes), (messages, 32))
    odd = [{'a-b': 1.0}, {}, {'ü': 1.0}, {f'k{i}': 1.0 for i in range(65)}, {'\ud7ff': {'1': True}}]
    c, d = meet(shapes_wait=1)
    for message in odd:
        c.send(message)
    tally('none of what cannot be one', ([d.receive() for _ in odd], c.outcome().shapes), (odd, 0))


def main() -> int:
    tally = Tally()
    check_announcements(tally)
    check_values(tally)
    check_budget(tally)
    check_places(tally)
    check_bucket(tally)
    for suite in SUITES:
        check_session(suite, tally)
    check_early(tally)
    check_most(tally)
    print(f'{tally.checked} checked, {tally.failed} failed')
    return 1 if tally.failed else 0


if __name__ == '__main__':
    sys.exit(main())
