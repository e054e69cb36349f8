"""An initiator's tickets in a file, as JSON. Nobody else may read it: it holds what resumes their sessions."""

import json
import os
import pathlib

from .identity import PublicKey
from .resumption import Kept, Ticket


class TicketFile(Kept):
    def __init__(self, file: str):
        self._file = pathlib.Path(file)
        entries = json.loads(self._file.read_text()) if self._file.exists() else []
        super().__init__([_ticket(entry) for entry in entries])

    def keep(self, ticket: Ticket) -> None:
        super().keep(ticket)
        self._write()

    def take(self, fits) -> Ticket | None:
        found = super().take(fits)
        self._write()  # before it is offered
        return found

    def _write(self) -> None:
        with open(self._file, 'w', opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            json.dump([_entry(ticket) for ticket in self.tickets], file, indent=1)


def _entry(ticket: Ticket) -> dict:
    ends = {name: getattr(ticket, name) for name in ('responder', 'initiator')}
    return {
        **vars(ticket), 'value': ticket.value.hex(), 'psk': ticket.psk.hex(),
        **{name: key and {'alg': key.alg, 'key': key.raw.hex()} for name, key in ends.items()},
    }


def _ticket(entry: dict) -> Ticket:
    ends = {name: entry[name] for name in ('responder', 'initiator')}
    return Ticket(**{
        **entry, 'value': bytes.fromhex(entry['value']), 'psk': bytes.fromhex(entry['psk']),
        **{name: key and PublicKey(key['alg'], bytes.fromhex(key['key'])) for name, key in ends.items()},
    })
