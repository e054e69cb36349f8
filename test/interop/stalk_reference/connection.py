"""A blocking connection over a socket: messages both ways, close with its counts, alerts (sections 12 to 18),
ping, key update, tickets and shapes (section 21).

One thread uses it at a time. `receive` answers None when the peer has closed its direction; what ended the
connection otherwise is raised, behind the messages that came before it.
"""

import contextlib
import enum
import secrets
import socket
import time
from collections import deque
from dataclasses import dataclass
from typing import Callable

from .handshake import Config, Initiator, Responder
from .resumption import MAX_LIFETIME, NONCE_SIZE, decode_ticket, encode_ticket
from .shapes import Shapes
from .values import Invalid, decode_batch, decode_message, encode_message
from .wire import (
    ALERT, APPLICATION, CLOSE, DECODE, FRAGMENT, INTERNAL, KEY_UPDATE, LAST_FRAGMENT, LIMIT, MAX_CONTENT,
    MESSAGES, OVERFLOW, PING, PONG, SHAPES, TICKET, TIMEOUT, UNEXPECTED, Fault, Link, PeerAlert, Truncated,
    parse_alert,
)

LEAST_FRAGMENT = 1_024
LINGER_BYTES, LINGER_SECONDS = 65_536, 1.0

# What a key update asks for.
ANSWER, REQUEST = 0, 1


class Inbound(enum.Enum):
    """The states of the peer's direction (section 12)."""

    OPEN, WITHIN, CLOSED, OVER = range(4)


@dataclass
class Outcome:
    """How a connection ended: `clean`, `truncated`, `alert` (the peer's) or `fault` (told with our alert)."""

    kind: str
    code: int | None
    reason: str
    sent: int
    acknowledged: int
    received: int
    pongs: int
    updates: int
    tickets: int
    shapes: int
    peer_shapes: int
    resumed: bool


class Bucket:
    """How many records may come, or be sent, uninvited (section 21.3)."""

    def __init__(self, size: int, seconds_each: float):
        self._size, self._seconds_each = size, seconds_each
        self.fill()

    def fill(self) -> None:
        self._level, self._at = float(self._size), time.monotonic()

    def take(self) -> bool:
        now = time.monotonic()
        self._level = min(self._size, self._level + (now - self._at) / self._seconds_each)
        self._at = now
        if self._level < 1:
            return False
        self._level -= 1
        return True


