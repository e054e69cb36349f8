"""Checks stalk_reference by the vectors of test/vectors: every value of every handshake, and every refusal.

    python3 check_vectors.py [folder]
"""

import json
import math
import pathlib
import sys
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_der_private_key

from stalk_reference.connection import REQUEST, Connection
from stalk_reference.handshake import (
    VERSION, Config, IdentityMessage, Initiator, InitiatorHello, KeySchedule, Responder, binder, binder_key,
    prologue, split_flight,
)
from stalk_reference.identity import ED25519, Identity, PublicKey
from stalk_reference.notation import describe
from stalk_reference.resumption import Issued, Kept, Ticket, decode_ticket, encode_ticket
from stalk_reference.shapes import Shapes
from stalk_reference.values import decode_batch, decode_message
from stalk_reference.wire import (
    ALERT, APPLICATION, CLOSE, FRAGMENT, HANDSHAKE, KEY_UPDATE, LAST_FRAGMENT, MESSAGES, PING, PLAIN_ALERT,
    SHAPES, SUITES, TICKET, Fault, Inner, Link, PeerAlert, TrafficKeys, Truncated, is_grease,
)

PLACES = ('M1', 'M2', 'M3', 'M4', 'M5')
SENDER = {'M1': 'initiator', 'M2': 'responder', 'M3': 'responder', 'M4': 'initiator', 'M5': 'responder'}
ROLES = {'initiator': Initiator, 'responder': Responder}


class Tally:
    def __init__(self):
        self.checked = self.failed = 0

    def __call__(self, name: str, actual, expected) -> None:
        self.checked += 1
        if actual != expected:
            self.failed += 1
            print(f'FAILED {name}\n  expected {short(expected)}\n  got      {short(actual)}')


def short(value) -> str:
    text = value.hex() if isinstance(value, bytes) else repr(value)
    return text if len(text) <= 200 else f'{text[:200]}… ({len(text)})'


class RecordedIdentity(Identity):
    """Signs as in a vector. RSA-PSS signatures are random: the recorded one is verified, and given out."""

    def __init__(self, private_key, side: dict, tally: Tally, name: str):
        super().__init__(private_key)
        self._side, self._tally, self._name = side, tally, name

    def sign(self, signed: bytes) -> bytes:
        recorded = bytes.fromhex(self._side['signature'])
        self._tally(f'{self._name}: signed', signed.hex(), self._side['signed'])
        self.public.verify(recorded, signed)
        if self.public.alg == ED25519:
            self._tally(f'{self._name}: signature', super().sign(signed), recorded)
        return recorded


@dataclass
class Script:
    """A transport that plays recorded bytes and keeps what is sent."""

    incoming: bytes
    sent: list[bytes] = field(default_factory=list)
    ended: bool = False

    def recv(self, size: int) -> bytes:
        piece, self.incoming = self.incoming[:size], self.incoming[size:]
        return piece

    def sendall(self, data: bytes) -> None:
        self.sent.append(data)

    def shutdown(self, _how: int) -> None:
        self.ended = True

    def settimeout(self, _seconds: float) -> None:
        pass

    def close(self) -> None:
        self.ended = True


def config(vector: dict, role: str, keys: dict, tally: Tally, **rest) -> Config:
    side = vector[role]
    name = f"{vector['name']}, {role}"
    identity = RecordedIdentity(keys[side['identity']], side, tally, name) if side['identity'] else None
    share = X25519PrivateKey.from_private_bytes(bytes.fromhex(side['x25519Private']))
    settings = {
        'identity': identity, 'sigs': side['sigs'], 'want': vector['want'], 'app': vector['app'],
        'max_message': side['maxMessage'], 'suites': [s for s in vector['suites'] if not is_grease(s)],
        'kept': Kept(offered(vector, keys)), 'issued': Issued(offered(vector, keys) if vector['psk'] else []),
    }
    return Config(
        **{**settings, **rest},
        new_random=lambda: bytes.fromhex(side['random']),
        new_share=lambda: share,
        offer=lambda _suites: vector['suites'],
    )


def offered(vector: dict, keys: dict) -> list[Ticket]:
    """The ticket that M1 offers, as both ends of its session keep it."""
    if 'offer' not in vector:
        return []
    value, psk = (bytes.fromhex(vector['offer'][name]) for name in ('ticket', 'psk'))
    names = (vector[role]['identity'] for role in ('responder', 'initiator'))
    ends = (Identity(keys[name]).public if name else None for name in names)
    return [Ticket(value, psk, VERSION, vector['suite'], vector['app'], *ends, expiry=math.inf)]


def records(vector: dict, sender: str) -> dict:
    """What one side sends, by place, in order."""
    handshake = {place: vector['records'][place] for place in PLACES if SENDER[place] == sender}
    after = {i: entry['record'] for i, entry in enumerate(vector['after']) if entry['from'] == sender}
    return {place: bytes.fromhex(record) for place, record in {**handshake, **after}.items()}


