"""Records: frames, the three cipher suites, sealing and opening, alerts (sections 3 to 5, 17).

Knows nothing of what a record's content means. A `Link` is the record layer over anything that has
a socket's `recv` and `sendall`.
"""

import hashlib
import hmac
import time
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

# Record types.
INITIATOR_HELLO, RESPONDER_HELLO, PLAIN_ALERT, APPLICATION, HANDSHAKE = 0xE1, 0xE2, 0xE3, 0xE4, 0xE5

# Kinds of inner plaintext.
FLIGHT, MESSAGES, FRAGMENT, LAST_FRAGMENT, ALERT, KEY_UPDATE, TICKET, PING, PONG, SHAPES = range(1, 11)

# Alerts.
CLOSE, UNEXPECTED, BAD_RECORD, OVERFLOW, DECODE, NOTHING_IN_COMMON, AUTH_FAILED, AUTH_REQUIRED, INTERNAL, \
    LIMIT, TIMEOUT, MESSAGE_INVALID = range(12)

MAX_INNER = {APPLICATION: 65_600, HANDSHAKE: 2_048}
MAX_BODY = {INITIATOR_HELLO: 1_024, RESPONDER_HELLO: 73, PLAIN_ALERT: 1}
MAX_CONTENT = MAX_INNER[APPLICATION] - 1
MAX_RECORDS, MAX_BYTES = 2**24, 2**38
DUE_RECORDS, DUE_BYTES, DUE_SECONDS = 2**22, 2**36, 3_600


class Fault(Exception):
    """The peer broke the protocol, or we cannot go on: the peer is told `alert`, or nothing if it is None."""

    def __init__(self, alert: int | None, reason: str):
        super().__init__(reason)
        self.alert = alert


class PeerAlert(Exception):
    """The peer ended the connection with an alert; in the handshake, also with a close."""

    def __init__(self, code: int):
        super().__init__(f'the peer sent alert {code}')
        self.code = code


class Truncated(Exception):
    """The transport ended in a direction whose close had not come."""


# ---- suites (section 5)


class TrafficKeys(NamedTuple):
    key: bytes
    iv: bytes
    mac: bytes


class Aead:
    """Suites 0001 and 0002: an AEAD with the sequence in its nonce."""

    def __init__(self, algorithm, keys: TrafficKeys):
        self._aead, self._iv = algorithm(keys.key), keys.iv

    def _nonce(self, sequence: int) -> bytes:
        return bytes(a ^ b for a, b in zip(self._iv, sequence.to_bytes(12, 'big')))

    def seal(self, sequence: int, aad: bytes, inner: bytes) -> bytes:
        return self._aead.encrypt(self._nonce(sequence), inner, aad)

    def open(self, sequence: int, aad: bytes, sealed: bytes) -> bytes | None:
        try:
            return self._aead.decrypt(self._nonce(sequence), sealed, aad)
        except InvalidTag:
            return None


class OfbHmac:
    """Suite 0003: one AES-256-OFB keystream per key, encrypt-then-MAC."""

    def __init__(self, keys: TrafficKeys):
        # In OFB both ways are the same XOR with the keystream, which runs on from call to call.
        self._keystream = Cipher(algorithms.AES(keys.key), modes.OFB(keys.iv)).encryptor()
        self._mac = keys.mac

    def _tag(self, sequence: int, aad: bytes, ciphertext: bytes) -> bytes:
        return hmac.digest(self._mac, sequence.to_bytes(8, 'big') + aad + ciphertext, hashlib.sha256)

    def seal(self, sequence: int, aad: bytes, inner: bytes) -> bytes:
        ciphertext = self._keystream.update(inner)
        return ciphertext + self._tag(sequence, aad, ciphertext)

    def open(self, sequence: int, aad: bytes, sealed: bytes) -> bytes | None:
        ciphertext, tag = sealed[:-32], sealed[-32:]
        if not hmac.compare_digest(tag, self._tag(sequence, aad, ciphertext)):
            return None
        return self._keystream.update(ciphertext)


class Suite(NamedTuple):
    id: int
    name: str
    iv_length: int
    tag_length: int
    make: object


SUITES = {
    suite.id: suite
    for suite in (
        Suite(1, 'X25519-AES256GCM-SHA256', 12, 16, lambda keys: Aead(AESGCM, keys)),
        Suite(2, 'X25519-CHACHA20POLY1305-SHA256', 12, 16, lambda keys: Aead(ChaCha20Poly1305, keys)),
        Suite(3, 'X25519-AES256OFB-HMACSHA256', 16, 32, OfbHmac),
    )
}


def is_grease(suite: int) -> bool:
    return suite & 0x0F0F == 0x0A0A


# ---- sealed records (section 4)


class Inner(NamedTuple):
    kind: int
    content: bytes
    size: int  # of the inner plaintext, kind and padding included


