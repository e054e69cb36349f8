"""The judge: what the Python implementation of test/interop says to many inputs of a fuzz target.

Reads jobs from standard input, a JSON object a line, and answers each with a JSON array a line:

    {"target": "values", "inputs": [{"bytes": hex, "value": described or absent}, …]}
    {"target": "conversation", "inputs": [{"vector": n, "role": …, "bytes": hex, "closeFirst": …, "early": …,
                                           "asks": …, "refuses": …}, …]}
    {"target": "shapes", "inputs": [{"records": [[kind, hex], …], "sent": [[kind, hex], …]}, …]}
"""

import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / 'interop'))

from cryptography.hazmat.primitives import hashes  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import padding  # noqa: E402
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey  # noqa: E402
from cryptography.hazmat.primitives.serialization import load_der_private_key  # noqa: E402

from check_vectors import Script  # noqa: E402
from stalk_reference.connection import Connection  # noqa: E402
from stalk_reference.handshake import Config  # noqa: E402
from stalk_reference.identity import ED25519, Identity  # noqa: E402
from stalk_reference.notation import construct, describe  # noqa: E402
from stalk_reference.shapes import Shapes  # noqa: E402
from stalk_reference.values import Invalid, decode_batch, decode_message, encode_message  # noqa: E402
from stalk_reference.wire import MESSAGES, SHAPES, Fault, PeerAlert, Truncated, is_grease  # noqa: E402

FILE = json.loads((HERE.parent / 'vectors' / 'handshake.json').read_text())
VECTORS = FILE['vectors']
KEYS = {key['name']: load_der_private_key(bytes.fromhex(key['pkcs8']), None) for key in FILE['keys']}
UNSALTED = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=0)


class Recorded(Identity):
    """Signs as a vector has it; anything else without a salt, so that lib's signature is the same."""

    def __init__(self, side: dict):
        super().__init__(KEYS[side['identity']])
        self._side = side

    def sign(self, signed: bytes) -> bytes:
        if signed.hex() == self._side['signed']:
            return bytes.fromhex(self._side['signature'])
        if self.public.alg == ED25519:
            return super().sign(signed)
        return self._private_key.sign(signed, UNSALTED, hashes.SHA256())


def judge_value(job: dict) -> dict:
    """What the bytes mean, and how the value that we read in them is encoded."""
    try:
        value = {'value': describe(decode_message(bytes.fromhex(job['bytes'])))}
    except Invalid:
        return {}
    if 'value' in job:
        value['encoded'] = encode_message(construct(job['value'])).hex()
    return value


def judge_conversation(job: dict) -> dict:
    """How a connection ends that is played these bytes, and what it says and hands over on the way."""
    asked, messages, conn = [], [], None
    script = Script(bytes.fromhex(job['bytes']))
    try:
        config = settings(VECTORS[job['vector']], job['role'], asked, job['refuses'])
        conn = Connection(script, job['role'], config, early=['early'] if job['early'] else [])
        if job['asks']:
            conn.update_keys()
        if job['closeFirst']:
            conn.finish()
        while (message := conn.receive()) is not None:
            messages.append(describe(message))
        conn.close()
        end = 'clean'
    except Truncated:
        end = 'truncated'
    except PeerAlert as alert:
        end = f'alert {alert.code}'
    except Fault as fault:
        end = f'fault {fault.alert}'
    acknowledged, sent = conn.acknowledged if conn else 0, b''.join(script.sent).hex()
    return {'end': end, 'asked': len(asked), 'messages': messages, 'acknowledged': acknowledged, 'sent': sent}


def judge_shapes(job: dict) -> dict:
    """What the messages are in records of one direction, and in others that lib has made."""
    return {name: read(job[name]) for name in ('records', 'sent')}


def read(records: list) -> list:
    """The described messages of each record; null is one that is refused, and the last."""
    shapes, answers = Shapes(), []
    for kind, content in records:
        try:
            answers.append([describe(message) for message in messages(kind, bytes.fromhex(content), shapes)])
        except Fault:
            return [*answers, None]
    return answers


def messages(kind: int, content: bytes, shapes: Shapes) -> list:
    """What comes of a record of kinds 02, 04 (alone) and 0A."""
    if kind == SHAPES:
        shapes.take(content)
        return []
    if kind == MESSAGES:
        return [message for message, _ in decode_batch(content, shapes.known)]
    return [decode_message(content, shapes.known)]


def settings(vector: dict, role: str, asked: list, refuses: bool) -> Config:
    side = vector[role]
    share = X25519PrivateKey.from_private_bytes(bytes.fromhex(side['x25519Private']))
    return Config(
        identity=Recorded(side) if side['identity'] else None,
        trust=lambda key: asked.append(key) or not refuses,
        suites=[1, 2, 3] if role == 'responder' else [s for s in vector['suites'] if not is_grease(s)],
        sigs=[1, 2],
        want=vector['want'],
        app=vector['app'],
        max_message=side['maxMessage'],
        new_random=lambda: bytes.fromhex(side['random']),
        new_share=lambda: share,
        offer=lambda _suites: vector['suites'],
    )


JUDGES = {'values': judge_value, 'conversation': judge_conversation, 'shapes': judge_shapes}


def main() -> None:
    for line in sys.stdin:
        job = json.loads(line)
        answers = [JUDGES[job['target']](entry) for entry in job['inputs']]
        print(json.dumps(answers), flush=True)


if __name__ == '__main__':
    main()