def other(role: str) -> str:
    return 'initiator' if role == 'responder' else 'responder'


# ---- handshakes


def check_handshake(vector: dict, keys: dict, tally: Tally) -> None:
    tally(f"{vector['name']}: prologue", prologue(vector['app']).hex(), vector['prologue'])
    check_flights(vector, keys, tally)
    if 'offer' in vector:
        check_offer(vector, tally)
    check_messages(vector, tally)
    for role in ('initiator', 'responder'):
        check_role(vector, role, keys, tally)
        check_connection(vector, role, keys, tally)


def check_flights(vector: dict, keys: dict, tally: Tally) -> None:
    for place, role in (('M3', 'responder'), ('M4', 'initiator')):
        (mtype, body), *_, (_, mac) = split_flight(bytes.fromhex(vector['flights'][place]))
        shown, side = IdentityMessage.decode(mtype, body), vector[role]
        public = Identity(keys[side['identity']]).public if side['identity'] else None
        expected = public, side['maxMessage'], side['finished']
        tally(f"{vector['name']}: {place}", (shown.key, shown.max_message, mac.hex()), expected)


def check_offer(vector: dict, tally: Tally) -> None:
    """M1's ticket and binder, and the key of it; that psk is its session's is checked by `check_origin`."""
    name, offer, m1 = vector['name'], vector['offer'], bytes.fromhex(vector['records']['M1'])
    app, psk, hello = vector['app'], bytes.fromhex(offer['psk']), InitiatorHello.decode(m1)
    tally(f'{name}: fin_b', binder_key(app, psk).hex(), offer['fin_b'])
    tally(f'{name}: binder', binder(app, psk, m1).hex(), offer['binder'])
    tally(f'{name}: offer', (hello.ticket.hex(), hello.binder.hex()), (offer['ticket'], offer['binder']))


def check_messages(vector: dict, tally: Tally) -> None:
    """What records of messages deliver where shapes are in use, each direction with its own."""
    shapes, parts = {role: Shapes() for role in ROLES}, {role: b'' for role in ROLES}
    for i, entry in enumerate(vector['after']):
        role, kind, content = entry['from'], entry['kind'], bytes.fromhex(entry['content'])
        if kind == SHAPES:
            shapes[role].take(content)
            tally(f"{vector['name']}: shapes {i}", announced_again(content, shapes[role].known), content)
        parts[role] = parts[role] + content if kind in (FRAGMENT, LAST_FRAGMENT) else b''
        if 'messages' in entry:
            known = shapes[role].known
            batch = [m for m, _ in decode_batch(content, known)] if kind == MESSAGES else None
            messages = batch or [decode_message(parts[role], known)]
            tally(f"{vector['name']}: messages {i}", [describe(message) for message in messages], entry['messages'])


def announced_again(content: bytes, known: list) -> bytes:
    sender = Shapes()
    sender.known = known[: content[0]]
    return sender.announce(known[content[0] :])


def check_origin(vector: dict, first: dict, tally: Tally) -> None:
    """That the ticket is of that session: its psk, and a record of it if there is one."""
    offer = vector['offer']
    derived = recorded_schedule(first).ticket_psk(bytes.fromhex(offer['nonce']))
    tally(f"{vector['name']}: psk of {first['name']}", derived.hex(), offer['psk'])
    given = [entry['ticket'] for entry in first['after'] if entry['kind'] == TICKET][:1]
    for name in ('nonce', 'ticket', 'psk') if given else ():
        tally(f"{vector['name']}: {name} as given out", offer[name], given[0][name])


def check_role(vector: dict, role: str, keys: dict, tally: Tally) -> None:
    """One side of the whole connection: all that it sends, and all that it derives on the way."""
    name = f"{vector['name']}, {role}"
    script = Script(b''.join(records(vector, other(role)).values()))
    link = Link(script)
    handshake = ROLES[role](link, config(vector, role, keys, tally))
    handshake.start()
    handshake.finish()
    check_schedule(vector, handshake, name, tally)
    for i, entry in enumerate(vector['after']):
        ours = entry['from'] == role
        if ours:
            link.write_sealed(entry['kind'], bytes.fromhex(entry['content']), entry['innerBytes'])
        else:
            kind, content, size = link.read_sealed(APPLICATION)[1]
            expected = entry['kind'], entry['content'], entry['innerBytes']
            tally(f'{name}: inner {i}', (kind, content.hex(), size), expected)
        if entry['kind'] == KEY_UPDATE:
            (handshake.update_outbound if ours else handshake.update_inbound)()
            secret = 'i_ap' if entry['from'] == 'initiator' else 'r_ap'
            check_update(entry['next'], handshake.keys, secret, f'{name}: update {i}', tally)
        if entry['kind'] == TICKET:
            check_ticket(entry, handshake.keys, f'{name}: ticket {i}', tally)
    for (place, expected), actual in zip(records(vector, role).items(), script.sent, strict=True):
        tally(f'{name}: record {place}', actual, expected)


