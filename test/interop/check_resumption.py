"""Checks resumption (section 21.4) between two ends of stalk_reference: what is offered, what is taken, and
that a resumed session has the ends of the ticket's and nothing else of it.

    python3 check_resumption.py
"""

import socket
import sys
import threading
from dataclasses import dataclass, field, replace
from typing import Callable

from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from check_vectors import Tally
from stalk_reference import connection
from stalk_reference.connection import Connection
from stalk_reference.handshake import NONE, REQUIRED, WELCOME, Config, Responder
from stalk_reference.identity import RSA_PSS, Identity
from stalk_reference.resumption import Issued, Kept, encode_ticket
from stalk_reference.wire import (
    AUTH_FAILED, AUTH_REQUIRED, DECODE, LIMIT, NOTHING_IN_COMMON, SUITES, TICKET, UNEXPECTED, Fault,
    PeerAlert, Truncated,
)


class Signer(Identity):
    """An identity that counts its signatures."""

    signatures = 0

    def sign(self, signed: bytes) -> bytes:
        self.signatures += 1
        return super().sign(signed)


ALICE, BOB, CAROL = (Signer(ed25519.Ed25519PrivateKey.generate()) for _ in range(3))
RSA_ALICE, RSA_BOB = (Signer(rsa.generate_private_key(65_537, 2_048)) for _ in range(2))

# The initiator's identity, the responder's, and what that one wants.
MODES = {
    'mutual': (ALICE, BOB, REQUIRED), 'responder-only': (None, BOB, NONE),
    'initiator-only': (ALICE, None, WELCOME), 'anonymous': (None, None, WELCOME),
    'mutual, RSA': (RSA_ALICE, RSA_BOB, REQUIRED), 'mutual, both kinds': (ALICE, RSA_BOB, WELCOME),
}


@dataclass
class Clock:
    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Pair:
    """The settings of two ends that keep tickets, and have one clock."""

    initiator: Config
    responder: Config
    clock: Clock = field(default_factory=Clock)

    @classmethod
    def make(cls, mode: str = 'mutual', suites=(1,)) -> 'Pair':
        alice, bob, want = MODES[mode]
        kept, issued = Kept(), Issued()
        initiator = Config(identity=alice, suites=list(suites), kept=kept)
        pair = cls(initiator, Config(identity=bob, suites=list(suites), want=want, issued=issued))
        kept.clock = issued.clock = pair.clock
        return pair

    def change(self, role: str, **changes) -> 'Pair':
        return replace(self, **{role: replace(getattr(self, role), **changes)})

    def meet(self) -> 'Meeting':
        sockets, ends = socket.socketpair(), {}

        def attempt(role: str, sock: socket.socket) -> None:
            try:
                ends[role] = Connection(sock, role, getattr(self, role))
            except (Fault, PeerAlert, Truncated) as failure:
                ends[role] = failure

        responding = threading.Thread(target=attempt, args=('responder', sockets[1]))
        responding.start()
        attempt('initiator', sockets[0])
        responding.join()
        return Meeting(**ends)

    def first(self, tickets: int = 1, **options) -> 'Meeting':
        """A session that leaves tickets behind."""
        meeting = self.meet()
        for _ in range(tickets):
            meeting.responder.send_ticket(**options)
            read(meeting.initiator)
        return meeting


@dataclass
class Meeting:
    """Both ends of an attempt: a connection each, or what it failed with."""

    initiator: Connection | Exception
    responder: Connection | Exception

    @property
    def came_to(self) -> object:
        """Whether it was resumed, as both see it; or the alert of the end that failed by itself."""
        ends = self.initiator, self.responder
        faults = [end.alert for end in ends if isinstance(end, Fault)]
        if faults:
            return 'alert', faults[0]
        initiator, responder = (end.handshake.resumed is not None for end in ends)
        return 'resumed' if initiator and responder else 'full' if not initiator and not responder else 'torn'


def read(conn: Connection) -> None:
    conn._guarded(conn._read)


def fails(step: Callable) -> object:
    try:
        step()
    except (Fault, ValueError) as error:
        return getattr(error, 'alert', ValueError)
    return None


# ---- the checks


