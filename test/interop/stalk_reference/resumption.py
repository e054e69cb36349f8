"""Tickets: what both ends keep of a session, and where they keep it (section 21.4).

Knows neither what a ticket is offered in nor who decides on it: that is in `handshake.py`.
"""

import secrets
import time
from dataclasses import dataclass
from typing import Callable

from .identity import PublicKey
from .wire import DECODE, Fault, Reader, vector

MAX_LIFETIME = 86_400
NONCE_SIZE = 16


@dataclass(frozen=True)
class Ticket:
    """A ticket with what is kept of its session. `expiry` is by the clock of the store that it is in."""

    value: bytes
    psk: bytes
    version: int
    suite: int
    app: str
    responder: PublicKey | None
    initiator: PublicKey | None
    expiry: float


def encode_ticket(lifetime: int, nonce: bytes, value: bytes) -> bytes:
    """The content of kind 07."""
    return lifetime.to_bytes(4, 'big') + nonce + vector(value)


def decode_ticket(content: bytes) -> tuple[int, bytes, bytes]:
    reader = Reader(content)
    lifetime, nonce, value = reader.uint(4), reader.take(NONCE_SIZE), reader.vector(1, 512)
    reader.end()
    if not 1 <= lifetime <= MAX_LIFETIME:
        raise Fault(DECODE, f'a lifetime of {lifetime} s')
    return lifetime, nonce, value


class Kept:
    """An initiator's tickets. Each is handed out once, whatever becomes of it then."""

    clock = staticmethod(time.time)  # goes on while the process does not run

    def __init__(self, tickets: list[Ticket] = ()):
        self.tickets = list(tickets)

    def keep(self, ticket: Ticket) -> None:
        self.tickets.append(ticket)

    def take(self, fits: Callable[[Ticket], bool]) -> Ticket | None:
        """The newest that fits and has not expired."""
        now = self.clock()
        self.tickets = [ticket for ticket in self.tickets if now < ticket.expiry]
        found = next((ticket for ticket in reversed(self.tickets) if fits(ticket)), None)
        if found:
            self.tickets.remove(found)
        return found


class Issued:
    """A responder's tickets, for single use: each is a random name of what is kept here."""

    clock = staticmethod(time.monotonic)  # is never set back
    most = 1_000

    def __init__(self, tickets: list[Ticket] = ()):
        self._by_value = {ticket.value: ticket for ticket in tickets}

    @staticmethod
    def new_value() -> bytes:
        return secrets.token_bytes(32)

    def keep(self, ticket: Ticket) -> None:
        self._by_value[ticket.value] = ticket
        if len(self._by_value) > self.most:
            del self._by_value[next(iter(self._by_value))]  # the oldest

    def find(self, value: bytes) -> Ticket | None:
        ticket = self._by_value.get(value)
        return ticket if ticket and self.clock() < ticket.expiry else None

    def take(self, ticket: Ticket) -> bool:
        """Takes it out; of several that try, one succeeds: finding it and removing it are one step."""
        return self._by_value.pop(ticket.value, None) is not None
