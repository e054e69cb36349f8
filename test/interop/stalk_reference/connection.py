"""A blocking connection over a socket: messages both ways, close with its counts, alerts (sections 12 to 18).

One thread uses it at a time. `receive` answers None when the peer has closed its direction; what ended the
connection otherwise is raised, behind the messages that came before it.
"""

import enum
import socket
import time
from collections import deque
from dataclasses import dataclass

from .handshake import Config, Initiator, Responder
from .values import Invalid, decode_batch, decode_message, encode_message
from .wire import (
    ALERT, APPLICATION, CLOSE, DECODE, FRAGMENT, INTERNAL, LAST_FRAGMENT, MAX_CONTENT, MESSAGES, OVERFLOW,
    PONG, TIMEOUT, UNEXPECTED, Fault, Link, PeerAlert, Truncated, parse_alert,
)

LEAST_FRAGMENT = 1_024
LINGER_BYTES, LINGER_SECONDS = 65_536, 1.0


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
        self.sent = self.acknowledged = self.received = 0
        sock.settimeout(timeout)
        self.handshake = (Initiator if role == 'initiator' else Responder)(self._link, config)
        self._guarded(lambda: self._make(early))

    # ---- for the application

    def send(self, message) -> None:
        encoded = encode_message(message)
        if len(encoded) > self.handshake.peer_max_message:
            raise ValueError('larger than the peer takes')
        if self._close_sent:
            raise ValueError('our direction is closed')
        self._guarded(lambda: self._write_message(encoded))

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
        counts = self.sent, self.acknowledged, self.received
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
            if isinstance(failure, Fault) and failure.alert is not None:
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

    def _write_message(self, encoded: bytes) -> None:
        if len(encoded) < MAX_CONTENT:
            self._link.write_sealed(MESSAGES, b'\x91' + encoded)
        else:
            last = (len(encoded) - 1) // MAX_CONTENT * MAX_CONTENT
            for at in range(0, last, MAX_CONTENT):
                self._link.write_sealed(FRAGMENT, encoded[at : at + MAX_CONTENT])
            self._link.write_sealed(LAST_FRAGMENT, encoded[last:])
        self.sent += 1

    def _write_close(self) -> None:
        self._link.write_sealed(ALERT, bytes([CLOSE]) + self._count())
        self._close_sent = True

    def _count(self) -> bytes:
        return self.received.to_bytes(8, 'big')

    def _await_end(self) -> None:
        """Both closes are done: ends our direction, and reads on for a final pong or an alert."""
        self._sock.shutdown(socket.SHUT_WR)
        try:
            while True:
                self._read()
        except Truncated:
            pass  # a direction whose close has come may end

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
            case kind, Inbound.CLOSED if kind == PONG and self._close_sent:
                self._on_pong(inner.content)
            case kind, _:
                raise Fault(UNEXPECTED, f'kind {kind:02x} may not come now')

    def _on_messages(self, content: bytes) -> None:
        messages = decode_batch(content)
        if any(size > self._config.max_message for _, size in messages):
            raise Fault(OVERFLOW, 'a message is too large')
        for message, _ in messages:
            self._deliver(message)

    def _on_fragment(self, content: bytes, *, last: bool) -> None:
        if len(content) < (1 if last else LEAST_FRAGMENT):
            raise Invalid('a fragment is too short')
        if len(self._parts) + len(content) > self._config.max_message:
            raise Fault(OVERFLOW, 'a message is too large')
        self._parts += content
        self._inbound = Inbound.OPEN if last else Inbound.WITHIN
        if last:
            encoded, self._parts = bytes(self._parts), bytearray()
            self._deliver(decode_message(encoded))

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
            self._link.write_sealed(PONG, bytes(8) + self._count())

    def _on_pong(self, content: bytes) -> None:
        if len(content) != 16:
            raise Fault(DECODE, 'a pong has 16 bytes')
        if any(content[:8]):
            raise Fault(UNEXPECTED, 'a pong to no ping')
        self._acknowledge(int.from_bytes(content[8:], 'big'))
        self._inbound = Inbound.OVER

    def _acknowledge(self, count: int) -> None:
        if not self.acknowledged <= count <= self.sent:
            raise Fault(UNEXPECTED, 'a count that cannot be')
        self.acknowledged = count
