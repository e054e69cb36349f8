"""Checks ping, key update and how many of them (section 21) between two connections of stalk_reference.

    python3 check_upkeep.py
"""

import socket
import sys
import threading
from types import SimpleNamespace

from check_vectors import Tally
from stalk_reference import connection
from stalk_reference.connection import REQUEST, Bucket, Connection
from stalk_reference.handshake import Config
from stalk_reference.wire import APPLICATION, DUE_RECORDS, KEY_UPDATE, LIMIT, PING, SUITES, Fault, PeerAlert

VALUE = b'question'


def meet(suite: int = 1, **rest) -> tuple[Connection, Connection]:
    """Two connections, both used by this thread: what they say fits the socket's buffers."""
    sockets, made = socket.socketpair(), []
    settings = Config(suites=[suite], **rest)
    responding = threading.Thread(target=lambda: made.append(Connection(sockets[1], 'responder', settings)))
    responding.start()
    initiator = Connection(sockets[0], 'initiator', settings)
    responding.join()
    return initiator, made[0]


def read(conn: Connection, records: int = 1) -> None:
    for _ in range(records):
        conn._guarded(conn._read)


def fails(step) -> object:
    """The class of what a step raises, and the alert in it."""
    try:
        step()
    except (Fault, PeerAlert, ValueError) as error:
        return type(error), getattr(error, 'alert', getattr(error, 'code', None))
    return None


def ask_raw(conn: Connection, kind: int) -> None:
    """Asks, whether it may or not."""
    if kind == PING:
        conn._ping = VALUE
        conn._link.write_sealed(PING, VALUE)
    else:
        conn._update_asked = True
        conn._write_key_update(REQUEST)


# ---- the checks


def check_ping(tally: Tally) -> None:
    asking, answering = meet()
    asking.send('one')
    asking.ping()
    asking.send('two')
    read(answering, 3)
    read(asking)
    tally('a pong acknowledges what its ping was sent behind', (asking.pongs, asking.acknowledged), (1, 1))
    answering.finish()
    asking.ping()
    read(answering)
    read(asking, 2)
    tally('a ping is answered behind a close', (asking.pongs, asking.acknowledged), (2, 2))
    asking.finish()
    tally('none is sent behind an own close', fails(asking.ping), (ValueError, None))
    tally('nor a request', fails(asking.update_keys), (ValueError, None))
    read(answering)
    read(asking)
    tally('and all ends well', [end.outcome().kind for end in (asking, answering)], ['clean'] * 2)


def check_updates(suite: int, tally: Tally) -> None:
    a, b = meet(suite)
    before = a.handshake.keys.i_ap, a.handshake.keys.r_ap, a.handshake.keys.session_id
    a.update_keys()
    b.update_keys()
    for end in (a, b):
        end.send('under the next key')
    read(a, 2), read(b, 2)
    for end in (a, b):
        end.send('under the one behind it')
    read(a, 2), read(b, 2)
    keys = a.handshake.keys
    tally(f'suite {suite}: both ask', [(end.updates, end.received) for end in (a, b)], [(1, 2)] * 2)
    tally(f'suite {suite}: the same keys', vars(b.handshake.keys), vars(keys))
    tally(f'suite {suite}: other keys', keys.i_ap in before or keys.r_ap in before, False)
    tally(f'suite {suite}: the same session', keys.session_id, before[2])


def check_within_message(suite: int, tally: Tally) -> None:
    asking, answering = meet(suite)
    echoing = threading.Thread(target=lambda: [answering.send(message) for message in answering])
    echoing.start()
    asking.between = lambda: (asking.ping(), asking.update_keys())
    text = 'between the fragments' * 10_000
    asking.send(text)
    asking.between = lambda: None
    back = asking.receive()
    asking.finish()
    echoing.join()
    read(asking, 2)
    tally(f'suite {suite}: a message with questions in it', back == text, True)
    tally(f'suite {suite}: each is answered', (asking.pongs, asking.updates), (4, 4))


def check_bucket(tally: Tally) -> None:
    now = [0.0]
    connection.time = SimpleNamespace(monotonic=lambda: now[0])
    bucket = Bucket(32, 1)
    tally('a bucket of 32', [bucket.take() for _ in range(33)], [True] * 32 + [False])
    now[0] = 2.5
    tally('gains one a second', [bucket.take() for _ in range(3)], [True, True, False])
    now[0] = 1_000
    tally('and holds no more', [bucket.take() for _ in range(33)], [True] * 32 + [False])
    bucket.fill()
    tally('it can be filled', bucket.take(), True)


def check_receiver(kinds: list[int], tally: Tally) -> None:
    name = f'kinds {kinds}'
    asking, answering = meet()
    for i in range(32):
        ask_raw(asking, kinds[i % len(kinds)])
        read(answering)
        read(asking)
    tally(f'{name}: 32 are answered', asking.pongs + asking.updates, 32)
    asking.send('a message')
    for i in range(32):
        ask_raw(asking, kinds[i % len(kinds)])
        read(answering, 2 if i == 0 else 1)
        read(asking)
    tally(f'{name}: 32 more behind a message', asking.pongs + asking.updates, 64)
    ask_raw(asking, kinds[0])
    tally(f'{name}: one more is refused', fails(lambda: read(answering)), (Fault, LIMIT))
    tally(f'{name}: and it is told', fails(lambda: read(asking)), (PeerAlert, LIMIT))


def check_sender(tally: Tally) -> None:
    asking, answering = meet()

    def ask(step) -> object:
        failed = fails(step)
        if not failed:
            read(answering)
            read(asking)
        return failed

    tally('a sender asks 16 times', [ask(asking.ping) for _ in range(16)], [None] * 16)
    tally('and no more', ask(asking.update_keys), (ValueError, None))
    asking.send('a message')
    read(answering)
    tally('until it has sent a message', ask(asking.update_keys), None)


def check_one_at_a_time(tally: Tally) -> None:
    asking, answering = meet()
    asking.ping()
    asking.update_keys()
    read(answering, 2)
    asking.ping()
    asking.update_keys()
    tally('it waits for the answer before', (asking.pongs, asking.updates), (1, 1))


def check_due(tally: Tally) -> None:
    asking, answering = meet()
    for used in (asking._link.outbound, answering._link.inbound[APPLICATION]):
        used._sequence = DUE_RECORDS - 1
    asking.send('near the end of a key')
    read(answering, 2)
    read(asking)
    tally('a key that is used much is changed', asking.updates, 1)


def main() -> int:
    tally = Tally()
    check_ping(tally)
    for suite in SUITES:
        check_updates(suite, tally)
        check_within_message(suite, tally)
    check_one_at_a_time(tally)
    check_due(tally)
    check_bucket(tally)  # from here on the time stands still
    for kinds in ([PING], [KEY_UPDATE], [PING, KEY_UPDATE]):
        check_receiver(kinds, tally)
    check_sender(tally)
    print(f'{tally.checked} checked, {tally.failed} failed')
    return 1 if tally.failed else 0


if __name__ == '__main__':
    sys.exit(main())