class Connection:
    def __init__(self, sock: socket.socket, role: str, config: Config, *, timeout: float = 10, early=()):
        """Makes the session. `early` are messages that an initiator sends before it is accepted."""
        self._sock, self._config = sock, config
        self._link = Link(sock)
        self._inbound = Inbound.OPEN
        self._close_sent = False
        self._parts = bytearray()
        self._queue: deque = deque()
        self._failure: Exception | None = None
        self._ping: bytes | None = None  # the unanswered one
        self._update_asked = False
        self._asked_by_peer, self._asked_by_us = Bucket(32, 1), Bucket(16, 2)
        self.sent = self.acknowledged = self.received = 0
        self.pongs = self.updates = 0  # answers to our pings and to our requests for a key update
        self.tickets = 0  # sent or received
        self._shapes, self._peer_shapes = Shapes(config.shapes_wait), Shapes()
        self.between: Callable[[], None] = lambda: None  # called behind every record of our messages
        sock.settimeout(timeout)
        self.handshake = (Initiator if role == 'initiator' else Responder)(self._link, config)
        self._guarded(lambda: self._make(early))

    # ---- for the application

    def send(self, message) -> None:
        self.announce(self._shapes.due(message))
        encoded = encode_message(message, self._shapes.known)
        if len(encoded) > self.handshake.peer_max_message:
            raise ValueError('larger than the peer takes')
        for kind, content in self._records(encoded):
            self._guarded(lambda: self._link.write_sealed(kind, content))
            self._asked_by_us.fill()
            self.sent += kind != FRAGMENT
            if self._link.outbound.due:
                self.update_keys()
            self.between()

    def announce(self, shapes) -> None:
        """Announces key sets, in a record; objects that have one of them are written as shapes from then on."""
        self._may_send()
        if shapes:
            content = self._shapes.announce(shapes)
            self._guarded(lambda: self._link.write_sealed(SHAPES, content))

    def ping(self, value: bytes | None = None) -> None:
        """Asks the peer for a sign of life and for its count; the answer comes while we read."""
        self._may_ask(lambda: self._ping is None)
        self._guarded(lambda: self._write_ping(value or secrets.token_bytes(7) + b'\1'))

    def update_keys(self) -> None:
        """Takes new keys for our direction, and asks the peer to do so for its own."""
        self._may_ask(lambda: not self._update_asked)
        self._update_asked = True
        self._guarded(lambda: self._write_key_update(REQUEST))

    def send_ticket(self, lifetime: int = MAX_LIFETIME, nonce: bytes = b'', value: bytes = b'') -> bool:
        """As a responder that issues tickets: gives out one, unless there is no second left to use it in."""
        issued = self._config.issued
        now = issued.clock()
        nonce, value = nonce or secrets.token_bytes(NONCE_SIZE), value or issued.new_value()
        if self.handshake.resumed:
            lifetime = int(min(lifetime, self.handshake.resumed.expiry - now))
        if lifetime < 1:
            return False
        self._may_ask(lambda: True)
        issued.keep(self.handshake.ticket(value, nonce, now + lifetime))
        self._guarded(lambda: self._link.write_sealed(TICKET, encode_ticket(lifetime, nonce, value)))
        self.tickets += 1
        return True

    def receive(self):
        """The next message; None when the peer has closed."""
        while not self._queue:
            if self._failure:
                raise self._failure
            if self._inbound in (Inbound.CLOSED, Inbound.OVER):
                return None
            self._read_or_note()
        return self._queue.popleft()

    def __iter__(self):
        return iter(self.receive, None)

    def finish(self) -> None:
        """Closes our direction. The peer's messages still arrive."""
        if not self._close_sent:
            self._guarded(self._write_close)

    def close(self) -> Outcome:
        """Closes our direction, drops what still comes, and stays until the transport has ended."""
        self.finish()
        for _ in self:
            pass
        self._guarded(self._await_end)
        self._sock.close()
        return self.outcome()

    def abort(self, code: int = INTERNAL) -> None:
        self._fail(Fault(code, 'aborted'))

    def outcome(self) -> Outcome:
        counts = self.sent, self.acknowledged, self.received, self.pongs, self.updates, self.tickets
        counts += len(self._shapes.known), len(self._peer_shapes.known)
        counts += (self.handshake.resumed is not None,)
        match self._failure:
            case None:
                return Outcome('clean', None, 'both sides have closed', *counts)
            case Truncated():
                return Outcome('truncated', None, str(self._failure), *counts)
            case PeerAlert(code=code):
                return Outcome('alert', code, str(self._failure), *counts)
            case Fault(alert=alert):
                return Outcome('fault', alert, str(self._failure), *counts)

    # ---- failures (section 18)

    def _guarded(self, step) -> None:
        """Runs a step of the protocol. What goes wrong in it ends the connection and is raised."""
        if self._failure:
            raise self._failure
        try:
            step()
        except (Fault, PeerAlert, Truncated) as failure:
            self._fail(failure)
            raise
        except TimeoutError:
            self._fail(Fault(TIMEOUT, 'the peer is silent'))
            raise self._failure from None
        except OSError as error:
            self._fail(Truncated(f'the transport failed: {error.strerror}'))
            raise self._failure from None

    def _read_or_note(self) -> None:
        try:
            self._guarded(self._read)
        except (Fault, PeerAlert, Truncated):
            pass  # noted as the failure: what was verified before it is delivered first

    def _fail(self, failure: Exception) -> None:
        self._failure = failure
        try:
            if isinstance(failure, Fault) and failure.alert is not None and not self._all_said:
                self._link.alert(failure.alert)
            self._sock.shutdown(socket.SHUT_WR)
            self._linger()
        except (Fault, OSError):
            pass  # the key is used up, or the peer is gone: there is no way left to tell it
        self._sock.close()

    def _linger(self) -> None:
        """Drops what still comes, so that a reset does not overtake the alert."""
        deadline, dropped = time.monotonic() + LINGER_SECONDS, 0
        while dropped < LINGER_BYTES and (left := deadline - time.monotonic()) > 0:
            self._sock.settimeout(left)
            piece = self._sock.recv(LINGER_BYTES - dropped)
            if not piece:
                return
            dropped += len(piece)

    # ---- outbound

    def _make(self, early) -> None:
        self.handshake.start()
        for message in early:
            self.send(message)
        self.handshake.finish()

    @staticmethod
    def _records(encoded: bytes):
        """Kinds and contents of the records that carry a message."""
        if len(encoded) < MAX_CONTENT:
            yield MESSAGES, b'\x91' + encoded
            return
        last = (len(encoded) - 1) // MAX_CONTENT * MAX_CONTENT
        for at in range(0, last, MAX_CONTENT):
            yield FRAGMENT, encoded[at : at + MAX_CONTENT]
        yield LAST_FRAGMENT, encoded[last:]

    def _write_close(self) -> None:
        self._link.write_sealed(ALERT, bytes([CLOSE]) + self._count())
        self._close_sent = True

    def _may_send(self) -> None:
        if self._close_sent:
            raise ValueError('our direction is closed')

    def _may_ask(self, answered: Callable[[], bool]) -> None:
        """One question of a kind is unanswered at most: reads until the one before is answered."""
        while not answered():
            self._guarded(self._read)
        self._may_send()
        if not self._asked_by_us.take():
            raise ValueError('too many questions, and no messages')

    def _write_ping(self, value: bytes) -> None:
        self._ping = value
        self._link.write_sealed(PING, value)

    def _write_key_update(self, request: int) -> None:
        self._link.write_sealed(KEY_UPDATE, bytes([request]))
        self.handshake.update_outbound()

    @property
    def _all_said(self) -> bool:
        """Both closes are done: our last record is out, be it our close or the final pong (section 16)."""
        return self._close_sent and self._inbound in (Inbound.CLOSED, Inbound.OVER)

    def _count(self) -> bytes:
        return self.received.to_bytes(8, 'big')

    def _await_end(self) -> None:
        """Both closes are done: ends our direction, and reads on for a final pong or an alert."""
        try:
            self._sock.shutdown(socket.SHUT_WR)
            while True:
                self._read()
        except (Truncated, OSError):
            pass  # a direction whose close has come may end, be reset, or stay silent

    # ---- inbound

    def _read(self) -> None:
        _, inner = self._link.read_sealed(APPLICATION)
        match inner.kind, self._inbound:
            case kind, _ if kind == ALERT:
                self._on_alert(inner.content)
            case kind, Inbound.OPEN if kind == MESSAGES:
                self._on_messages(inner.content)
            case kind, Inbound.OPEN | Inbound.WITHIN if kind in (FRAGMENT, LAST_FRAGMENT):
                self._on_fragment(inner.content, last=kind == LAST_FRAGMENT)
            case kind, Inbound.OPEN if kind == SHAPES:
                self._peer_shapes.take(inner.content)
            case kind, Inbound.OPEN if kind == TICKET and self.handshake.role == 'initiator':
                self._on_ticket(inner.content)
            case kind, Inbound.OPEN | Inbound.WITHIN if kind == PING:
                self._on_ping(inner.content)
            case kind, Inbound.OPEN | Inbound.WITHIN | Inbound.CLOSED if kind == PONG:
                self._on_pong(inner.content)
            case kind, Inbound.OPEN | Inbound.WITHIN | Inbound.CLOSED if kind == KEY_UPDATE:
                self._on_key_update(inner.content)
            case kind, _:
                raise Fault(UNEXPECTED, f'kind {kind:02x} may not come now')

    def _on_messages(self, content: bytes) -> None:
        self._asked_by_peer.fill()
        messages = decode_batch(content, self._peer_shapes.known)
        if any(size > self._config.max_message for _, size in messages):
            raise Fault(OVERFLOW, 'a message is too large')
        for message, _ in messages:
            self._deliver(message)

    def _on_fragment(self, content: bytes, *, last: bool) -> None:
        self._asked_by_peer.fill()
        if len(content) < (1 if last else LEAST_FRAGMENT):
            raise Invalid('a fragment is too short')
        if len(self._parts) + len(content) > self._config.max_message:
            raise Fault(OVERFLOW, 'a message is too large')
        self._parts += content
        self._inbound = Inbound.OPEN if last else Inbound.WITHIN
        if last:
            encoded, self._parts = bytes(self._parts), bytearray()
            self._deliver(decode_message(encoded, self._peer_shapes.known))

    def _deliver(self, message) -> None:
        self._queue.append(message)
        self.received += 1

    def _on_alert(self, content: bytes) -> None:
        code, count = parse_alert(content)
        if code != CLOSE:
            raise PeerAlert(code)
        if self._inbound != Inbound.OPEN:
            raise Fault(UNEXPECTED, 'a close that may not come now')
        self._acknowledge(count)
        self._inbound = Inbound.CLOSED
        if self._close_sent:
            with contextlib.suppress(OSError):  # a final pong that does not arrive is no error
                self._link.write_sealed(PONG, bytes(8) + self._count())

    def _on_ticket(self, content: bytes) -> None:
        lifetime, nonce, value = decode_ticket(content)
        self._draw()
        self.tickets += 1
        kept = self._config.kept
        if kept:
            kept.keep(self.handshake.ticket(value, nonce, kept.clock() + lifetime))

    # Every question is answered at once: none can come before the answer to the one before it was sealed.

    def _on_ping(self, content: bytes) -> None:
        if len(content) != 8 or not any(content):
            raise Fault(DECODE, 'a ping has 8 bytes, not all zero')
        self._draw()
        self._link.write_sealed(PONG, content + self._count())

    def _on_pong(self, content: bytes) -> None:
        if len(content) != 16:
            raise Fault(DECODE, 'a pong has 16 bytes')
        value, count = content[:8], int.from_bytes(content[8:], 'big')
        if not any(value):
            self._on_final_pong(count)
            return
        if value != self._ping:
            raise Fault(UNEXPECTED, 'a pong to no ping')
        self._acknowledge(count)
        self._ping = None
        self.pongs += 1

    def _on_final_pong(self, count: int) -> None:
        if self._inbound != Inbound.CLOSED or not self._close_sent:
            raise Fault(UNEXPECTED, 'a final pong that may not come now')
        self._acknowledge(count)
        self._inbound = Inbound.OVER

    def _on_key_update(self, content: bytes) -> None:
        if content not in (bytes([ANSWER]), bytes([REQUEST])):
            raise Fault(DECODE, 'a malformed key update')
        request = content[0] == REQUEST
        if request and self._inbound == Inbound.CLOSED:
            raise Fault(UNEXPECTED, 'a request behind a close')
        if not request and not self._update_asked:
            raise Fault(UNEXPECTED, 'an answer to no request')
        if request:
            self._draw()
        self.handshake.update_inbound()
        if request:
            self._write_key_update(ANSWER)
        else:
            self._update_asked = False
            self.updates += 1

    def _draw(self) -> None:
        if not self._asked_by_peer.take():
            raise Fault(LIMIT, 'too many questions, and no messages')

    def _acknowledge(self, count: int) -> None:
        if not self.acknowledged <= count <= self.sent:
            raise Fault(UNEXPECTED, 'a count that cannot be')
        self.acknowledged = count
