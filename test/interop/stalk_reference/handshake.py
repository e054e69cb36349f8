"""The handshake M1 to M5: messages, transcript, key schedule, both roles (sections 7 to 11, 19, 21.4).

Each role runs in two steps. `start` ends when both sides' proofs are exchanged and the trust policy has
answered; `finish` is Accept. Between them an initiator may send early data.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from typing import Callable

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from .identity import ALGORITHMS, ANONYMOUS, Identity, PublicKey
from .resumption import Issued, Kept, Ticket
from .wire import (
    ALERT, APPLICATION, AUTH_FAILED, AUTH_REQUIRED, DECODE, FLIGHT, HANDSHAKE, INITIATOR_HELLO,
    NOTHING_IN_COMMON, PLAIN_ALERT, RESPONDER_HELLO, SUITES, UNEXPECTED, Fault, Inner, Link, PeerAlert,
    Protection, Reader, Suite, TrafficKeys, header, is_grease, listing, error_alert, vector,
)

MAGIC = b'STLK'
VERSION = 1
FLIGHT_SIZE = 2_048
BINDER_SIZE = 32

# What a responder says to an initiator's identity.
NONE, WELCOME, REQUIRED = 0, 1, 2

# Types of messages in flights.
RESPONDER_IDENTITY, RESPONDER_PROOF, RESPONDER_FINISHED = 1, 2, 3
INITIATOR_IDENTITY, INITIATOR_PROOF, INITIATOR_FINISHED = 4, 5, 6
ACCEPT = 7


def offer_with_grease(suites: list[int]) -> list[int]:
    """The suites, and one grease id at a random place (section 5)."""
    grease = secrets.randbits(16) & 0xF0F0 | 0x0A0A
    at = secrets.randbelow(len(suites) + 1)
    return [*suites[:at], grease, *suites[at:]]


@dataclass
class Config:
    """What a side brings into a connection. The last three are there to be fixed in tests."""

    identity: Identity | None = None
    trust: Callable[[PublicKey | None], bool] = lambda key: True
    suites: list[int] = field(default_factory=lambda: [1, 2])
    sigs: list[int] = field(default_factory=lambda: list(ALGORITHMS))
    want: int = WELCOME
    app: str = ''
    max_message: int = 16 * 2**20
    # An initiator's tickets, if it keeps any, and what it can tell of its policy without asking it.
    kept: Kept | None = None
    refuses: Callable[[PublicKey | None], bool] = lambda key: False
    issued: Issued | None = None  # a responder's tickets, if it issues any
    shapes_wait: int = 0  # announces a key set when it is sent for that time; 0: announces none by itself
    new_random: Callable[[], bytes] = lambda: secrets.token_bytes(32)
    new_share: Callable[[], X25519PrivateKey] = X25519PrivateKey.generate
    offer: Callable[[list[int]], list[int]] = offer_with_grease


# ---- hellos (section 7)


@dataclass(frozen=True)
class InitiatorHello:
    versions: list[int]
    random: bytes
    suites: list[int]
    sigs: list[int]
    share: bytes
    ticket: bytes | None = None
    binder: bytes = bytes(BINDER_SIZE)

    def encode(self) -> bytes:
        body = MAGIC + listing(self.versions, 2) + self.random + listing(self.suites, 2)
        body += listing(self.sigs, 1) + self.share
        body += b'\0' if self.ticket is None else b'\1' + vector(self.ticket) + self.binder
        return header(INITIATOR_HELLO, len(body)) + body

    @classmethod
    def decode(cls, record: bytes) -> 'InitiatorHello':
        reader = _hello_reader(record)
        fields = [reader.list(2), reader.take(32), reader.list(2), reader.list(1), reader.take(32)]
        if _psk(reader) == 1:
            fields += reader.vector(1, 512), reader.take(BINDER_SIZE)
        reader.end()
        return cls(*fields)


@dataclass(frozen=True)
class ResponderHello:
    version: int
    random: bytes
    suite: int
    share: bytes
    psk: int = 0

    def encode(self) -> bytes:
        body = MAGIC + self.version.to_bytes(2, 'big') + self.random
        body += self.suite.to_bytes(2, 'big') + self.share + bytes([self.psk])
        return header(RESPONDER_HELLO, len(body)) + body

    @classmethod
    def decode(cls, record: bytes) -> 'ResponderHello':
        reader = _hello_reader(record)
        hello = cls(reader.uint(2), reader.take(32), reader.uint(2), reader.take(32), _psk(reader))
        reader.end()
        return hello


def _hello_reader(record: bytes) -> Reader:
    if not record[4:].startswith(MAGIC):
        raise Fault(None, 'the peer does not speak stalk')
    return Reader(record[8:])


def _psk(reader: Reader) -> int:
    psk = reader.uint(1)
    if psk > 1:
        raise Fault(DECODE, f'psk {psk}')
    return psk


# ---- flights (section 7)


def message(mtype: int, body: bytes) -> bytes:
    return bytes([mtype]) + vector(body)


def split_flight(content: bytes) -> list[tuple[int, bytes]]:
    reader, messages = Reader(content), []
    while reader.more():
        messages.append((reader.uint(1), reader.take(reader.uint(2))))
    return messages


@dataclass(frozen=True)
class IdentityMessage:
    """ResponderIdentity or InitiatorIdentity; the latter has neither want nor sigs."""

    key: PublicKey | None
    max_message: int
    want: int = NONE
    sigs: tuple[int, ...] = ()

    def encode(self, mtype: int) -> bytes:
        alg, raw = (self.key.alg, self.key.raw) if self.key else (ANONYMOUS, b'')
        body = bytes([alg]) + vector(raw) + self.max_message.to_bytes(4, 'big')
        if mtype == RESPONDER_IDENTITY:
            body = bytes([self.want]) + listing(self.sigs, 1) + body
        return message(mtype, body)

    @classmethod
    def decode(cls, mtype: int, body: bytes) -> 'IdentityMessage':
        reader, want, sigs = Reader(body), NONE, []
        if mtype == RESPONDER_IDENTITY:
            want, sigs = reader.uint(1), reader.list(1)
        alg, raw, max_message = reader.uint(1), reader.vector(0, 512), reader.uint(4)
        reader.end()
        if want > REQUIRED or alg not in (ANONYMOUS, *ALGORITHMS) or (alg == ANONYMOUS and raw):
            raise Fault(DECODE, 'a malformed identity')
        return cls(PublicKey(alg, raw) if alg else None, max_message, want, tuple(sigs))


def _signature(body: bytes) -> bytes:
    reader = Reader(body)
    signature = reader.vector(0, 512)
    reader.end()
    return signature


# ---- transcript and key schedule (section 8)


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def extract(salt: bytes, ikm: bytes) -> bytes:
    return hmac.digest(salt, ikm, hashlib.sha256)


def expand_label(secret: bytes, label: str, context: bytes, length: int) -> bytes:
    name = b'stalk1 ' + label.encode()
    info = length.to_bytes(2, 'big') + bytes([len(name)]) + name + bytes([len(context)]) + context
    return HKDFExpand(hashes.SHA256(), length, info).derive(secret)


def prologue(app: str) -> bytes:
    name = app.encode()
    if len(name) > 64:
        raise ValueError('app has at most 64 bytes')
    return b'stalk/1\0' + bytes([len(name)]) + name


class Transcript:
    def __init__(self, app: str):
        self._hash = hashlib.sha256(prologue(app))

    def add(self, data: bytes) -> bytes:
        """Takes a record or a message of a flight, and answers the hash over all up to it."""
        self._hash.update(data)
        return self._hash.copy().digest()


def schedule_salt(app: str) -> bytes:
    return sha256(b'stalk/1 key schedule' + prologue(app))


def binder_key(app: str, psk: bytes) -> bytes:
    """fin_b."""
    es = extract(schedule_salt(app), psk)
    return expand_label(expand_label(es, 'binder', b'', 32), 'finished', b'', 32)


def binder(app: str, psk: bytes, m1: bytes) -> bytes:
    """Over M1's record without the binder at its end, whose length counts it."""
    cut = Transcript(app).add(m1[:-BINDER_SIZE])
    return hmac.digest(binder_key(app, psk), cut, hashlib.sha256)