class Protection:
    """One key, in one direction: seals or opens the records of one type and counts them."""

    def __init__(self, record_type: int, suite: Suite, keys: TrafficKeys):
        self.record_type = record_type
        self.max_body = MAX_INNER[record_type] + suite.tag_length
        self._tag_length = suite.tag_length
        self._cipher = suite.make(keys)
        self._sequence = 0
        self._bytes = 0
        self._made_at = time.monotonic()

    @property
    def due(self) -> bool:
        """Whether new keys should take its place (section 20)."""
        age = time.monotonic() - self._made_at
        return self._sequence >= DUE_RECORDS or self._bytes >= DUE_BYTES or age >= DUE_SECONDS

    def _count(self, inner_length: int) -> int:
        if self._sequence >= MAX_RECORDS or self._bytes + inner_length > MAX_BYTES:
            raise Fault(LIMIT, 'the key has protected as much as it may')
        sequence = self._sequence
        self._sequence += 1
        self._bytes += inner_length
        return sequence

    def seal(self, kind: int, content: bytes, size: int = 0) -> bytes:
        """The whole record; its inner is padded to `size` bytes."""
        inner = (content + bytes([kind])).ljust(size, b'\0')
        aad = header(self.record_type, len(inner) + self._tag_length)
        return aad + self._cipher.seal(self._count(len(inner)), aad, inner)

    def open(self, record: bytes) -> Inner:
        aad, sealed = record[:4], record[4:]
        if len(sealed) < self._tag_length:
            raise Fault(BAD_RECORD, 'the record does not open')
        inner = self._cipher.open(self._count(len(sealed) - self._tag_length), aad, sealed)
        unpadded = (inner or b'').rstrip(b'\0')
        if not unpadded:
            raise Fault(BAD_RECORD, 'the record does not open')
        return Inner(unpadded[-1], unpadded[:-1], len(inner))


# ---- the record layer (section 3)


def header(record_type: int, length: int) -> bytes:
    return bytes([record_type]) + length.to_bytes(3, 'big')


class Link:
    """Reads and writes records, in clear at first, then under the keys that the handshake sets."""

    def __init__(self, transport):
        self._transport = transport
        self._first = True
        self.inbound: dict[int, Protection] = {}
        self.outbound: Protection | None = None
        self.muted = False

    def read(self, *allowed: int) -> bytes:
        """The next record, whole. Any type that is not allowed is a fault as soon as its byte is there."""
        record_type = self._take(1)
        if record_type[0] not in allowed:
            raise Fault(None if self._first else UNEXPECTED, f'a record of type {record_type.hex()}')
        self._first = False
        length = self._take(3)
        size = int.from_bytes(length, 'big')
        if size > self._max_body(record_type[0]):
            raise Fault(OVERFLOW, f'a record of {size} bytes')
        return record_type + length + self._take(size)

    def read_sealed(self, *allowed: int) -> tuple[int, Inner]:
        record = self.read(*allowed)
        return record[0], self.inbound[record[0]].open(record)

    def write(self, record: bytes) -> None:
        self._transport.sendall(record)

    def write_sealed(self, kind: int, content: bytes, size: int = 0) -> None:
        self.write(self.outbound.seal(kind, content, size))

    def alert(self, code: int) -> None:
        """Sends an alert under whatever keys there are by now; at most one, and nothing behind it."""
        if self.muted:
            return
        self.muted = True
        if self.outbound:
            self.write_sealed(ALERT, bytes([code]))
        else:
            self.write(header(PLAIN_ALERT, 1) + bytes([code]))

    def _max_body(self, record_type: int) -> int:
        return MAX_BODY[record_type] if record_type in MAX_BODY else self.inbound[record_type].max_body

    def _take(self, size: int) -> bytes:
        taken = bytearray()
        while len(taken) < size:
            piece = self._transport.recv(size - len(taken))
            if not piece:
                raise Truncated('the transport ended without a close')
            taken += piece
        return bytes(taken)


def error_alert(content: bytes) -> int:
    """The code of an alert that is no close (section 17)."""
    if len(content) != 1 or not CLOSE < content[0] <= MESSAGE_INVALID:
        raise Fault(DECODE, 'a malformed alert')
    return content[0]


def parse_alert(content: bytes) -> tuple[int, int | None]:
    """The code, and the count that a close carries (sections 16 and 17)."""
    if len(content) == 9 and content[0] == CLOSE:
        return CLOSE, int.from_bytes(content[1:], 'big')
    return error_alert(content), None


# ---- fields (section 1)


class Reader:
    """Takes fields from a structure that has to fill its container exactly; `alert` tells of one that does not."""

    def __init__(self, data: bytes, alert: int = DECODE):
        self._data, self._at, self._alert = data, 0, alert

    def take(self, size: int) -> bytes:
        if len(self._data) - self._at < size:
            raise Fault(self._alert, 'a structure is cut')
        self._at += size
        return self._data[self._at - size : self._at]

    def uint(self, size: int) -> int:
        return int.from_bytes(self.take(size), 'big')

    def vector(self, least: int, most: int) -> bytes:
        size = self.uint(2)
        if not least <= size <= most:
            raise Fault(self._alert, f'a vector of {size} bytes')
        return self.take(size)

    def list(self, item_size: int) -> list[int]:
        items = [self.uint(item_size) for _ in range(self.uint(1))]
        if not items or len(set(items)) < len(items):
            raise Fault(self._alert, 'a list that is empty or names an item twice')
        return items

    def more(self) -> bool:
        return self._at < len(self._data)

    def end(self) -> None:
        if self.more():
            raise Fault(self._alert, 'bytes are left over')


def vector(data: bytes) -> bytes:
    return len(data).to_bytes(2, 'big') + data


def listing(items, item_size: int) -> bytes:
    return bytes([len(items)]) + b''.join(item.to_bytes(item_size, 'big') for item in items)
