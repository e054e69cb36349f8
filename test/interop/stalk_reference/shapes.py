"""Shapes: key sets of objects that one direction has announced (section 21.5).

A `Shapes` has those of one direction: as a receiver it takes announcements, as a sender it makes them. How objects
of them are read and written is in values.py.
"""

import re

from .values import MAX_SHAPES, Invalid, Set
from .wire import MESSAGE_INVALID, Reader

NAMES, NAME_BYTES = 64, 64
_NAME = re.compile(rb'[A-Za-z_$][A-Za-z0-9_$]*')


class Shapes:
    def __init__(self, wait: int = 0):
        """`wait`: as a sender, announces a key set when it comes for that time; 0: none by itself."""
        self.known: list[tuple[str, ...]] = []
        self._wait = wait
        self._seen: dict[tuple[str, ...], int] = {}

    # ---- receiving

    def take(self, content: bytes) -> None:
        """The content of a record of kind 0A."""
        reader = Reader(content, MESSAGE_INVALID)
        first, count = reader.uint(1), reader.uint(1)
        if first != len(self.known):
            raise Invalid(f'shape {first} where {len(self.known)} is next')
        if not count:
            raise Invalid('no shape is announced')
        if first + count > MAX_SHAPES:
            raise Invalid(f'more than {MAX_SHAPES} shapes')
        shapes = [_shape(reader) for _ in range(count)]
        reader.end()
        self.known += shapes

    # ---- sending

    def announce(self, shapes) -> bytes:
        """The content that announces these."""
        content = bytes([len(self.known), len(shapes)]) + b''.join(map(_encode, shapes))
        self.take(content)  # what a receiver would refuse is refused here
        return content

    def due(self, message) -> list[tuple[str, ...]]:
        """The key sets of a message that have come often enough, as long as there is room."""
        room, found = MAX_SHAPES - len(self.known), []
        for names in _key_sets(message) if self._wait else ():
            self._seen[names] = self._seen.get(names, 0) + 1
            if self._seen[names] >= self._wait and names not in self.known and names not in found:
                found.append(names)
        return found[:room]


def _shape(reader: Reader) -> tuple[str, ...]:
    count = reader.uint(1)
    if not 1 <= count <= NAMES:
        raise Invalid(f'a shape of {count} names')
    names = [reader.take(reader.uint(1)) for _ in range(count)]
    for name in names:
        if not is_name(name):
            raise Invalid('a name that cannot be one')
    if len(set(names)) < count:
        raise Invalid('a name is twice in a shape')
    return tuple(name.decode('ascii') for name in names)


def is_name(name: bytes) -> bool:
    return len(name) <= NAME_BYTES and _NAME.fullmatch(name) is not None and name != b'__proto__'


def _encode(names) -> bytes:
    encoded = [name.encode() for name in names]
    return bytes([len(names)]) + b''.join(bytes([len(name)]) + name for name in encoded)


def _key_sets(value):
    """The key sets of all objects in a value that can be shapes, the outermost first."""
    match value:
        case dict():
            if 1 <= len(value) <= NAMES and all(is_name(key.encode('utf-8', 'replace')) for key in value):
                yield tuple(value)
            inner = value.values()
        case list():
            inner = value
        case Set():
            inner = value.elements
        case _:
            return
    for each in inner:
        yield from _key_sets(each)