class KeySchedule:
    """All secrets of a connection, named as in section 8. `psk` is a ticket's, or zeros."""

    def __init__(self, app: str, suite: Suite, shared: bytes, th1: bytes, psk: bytes = bytes(32)):
        self.suite = suite
        self.salt = schedule_salt(app)
        self.es = extract(self.salt, psk)
        self.hs = extract(expand_label(self.es, 'derived', b'', 32), shared)
        self.ms = extract(expand_label(self.hs, 'derived', b'', 32), bytes(32))
        self.i_hs = expand_label(self.hs, 'i hs', th1, 32)
        self.r_hs = expand_label(self.hs, 'r hs', th1, 32)

    def application(self, th7: bytes) -> None:
        self.i_ap = expand_label(self.ms, 'i ap', th7, 32)
        self.r_ap = expand_label(self.ms, 'r ap', th7, 32)
        self.exp = expand_label(self.ms, 'exp', th7, 32)
        self.res = expand_label(self.ms, 'res', th7, 32)

    def traffic(self, secret: bytes) -> TrafficKeys:
        sizes = {'key': 32, 'iv': self.suite.iv_length, 'mac': 32}
        return TrafficKeys(*(expand_label(secret, label, b'', size) for label, size in sizes.items()))

    def finished_key(self, secret: bytes) -> bytes:
        return expand_label(secret, 'finished', b'', 32)

    def finished(self, secret: bytes, transcript_hash: bytes) -> bytes:
        return hmac.digest(self.finished_key(secret), transcript_hash, hashlib.sha256)

    def protection(self, record_type: int, secret: bytes) -> Protection:
        return Protection(record_type, self.suite, self.traffic(secret))

    def update(self, name: str) -> Protection:
        """A key update (section 21.2): the secret of that name becomes the next one."""
        secret = expand_label(getattr(self, name), 'upd', b'', 32)
        setattr(self, name, secret)
        return self.protection(APPLICATION, secret)

    def ticket_psk(self, nonce: bytes) -> bytes:
        return expand_label(self.res, 'ticket', nonce, 32)

    @property
    def session_id(self) -> bytes:
        return expand_label(self.exp, 'session id', b'', 32)

    def export(self, label: bytes, context: bytes, length: int) -> bytes:
        secret = expand_label(self.exp, 'exporter', sha256(label), 32)
        return expand_label(secret, 'out', sha256(context), length)


