"""Identities: raw public keys, what makes one acceptable, signatures, fingerprints (section 6)."""

import base64
import hashlib
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

from .wire import AUTH_FAILED, Fault

ANONYMOUS, ED25519, RSA_PSS = 0, 1, 2
ALGORITHMS = (ED25519, RSA_PSS)
EXPONENT = 65_537

P = 2**255 - 19
D = -121_665 * pow(121_666, -1, P) % P
ORDER_8 = (
    '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
    'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
)
SMALL_ORDER_Y = {0, 1, P - 1, *(int.from_bytes(bytes.fromhex(y), 'little') for y in ORDER_8)}
PSS = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)


@dataclass(frozen=True)
class PublicKey:
    """An identity as on the wire. Call `check` before anything else is done with it."""

    alg: int
    raw: bytes

    def check(self) -> None:
        if not (_acceptable_ed25519(self.raw) if self.alg == ED25519 else _acceptable_rsa(self.raw)):
            raise Fault(AUTH_FAILED, 'the key is not acceptable')

    def verify(self, signature: bytes, signed: bytes) -> None:
        try:
            if self.alg == ED25519:
                if len(signature) != 64:
                    raise InvalidSignature
                # The library refuses S ≥ L, and compares encodings without the cofactor.
                ed25519.Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, signed)
            else:
                if len(signature) != len(self.raw):
                    raise InvalidSignature
                modulus = int.from_bytes(self.raw, 'big')
                key = rsa.RSAPublicNumbers(EXPONENT, modulus).public_key()
                key.verify(signature, signed, PSS, hashes.SHA256())
        except (InvalidSignature, ValueError):
            raise Fault(AUTH_FAILED, 'the signature is not valid') from None

    @property
    def fingerprint(self) -> str:
        if self.alg == ED25519:
            blob = _string(b'ssh-ed25519') + _string(self.raw)
        else:
            blob = _string(b'ssh-rsa') + _string(EXPONENT.to_bytes(3, 'big')) + _string(b'\0' + self.raw)
        return 'SHA256:' + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip('=')


class Identity:
    """A private key and its public one."""

    def __init__(self, private_key):
        self._private_key = private_key
        self.public = _public(private_key.public_key())

    @classmethod
    def load(cls, file: str) -> 'Identity':
        with open(file, 'rb') as pem:
            return cls(serialization.load_pem_private_key(pem.read(), None))

    def sign(self, signed: bytes) -> bytes:
        if self.public.alg == ED25519:
            return self._private_key.sign(signed)
        return self._private_key.sign(signed, PSS, hashes.SHA256())


def _public(key) -> PublicKey:
    if isinstance(key, ed25519.Ed25519PublicKey):
        raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return PublicKey(ED25519, raw)
    if not isinstance(key, rsa.RSAPublicKey) or key.public_numbers().e != EXPONENT:
        raise ValueError('an identity is an Ed25519 key, or an RSA key with the exponent 65537')
    public = PublicKey(RSA_PSS, key.public_numbers().n.to_bytes((key.key_size + 7) // 8, 'big'))
    if not _acceptable_rsa(public.raw):
        raise ValueError('an RSA key has 2048 to 4096 bits, in whole bytes')
    return public


def _acceptable_ed25519(raw: bytes) -> bool:
    if len(raw) != 32:
        return False
    y = int.from_bytes(raw, 'little') & (2**255 - 1)
    if y >= P or y in SMALL_ORDER_Y:
        return False
    return pow((y * y - 1) * (D * y * y + 1), (P - 1) // 2, P) == 1  # Euler: a non-zero square


def _acceptable_rsa(raw: bytes) -> bool:
    return 256 <= len(raw) <= 512 and raw[0] & 0x80 != 0 and raw[-1] & 1 != 0


def _string(data: bytes) -> bytes:
    return len(data).to_bytes(4, 'big') + data