def check_ticket(entry: dict, keys: KeySchedule, name: str, tally: Tally) -> None:
    expected, content = entry['ticket'], bytes.fromhex(entry['content'])
    lifetime, nonce, value = decode_ticket(content)
    fields = expected['lifetime'], expected['nonce'], expected['ticket'], expected['psk']
    tally(f'{name}: fields', (lifetime, nonce.hex(), value.hex(), keys.ticket_psk(nonce).hex()), fields)
    tally(f'{name}: content', encode_ticket(lifetime, nonce, value), content)


def check_update(expected: dict, keys: KeySchedule, secret: str, name: str, tally: Tally) -> None:
    tally(f'{name}: secret', getattr(keys, secret).hex(), expected['secret'])
    check_traffic(expected, keys.traffic(getattr(keys, secret)), name, tally)


def check_traffic(expected: dict, derived: TrafficKeys, name: str, tally: Tally) -> None:
    for part in TrafficKeys._fields:
        if part in expected:
            tally(f'{name}: {part}', getattr(derived, part).hex(), expected[part])


def check_connection(vector: dict, role: str, keys: dict, tally: Tally) -> None:
    """The same side as a connection, that answers by itself: it says what the vector says."""
    script = Script(b''.join(records(vector, other(role)).values()))
    settings = config(vector, role, keys, Tally())
    conn = Connection(script, role, settings)
    follow(conn, vector['after'], role)
    expected = [(entry['kind'], entry['content']) for entry in vector['after'] if entry['from'] == role]
    said = [(inner.kind, inner.content.hex()) for inner in opened(script, vector, role, APPLICATION)]
    tally(f"{vector['name']}, {role}: what the connection says", said[-len(expected):], expected)
    outcome = conn.outcome()
    tally(f"{vector['name']}, {role}: its outcome", (outcome.kind, int(outcome.resumed)), ('clean', vector['psk']))
    given = [entry['ticket']['psk'] for entry in vector['after'] if entry['kind'] == TICKET]
    if role == 'initiator':
        kept = [ticket.psk.hex() for ticket in settings.kept.tickets]
        tally(f"{vector['name']}: the tickets that it keeps", kept, given)


def follow(conn: Connection, after: list[dict], role: str) -> None:
    """Does what a side does in `after`, and lets it answer; reads before a record what that side had read."""
    theirs = read = 0
    for entry in [*after, None]:
        if entry and entry['from'] != role:
            theirs += 1
            continue
        while read < theirs - (entry or {}).get('unread', 0):
            conn._guarded(conn._read)
            read += 1
        if entry:
            begin(conn, entry['kind'], bytes.fromhex(entry['content']))


def begin(conn: Connection, kind: int, content: bytes) -> None:
    """Sends such a record, unless it is one that has to come by itself."""
    if kind in (MESSAGES, FRAGMENT, LAST_FRAGMENT):
        conn._link.write_sealed(kind, content)
        messages = decode_batch(content, conn._shapes.known) if kind == MESSAGES else []
        conn.sent += len(messages) or kind == LAST_FRAGMENT
    elif kind == SHAPES:
        conn._link.write_sealed(kind, content)
        conn._shapes.take(content)
    elif kind == PING:
        conn.ping(content)
    elif kind == KEY_UPDATE and content[0] == REQUEST:
        conn.update_keys()
    elif kind == TICKET:
        conn.send_ticket(*decode_ticket(content))
    elif kind == ALERT and content[0] == CLOSE:
        conn.finish()


def check_schedule(vector: dict, handshake, name: str, tally: Tally) -> None:
    keys, secrets = handshake.keys, vector['secrets']
    tally(f'{name}: share', handshake.share.hex(), vector[handshake.role]['share'])
    tally(f'{name}: shared', handshake.shared.hex(), vector['shared'])
    for th, expected in vector['transcript'].items():
        tally(f'{name}: {th}', handshake.th[th].hex(), expected)
    for secret in ('salt', 'es', 'hs', 'ms', 'i_hs', 'r_hs', 'i_ap', 'r_ap', 'exp', 'res'):
        tally(f'{name}: {secret}', getattr(keys, secret).hex(), secrets[secret])
    for secret, fin in (('i_hs', 'fin_i'), ('r_hs', 'fin_r')):
        tally(f'{name}: {fin}', keys.finished_key(getattr(keys, secret)).hex(), secrets[fin])
    for secret, traffic in vector['keys'].items():
        check_traffic(traffic, keys.traffic(getattr(keys, secret)), f'{name}: {secret}', tally)
    tally(f'{name}: session id', keys.session_id.hex(), vector['sessionId'])
    for entry in vector['exports']:
        out = keys.export(entry['label'].encode(), entry['context'].encode(), entry['length'])
        tally(f'{name}: export {entry["label"]}', out.hex(), entry['out'])
    tally(f'{name}: suite', keys.suite.id, vector['suite'])