def check_session(mode: str, suite: int, tally: Tally) -> None:
    pair, name = Pair.make(mode, [suite]), f'{mode}, suite {suite}'
    first = pair.first().initiator.handshake
    signers = [end.identity for end in (pair.initiator, pair.responder) if end.identity]
    before = [signer.signatures for signer in signers]
    again = pair.meet()
    tally(f'{name}: a ticket resumes', again.came_to, 'resumed')
    tally(f'{name}: nothing is signed', [signer.signatures for signer in signers], before)
    a, b = again.initiator.handshake, again.responder.handshake
    tally(f'{name}: the same keys', vars(a.keys), vars(b.keys))
    tally(f'{name}: other keys than before', a.keys.session_id == first.keys.session_id, False)
    tally(f'{name}: the same ends', (a.mode, a.peer, a.shown), (first.mode, first.peer, first.shown))
    tally(f'{name}: once', (pair.initiator.kept.tickets, pair.meet().came_to), ([], 'full'))
    again.responder.send(['hello', suite])
    tally(f'{name}: messages pass', again.initiator.receive(), ['hello', suite])


def check_expiry(tally: Tally) -> None:
    pair = Pair.make()
    pair.first(lifetime=60)
    pair.clock.now += 50
    again = pair.first()
    again.responder._link.write_sealed(TICKET, encode_ticket(86_400, bytes(16), b'promises too much'))
    read(again.initiator)
    expiries = [ticket.expiry for ticket in pair.initiator.kept.tickets]
    tally('they come of a resumed session', again.came_to, 'resumed')
    tally('they inherit the expiry, whatever their lifetime is', expiries, [1_060] * 2)
    pair.clock.now += 10
    tally('an expired one is not offered', (pair.meet().came_to, pair.initiator.kept.tickets), ('full', []))
    pair.first(lifetime=60)
    pair.responder.issued.clock = lambda: pair.clock() + 60
    tally('nor taken', pair.meet().came_to, 'full')
    pair = Pair.make()
    pair.first(lifetime=60)
    pair.clock.now += 59.5
    tally('none is given out in the last second', pair.meet().responder.send_ticket(), False)


def check_offer(tally: Tally) -> None:
    changes = {
        'another app': {'app': 'other'}, 'without its suite': {'suites': [2]},
        'without its algorithm': {'sigs': [RSA_PSS]}, 'another identity': {'identity': CAROL},
        'no identity': {'identity': None},
        'another key is pinned': {'refuses': lambda key: key != CAROL.public},
    }
    for name, change in changes.items():
        pair = Pair.make(suites=[1, 2])
        pair.first()
        pair.change('initiator', **change).meet()
        tally(f'{name}: it is not offered', len(pair.initiator.kept.tickets), 1)
        tally(f'{name}: and good afterwards', pair.meet().came_to, 'resumed')
    pair = Pair.make('responder-only')
    pair.first()
    pair.change('initiator', identity=ALICE).meet()
    tally('none was shown: it is not offered with one', len(pair.initiator.kept.tickets), 1)


def check_decision(tally: Tally) -> None:
    """What a responder passes over, without looking at the binder."""
    changes = {
        'it issues none': {'issued': None}, 'it does not know it': {'issued': Issued()},
        'another suite': {'suites': [2]}, 'another identity': {'identity': CAROL},
        'no identity': {'identity': None}, 'it wants none': {'want': NONE},
        'an algorithm that it does not take': {'sigs': [RSA_PSS]},
    }
    for name, change in changes.items():
        for spoiled in (False, True):
            pair = Pair.make(suites=[1, 2])
            pair.first()
            good = pair.initiator.kept.tickets[:]
            if spoiled:
                pair.initiator.kept.tickets = [replace(good[0], psk=bytes(32))]
            came_to = 'full' if name != 'an algorithm that it does not take' else ('alert', NOTHING_IN_COMMON)
            full = pair.change('responder', **change).meet()
            tally(f'{name}: a full handshake, binder {spoiled}', full.came_to, came_to)
            pair.initiator.kept.tickets = good
            tally(f'{name}: and good afterwards', pair.meet().came_to, 'resumed')
    pair = Pair.make('anonymous')
    pair.first()
    full = pair.change('responder', want=REQUIRED).meet()
    tally('none was shown and it requires one: a full handshake', full.came_to, ('alert', AUTH_REQUIRED))


def check_binder(tally: Tally) -> None:
    pair = Pair.make()
    pair.first()
    ticket = pair.initiator.kept.tickets[0]
    pair.initiator.kept.tickets = [replace(ticket, psk=bytes(32))]
    meeting = pair.meet()
    tally('a binder of another key', meeting.came_to, ('alert', AUTH_FAILED))
    tally('it is told', (type(meeting.initiator), meeting.initiator.code), (PeerAlert, AUTH_FAILED))
    pair.initiator.kept.tickets = [ticket]
    tally('and the ticket stays good', pair.meet().came_to, 'resumed')
    pair.initiator.kept.tickets = [ticket]
    tally('until it is used', pair.meet().came_to, 'full')