# ---- the two roles (sections 9 to 11)


class Handshake:
    """What both roles share. Afterwards `peer` is the peer's verified key, or None if it is anonymous."""

    role: str
    peer_role: str
    secrets: tuple[str, str]  # names of the application secrets: our direction's, the peer's

    def __init__(self, link: Link, config: Config):
        self.link, self.config = link, config
        self.transcript = Transcript(config.app)
        self.random = config.new_random()
        self._private_share = config.new_share()
        self.share = self._private_share.public_key().public_bytes(
            serialization.Encoding.Raw, serialization.PublicFormat.Raw
        )
        self.th: dict[str, bytes] = {}
        self.peer: PublicKey | None = None
        self.peer_max_message = 0
        self.resumed: Ticket | None = None  # M2's psk is 1: the ticket of M1

    def _hash(self, name: str | None, data: bytes) -> bytes:
        """Adds to the transcript. The hash over all up to here has a name where it is used."""
        transcript_hash = self.transcript.add(data)
        if name:
            self.th[name] = transcript_hash
        return transcript_hash

    def _agree(self, peer_random: bytes, peer_share: bytes) -> None:
        if peer_random == self.random or peer_share == self.share:
            raise Fault(UNEXPECTED, 'our own hello is reflected')
        try:
            self.shared = self._private_share.exchange(X25519PublicKey.from_public_bytes(peer_share))
        except ValueError:  # the result is zero
            raise Fault(AUTH_FAILED, 'the share is of small order') from None

    def _schedule(self, suite: int, hellos: bytes) -> None:
        th1 = self._hash('th1', hellos)
        psk = self.resumed.psk if self.resumed else bytes(32)
        self.keys = KeySchedule(self.config.app, SUITES[suite], self.shared, th1, psk)

    def _write_flight(self, identity: Identity | None, shown: bytes, types, th_names, secret: bytes) -> None:
        """Identity, Proof unless there is none, Finished, padded to one size for every kind of key."""
        signed_th, finished_th, after_th = th_names
        proof = b''
        th = self._hash(signed_th, shown)
        if identity and not self.resumed:
            proof = message(types[1], vector(identity.sign(self._signed(types[1], th))))
        mac = self.keys.finished(secret, self._hash(finished_th, proof))
        finished = message(types[2], mac)
        self._hash(after_th, finished)
        self.link.write_sealed(FLIGHT, shown + proof + finished, FLIGHT_SIZE)

    @staticmethod
    def _signed(mtype: int, th: bytes) -> bytes:
        role = b'responder' if mtype == RESPONDER_PROOF else b'initiator'
        return b' ' * 64 + b'stalk/1 ' + role + b' auth\0' + th

    def _read_flight(self, inner: Inner, types, sigs, th_names, secret: bytes) -> IdentityMessage:
        """Section 10, steps 5 to 7; section 11, steps 7 and 8: in the order in which the text has them."""
        if inner.kind != FLIGHT or inner.size != FLIGHT_SIZE:
            raise Fault(UNEXPECTED, 'not a flight')
        messages = split_flight(inner.content)
        if [mtype for mtype, _ in messages] not in (list(types), [types[0], types[2]]):
            raise Fault(UNEXPECTED, 'a flight of other messages')
        shown = IdentityMessage.decode(*messages[0])
        if shown.key and shown.key.alg not in sigs:
            raise Fault(UNEXPECTED, 'a signature algorithm that was not offered')
        proven = shown.key is not None and not self.resumed
        if proven != (len(messages) == 3):
            raise Fault(UNEXPECTED, 'a proof that may not be there, or none where it must')
        self._verify(shown.key, messages, types, th_names, secret)
        self.peer_max_message = shown.max_message
        return shown

    def _verify(self, key: PublicKey | None, messages, types, th_names, secret: bytes) -> None:
        signed_th, finished_th, after_th = th_names
        th, proof = self._hash(signed_th, message(*messages[0])), b''
        if self.resumed:
            if key != getattr(self.resumed, self.peer_role):
                raise Fault(AUTH_FAILED, "the identity is not the ticket's")
        elif key:
            proof = message(*messages[1])
            signature = _signature(messages[1][1])
            key.check()
            key.verify(signature, self._signed(types[1], th))
        mac = self.keys.finished(secret, self._hash(finished_th, proof))
        if not hmac.compare_digest(mac, messages[-1][1]):
            raise Fault(AUTH_FAILED, 'Finished does not match')
        self._hash(after_th, message(*messages[-1]))

    def _ask_policy(self, key: PublicKey | None) -> None:
        if self.config.trust(key) is not True:
            raise Fault(AUTH_FAILED, 'the trust policy refuses the peer')
        self.peer = key

    @property
    def own(self) -> PublicKey | None:
        return self.config.identity.public if self.config.identity else None

    def ticket(self, value: bytes, nonce: bytes, expiry: float) -> Ticket:
        """What is kept of this session for a ticket of it. Of a resumed one it inherits the expiry."""
        if self.resumed:
            expiry = min(expiry, self.resumed.expiry)
        session = {
            'psk': self.keys.ticket_psk(nonce), 'version': VERSION, 'suite': self.keys.suite.id,
            'app': self.config.app, self.role: self.shown, self.peer_role: self.peer,
        }
        return Ticket(value=value, **session, expiry=expiry)

    def update_outbound(self) -> None:
        self.link.outbound = self.keys.update(self.secrets[0])

    def update_inbound(self) -> None:
        self.link.inbound[APPLICATION] = self.keys.update(self.secrets[1])

    @property
    def mode(self) -> str:
        ends = self.peer, self.shown
        responder, initiator = ends if self.role == 'initiator' else reversed(ends)
        if responder:
            return 'mutual' if initiator else 'responder-only'
        return 'initiator-only' if initiator else 'anonymous'