# ---- refusals


def check_refusal(negative: dict, vector: dict, keys: dict, tally: Tally) -> None:
    name = f"{negative['to']} {negative['place']}: {negative['name']} ({negative['handshake']})"
    role, asked = negative['to'], []
    settings = config(vector, role, keys, Tally(), sigs=[1, 2], trust=lambda key: asked.append(key) or True)
    if role == 'responder':
        settings.suites = [1, 2, 3]
    script = Script(spoiled(negative, vector))
    in_handshake = negative['place'] in PLACES
    before = [] if in_handshake else vector['after'][: negative['place']]
    made, failure = attempt(script, role, settings, before)
    tally(f'{name}: a session', made, not in_handshake)
    tally(f'{name}: asked', bool(asked), negative['asked'])
    tally(f'{name}: alert', getattr(failure, 'alert', None), negative['alert'])
    tally(f'{name}: ended', script.ended and not isinstance(failure, Truncated), True)
    tally(f'{name}: alert on the wire', sent_alert(script, vector, role), negative['alert'])


def spoiled(negative: dict, vector: dict) -> bytes:
    """What comes up to the place, and the spoiled record there."""
    place, before = negative['place'], []
    for at, record in records(vector, other(negative['to'])).items():
        if at == place:
            break
        before.append(record)
    return b''.join(before) + bytes.fromhex(negative['record'])


def attempt(script: Script, role: str, settings: Config, before: list[dict]):
    """Whether a session was made, and what ended it: a record behind so many of `after`."""
    conn = None
    try:
        conn = Connection(script, role, settings)
        follow(conn, before, role)
        conn._guarded(conn._read)
    except (Fault, PeerAlert, Truncated) as failure:
        return conn is not None, failure
    return True, None


def sent_alert(script: Script, vector: dict, role: str) -> int | None:
    """The alert that was really sent, opened with the vector's keys."""
    last = script.sent[-1] if script.sent else b'\0'
    if last[0] == PLAIN_ALERT:
        return last[4]
    if last[0] not in (HANDSHAKE, APPLICATION):
        return None
    *_, inner = opened(script, vector, role, last[0])
    return inner.content[0] if inner.kind == ALERT else None


def opened(script: Script, vector: dict, role: str, record_type: int) -> list[Inner]:
    """What a side has sealed in records of that type, opened with the vector's keys."""
    keys = recorded_schedule(vector)
    name = f"{role[0]}_{'hs' if record_type == HANDSHAKE else 'ap'}"
    protection, inners = keys.protection(record_type, getattr(keys, name)), []
    for record in script.sent:
        if record[0] == record_type:
            inners.append(protection.open(record))
            if inners[-1].kind == KEY_UPDATE:
                protection = keys.update(name)
    return inners


def recorded_schedule(vector: dict) -> KeySchedule:
    th1, th7 = (bytes.fromhex(vector['transcript'][name]) for name in ('th1', 'th7'))
    psk = bytes.fromhex(vector['offer']['psk']) if vector['psk'] else bytes(32)
    keys = KeySchedule(vector['app'], SUITES[vector['suite']], bytes.fromhex(vector['shared']), th1, psk)
    keys.application(th7)
    return keys


def main(folder: pathlib.Path) -> int:
    handshakes = json.loads((folder / 'handshake.json').read_text())
    negatives = json.loads((folder / 'negative.json').read_text())
    tally, keys = Tally(), {}
    for entry in handshakes['keys']:
        keys[entry['name']] = load_der_private_key(bytes.fromhex(entry['pkcs8']), None)
        public = PublicKey(entry['alg'], bytes.fromhex(entry['public']))
        tally(f"key {entry['name']}", Identity(keys[entry['name']]).public, public)
    by_name = {vector['name']: vector for vector in handshakes['vectors']}
    for vector in by_name.values():
        check_handshake(vector, keys, tally)
        if 'offer' in vector:
            check_origin(vector, by_name[vector['offer']['of']], tally)
    for negative in negatives['vectors']:
        check_refusal(negative, by_name[negative['handshake']], keys, tally)
    print(f'{tally.checked} checked, {tally.failed} failed')
    return 1 if tally.failed else 0


if __name__ == '__main__':
    here = pathlib.Path(__file__).parent
    sys.exit(main(pathlib.Path(sys.argv[1]) if sys.argv[1:] else here.parent / 'vectors'))