def check_single_use(tally: Tally) -> None:
    pair = Pair.make()
    pair.first()
    ticket, issued = pair.initiator.kept.tickets[0], pair.responder.issued
    tally('a single one gets it', [issued.take(ticket) for _ in range(3)], [True, False, False])
    for refuses, alert in (('initiator', AUTH_FAILED), ('responder', AUTH_FAILED)):
        pair = Pair.make()
        pair.first(2)
        refusing = pair.change(refuses, trust=lambda _key: False)
        tally(f'the {refuses} refuses: policies are asked again', refusing.meet().came_to, ('alert', alert))
        tally(f'the {refuses} refuses: the ticket is gone', len(pair.initiator.kept.tickets), 1)
        tally(f'the {refuses} refuses: the other is good', pair.meet().came_to, 'resumed')
    issued = Issued()
    issued.most = 2
    tickets = [replace(ticket, value=bytes([n])) for n in range(3)]
    for each in tickets:
        issued.keep(each)
    tally('the oldest is forgotten', [issued.take(each) for each in tickets], [False, True, True])


def check_wants_none(tally: Tally) -> None:
    """A responder that resumes with psk 1 and then wants no identity: section 10, step 9."""
    pair = Pair.make()
    pair.first()
    decide, Responder._decide = Responder._decide, lambda self, hello, *_: self.config.issued.find(hello.ticket)
    came_to = pair.change('responder', want=NONE).meet().came_to
    Responder._decide = decide
    tally('a resumed session without the identity that was shown', came_to, ('alert', UNEXPECTED))


def check_records(tally: Tally) -> None:
    good = 60, bytes(16), b'ticket'
    whole = encode_ticket(*good)
    cases = {
        'empty': b'', 'cut': whole[:-1], 'a byte more': whole + b'\0',
        'no ticket': encode_ticket(60, bytes(16), b''), '513 bytes': encode_ticket(60, bytes(16), bytes(513)),
        'lifetime 0': encode_ticket(0, *good[1:]),
        'lifetime 86,401': encode_ticket(86_401, *good[1:]),
    }
    for name, content in cases.items():
        meeting = Pair.make().meet()
        meeting.responder._link.write_sealed(TICKET, content)
        tally(f'a ticket record: {name}', fails(lambda: read(meeting.initiator)), DECODE)
        tally(f'a ticket record: {name}, and nothing is kept', meeting.initiator._config.kept.tickets, [])
    for length, lifetime in ((1, 1), (512, 86_400)):
        meeting = Pair.make().first(value=bytes(length), lifetime=lifetime)
        tally(f'a ticket of {length} bytes', len(meeting.initiator._config.kept.tickets), 1)
    meeting = Pair.make().meet()
    meeting.initiator._link.write_sealed(TICKET, whole)
    tally('a ticket from an initiator', fails(lambda: read(meeting.responder)), UNEXPECTED)
    meeting = Pair.make().meet()
    meeting.responder.finish()
    tally('none is sent behind an own close', fails(meeting.responder.send_ticket), ValueError)
    meeting.responder._link.write_sealed(TICKET, whole)
    read(meeting.initiator)
    tally('nor taken there', fails(lambda: read(meeting.initiator)), UNEXPECTED)
    keeps_none = Pair.make().change('initiator', kept=None).first()
    tally('an initiator need not keep them', keeps_none.initiator.tickets, 1)


def check_bucket(tally: Tally) -> None:
    meeting = Pair.make().meet()
    for _ in range(16):
        meeting.responder.send_ticket()
    tally('16 are sent', fails(meeting.responder.send_ticket), ValueError)
    content = encode_ticket(60, bytes(16), b'ticket')
    for _ in range(17):
        meeting.responder._link.write_sealed(TICKET, content)
    tally('32 are taken', [fails(lambda: read(meeting.initiator)) for _ in range(33)], [None] * 32 + [LIMIT])


def main() -> int:
    tally = Tally()
    connection.LINGER_SECONDS = 0.05
    for mode in MODES:
        for suite in SUITES:
            check_session(mode, suite, tally)
    for check in (
        check_expiry, check_offer, check_decision, check_binder, check_single_use, check_wants_none,
        check_records, check_bucket,
    ):
        check(tally)
    print(f'{tally.checked} checked, {tally.failed} failed')
    return 1 if tally.failed else 0


if __name__ == '__main__':
    sys.exit(main())