# Types of the messages, and the transcript hashes for the signature, Finished, and what comes after.
RESPONDER_FLIGHT = (RESPONDER_IDENTITY, RESPONDER_PROOF, RESPONDER_FINISHED), ('th2', 'th3', None)
INITIATOR_FLIGHT = (INITIATOR_IDENTITY, INITIATOR_PROOF, INITIATOR_FINISHED), ('th5', 'th6', 'th7')


class Initiator(Handshake):
    role, peer_role, secrets = 'initiator', 'responder', ('i_ap', 'r_ap')

    def start(self) -> None:
        hello, m1 = self._send_hello()
        self._read_hello(hello, m1)
        asked = self._read_responder()
        self._ask_policy(asked.key)
        self._send_flight(asked)

    def _send_hello(self) -> tuple[InitiatorHello, bytes]:
        config = self.config
        fields = [VERSION], self.random, config.offer(config.suites), config.sigs, self.share
        self.offered = config.kept.take(self._may_offer) if config.kept else None
        hello = InitiatorHello(*fields, self.offered.value if self.offered else None)
        m1 = hello.encode()
        if self.offered:
            m1 = m1[:-BINDER_SIZE] + binder(config.app, self.offered.psk, m1)
        self.link.write(m1)
        return hello, m1

    def _may_offer(self, ticket: Ticket) -> bool:
        """What is left of the rules of section 21.4: `Kept` holds those on expiry and on single use."""
        config, responder = self.config, ticket.responder
        return (
            (ticket.version, ticket.app) == (VERSION, config.app)
            and ticket.suite in config.suites
            and (responder is None or responder.alg in config.sigs)
            and ticket.initiator == self.own
            and not config.refuses(responder)
        )

    def _read_hello(self, sent: InitiatorHello, m1: bytes) -> None:
        m2 = self.link.read(RESPONDER_HELLO, PLAIN_ALERT, INITIATOR_HELLO)
        if m2[0] == PLAIN_ALERT:
            raise PeerAlert(error_alert(m2[4:]))
        if m2[0] == INITIATOR_HELLO:
            _hello_reader(m2)
            raise Fault(UNEXPECTED, 'the peer is an initiator too')
        hello = ResponderHello.decode(m2)
        if hello.random == self.random or hello.share == self.share:
            raise Fault(UNEXPECTED, 'our own hello is reflected')
        if hello.version not in sent.versions or hello.suite not in sent.suites:
            raise Fault(UNEXPECTED, 'a choice that was not offered')
        if hello.psk and not self.offered:
            raise Fault(UNEXPECTED, 'a ticket is taken and none was offered')
        if is_grease(hello.suite) or hello.suite not in SUITES:
            raise Fault(UNEXPECTED, 'the suite means nothing')
        self.resumed = self.offered if hello.psk else None
        if self.resumed and hello.suite != self.resumed.suite:
            raise Fault(UNEXPECTED, "a suite that is not the ticket's")
        self._agree(hello.random, hello.share)
        self._schedule(hello.suite, m1 + m2)
        self.link.outbound = self.keys.protection(HANDSHAKE, self.keys.i_hs)
        self.link.inbound[HANDSHAKE] = self.keys.protection(HANDSHAKE, self.keys.r_hs)

    def _read_responder(self) -> IdentityMessage:
        _, inner = self.link.read_sealed(HANDSHAKE)
        if inner.kind == ALERT:
            raise PeerAlert(error_alert(inner.content))
        types, th_names = RESPONDER_FLIGHT
        return self._read_flight(inner, types, self.config.sigs, th_names, self.keys.r_hs)

    def _send_flight(self, asked: IdentityMessage) -> None:
        identity = self.config.identity if asked.want != NONE else None
        if identity and identity.public.alg not in asked.sigs:
            raise Fault(NOTHING_IN_COMMON, 'the responder does not accept our kind of key')
        if asked.want == REQUIRED and not identity:
            raise Fault(AUTH_REQUIRED, 'the responder requires an identity')
        self.shown = identity.public if identity else None
        if self.resumed and self.shown != self.resumed.initiator:
            raise Fault(UNEXPECTED, 'the responder does not want the identity that the ticket stands for')
        shown = IdentityMessage(self.shown, self.config.max_message).encode(INITIATOR_IDENTITY)
        types, th_names = INITIATOR_FLIGHT
        self._write_flight(identity, shown, types, th_names, self.keys.i_hs)
        self.keys.application(self.th['th7'])
        self.link.outbound = self.keys.protection(APPLICATION, self.keys.i_ap)
        self.link.inbound[APPLICATION] = self.keys.protection(APPLICATION, self.keys.r_ap)

    def finish(self) -> None:
        record_type, inner = self.link.read_sealed(APPLICATION, HANDSHAKE)
        if record_type == HANDSHAKE and inner.kind == ALERT:
            raise PeerAlert(error_alert(inner.content))
        if record_type == HANDSHAKE or inner.kind != FLIGHT or split_flight(inner.content) != [(ACCEPT, b'')]:
            raise Fault(UNEXPECTED, 'not Accept')
        del self.link.inbound[HANDSHAKE]


