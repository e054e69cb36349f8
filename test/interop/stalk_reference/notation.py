"""Values as JSON, for the command line: what JSON does not have is an object with one tagged key.

    {"$bigint": "12"}    {"$date": [seconds, nanoseconds]}    {"$date": null}    {"$set": [1, 2]}
    {"$bytes": "00ff"}   {"$Int32Array": "02010000"}          {"$undefined": true}
    {"$number": "NaN"}, also "Infinity", "-Infinity", "-0"

An object that really has such a key alone is written with one more $.
"""

import math

from .values import TYPED_ARRAYS, UNDEFINED, Date, Set, TypedArray

SPECIAL = {'NaN': math.nan, 'Infinity': math.inf, '-Infinity': -math.inf, '-0': -0.0}
CODES = {name: code for code, (name, _) in TYPED_ARRAYS.items()}


def describe(value):
    """A value as something that json.dumps takes."""
    match value:
        case float():
            special = _special(value)
            return {'$number': special} if special else value
        case None | bool() | str():
            return value
        case int():
            return {'$bigint': str(value)}
        case bytes():
            return {'$bytes': value.hex()}
        case list():
            return [describe(element) for element in value]
        case dict():
            members = {key: describe(member) for key, member in value.items()}
            return {f'${key}': member for key, member in members.items()} if _is_tagged(members) else members
        case Set():
            return {'$set': [describe(element) for element in value.elements]}
        case Date():
            return {'$date': None if value.seconds is None else [value.seconds, value.nanoseconds]}
        case TypedArray():
            return {f'${TYPED_ARRAYS[value.code][0]}': value.data.hex()}
    return {'$undefined': True}


def construct(described):
    """The value that `describe` makes `described` of."""
    match described:
        case bool() | None | str():
            return described
        case int() | float():
            return float(described)
        case list():
            return [construct(element) for element in described]
    if not _is_tagged(described):
        return {key: construct(member) for key, member in described.items()}
    ((tag, content),) = described.items()
    match tag[1:]:
        case 'bigint':
            return int(content)
        case 'bytes':
            return bytes.fromhex(content)
        case 'number':
            return SPECIAL[content]
        case 'undefined':
            return UNDEFINED
        case 'set':
            return Set([construct(element) for element in content])
        case 'date':
            return Date(None) if content is None else Date(*content)
        case name if name in CODES:
            return TypedArray(CODES[name], bytes.fromhex(content))
        case key if key.startswith('$'):
            return {key: construct(content)}
    raise ValueError(f'no such tag: {tag}')


def _is_tagged(members: dict) -> bool:
    return len(members) == 1 and next(iter(members)).startswith('$')


def _special(value: float) -> str | None:
    if math.isnan(value):
        return 'NaN'
    if math.isinf(value):
        return 'Infinity' if value > 0 else '-Infinity'
    return '-0' if value == 0 and math.copysign(1, value) < 0 else None