class Responder(Handshake):
    role, peer_role, secrets = 'responder', 'initiator', ('r_ap', 'i_ap')

    def start(self) -> None:
        self._exchange_hellos()
        self._send_flight()
        shown = self._read_initiator()
        if self.config.want == REQUIRED and not shown.key:
            raise Fault(AUTH_REQUIRED, 'the initiator is anonymous')
        if self.config.want == NONE and shown.key:
            raise Fault(UNEXPECTED, 'an identity that was not asked for')
        self._ask_policy(shown.key)

    def _exchange_hellos(self) -> None:
        m1 = self.link.read(INITIATOR_HELLO)
        hello = InitiatorHello.decode(m1)
        suite = next((suite for suite in hello.suites if suite in self.config.suites), None)
        if VERSION not in hello.versions or not suite or (self.own and self.own.alg not in hello.sigs):
            raise Fault(NOTHING_IN_COMMON, 'no version, suite or signature algorithm in common')
        self.resumed = self._decide(hello, m1, suite)
        self._agree(hello.random, hello.share)
        m2 = ResponderHello(VERSION, self.random, suite, self.share, int(self.resumed is not None)).encode()
        self.link.write(m2)
        self._schedule(suite, m1 + m2)
        self.link.outbound = self.keys.protection(HANDSHAKE, self.keys.r_hs)
        self.link.inbound[HANDSHAKE] = self.keys.protection(HANDSHAKE, self.keys.i_hs)

    def _decide(self, hello: InitiatorHello, m1: bytes, suite: int) -> Ticket | None:
        """The ticket that the session is resumed with; None is psk 0 (section 21.4, decision)."""
        issued, config = self.config.issued, self.config
        ticket = issued.find(hello.ticket) if issued and hello.ticket else None
        if not ticket:
            return None
        session = ticket.version, ticket.suite, ticket.app, ticket.responder
        if session != (VERSION, suite, config.app, self.own):
            return None
        known = ticket.initiator
        if known and (config.want == NONE or known.alg not in config.sigs):
            return None
        if not known and config.want == REQUIRED:
            return None
        if not hmac.compare_digest(hello.binder, binder(config.app, ticket.psk, m1)):
            raise Fault(AUTH_FAILED, 'the binder does not match')
        return ticket if issued.take(ticket) else None

    def _send_flight(self) -> None:
        config = self.config
        self.shown = self.own
        shown = IdentityMessage(self.shown, config.max_message, config.want, tuple(config.sigs))
        types, th_names = RESPONDER_FLIGHT
        self._write_flight(config.identity, shown.encode(RESPONDER_IDENTITY), types, th_names, self.keys.r_hs)

    def _read_initiator(self) -> IdentityMessage:
        record = self.link.read(HANDSHAKE, PLAIN_ALERT)
        if record[0] == PLAIN_ALERT:
            raise PeerAlert(error_alert(record[4:]))
        inner = self.link.inbound[HANDSHAKE].open(record)
        if inner.kind == ALERT:
            raise PeerAlert(error_alert(inner.content))
        types, th_names = INITIATOR_FLIGHT
        return self._read_flight(inner, types, self.config.sigs, th_names, self.keys.i_hs)

    def finish(self) -> None:
        self.keys.application(self.th['th7'])
        self.link.outbound = self.keys.protection(APPLICATION, self.keys.r_ap)
        self.link.inbound = {APPLICATION: self.keys.protection(APPLICATION, self.keys.i_ap)}
        self.link.write_sealed(FLIGHT, message(ACCEPT, b''))
