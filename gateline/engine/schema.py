"""Which JSON schemas the grammar compiler is given.

It compiles inside the shared step, and a schema it chokes on breaks that step for every request: so what it is given
is read here first, and anything outside this subset (near OpenAI's own for strict outputs) is refused by name.
"""

from __future__ import annotations

import string

import msgspec

from gateline.engine.fields import Object, unsupported, wrong

SCHEMA_BYTES = 32 * 1024
DEPTH = 10
COUNT = 1000  # a bound of repetitions: each unrolls into grammar rules
_WHOLE = 2**53  # beyond it a JSON number is not exactly itself

_TYPES = frozenset({"object", "array", "string", "integer", "number", "boolean", "null"})
_ANNOTATIONS = frozenset({"title", "description", "default", "examples", "$schema", "$id", "$comment", "format"})
_SIZES = (("minItems", "maxItems"), ("minLength", "maxLength"))
_LOWER = ("minimum", "exclusiveMinimum")
_UPPER = ("maximum", "exclusiveMaximum")
# The compiler writes names into a grammar of its own without escaping all that needs it.
_NAME = frozenset(string.ascii_letters + string.digits + "_-. $@/:")


def accept_schema(schema: object, place: str) -> str:
    """The schema as JSON. Raises `Refused` naming the keyword at fault."""
    if not isinstance(schema, dict):
        raise wrong(place, "a JSON schema object")
    encoded = msgspec.json.encode(schema)
    if len(encoded) > SCHEMA_BYTES:
        raise unsupported(place, f"a schema may take {SCHEMA_BYTES} bytes, this one takes {len(encoded)}")
    _Reader(schema).read(schema, place, 0)
    return encoded.decode()


class _Reader:
    def __init__(self, root: Object) -> None:
        self._definitions = {
            f"#/{section}/{name}"
            for section in ("$defs", "definitions")
            if isinstance(found := root.get(section), dict)
            for name in found
        }

    def read(self, schema: object, place: str, depth: int) -> None:
        if depth > DEPTH:
            raise unsupported(place, f"schemas may nest {DEPTH} deep")
        if not isinstance(schema, dict):
            raise wrong(place, "a JSON schema object")
        for keyword, value in schema.items():
            self._keyword(keyword, value, f"{place}.{keyword}", depth)
        _ordered(schema, place)

    def _keyword(self, keyword: str, value: object, place: str, depth: int) -> None:  # noqa: C901, PLR0912 - a row a keyword
        match keyword:
            case "type":
                _types(value, place)
            case "properties" | "$defs" | "definitions":
                self._named(value, place, depth)
            case "items":
                self.read(value, place, depth + 1)
            case "additionalProperties":
                if not isinstance(value, bool):
                    self.read(value, place, depth + 1)
            case "anyOf" | "oneOf":
                for index, option in enumerate(_filled(value, place)):
                    self.read(option, f"{place}[{index}]", depth + 1)
            case "required":
                for name in value if isinstance(value, list) else [None]:
                    _name(name, place)
            case "enum":
                for option in _filled(value, place):
                    _scalar(option, place)
            case "const":
                _scalar(value, place)
            case "$ref":
                if not isinstance(value, str) or value not in self._definitions:
                    raise wrong(place, "a reference to a definition of this schema, such as #/$defs/name")
            case "minItems" | "maxItems" | "minLength" | "maxLength":
                if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= COUNT:
                    raise wrong(place, f"an integer from 0 to {COUNT}")
            case "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum":
                if not isinstance(value, int | float) or isinstance(value, bool) or abs(value) > _WHOLE:
                    raise wrong(place, "a number whose size is at most 2^53")
            case _ if keyword not in _ANNOTATIONS:
                raise unsupported(place, "this model's grammar does not know the keyword: leave it out")

    def _named(self, value: object, place: str, depth: int) -> None:
        if not isinstance(value, dict):
            raise wrong(place, "an object")
        for name, schema in value.items():
            _name(name, place)
            self.read(schema, f"{place}.{name}", depth + 1)


def _types(value: object, place: str) -> None:
    for kind in _filled(value, place) if isinstance(value, list) else [value]:
        if not isinstance(kind, str) or kind not in _TYPES:
            raise wrong(place, "one or several of " + ", ".join(sorted(_TYPES)))


def _filled(value: object, place: str) -> list[object]:
    if not isinstance(value, list) or not value:
        raise wrong(place, "a list with at least one entry")
    return value


def _scalar(value: object, place: str) -> None:
    if isinstance(value, str) and not set(value) <= _NAME | set("!?,;'()+=*&%#<>"):
        raise unsupported(place, "its strings may hold letters, digits, spaces and common ASCII punctuation")
    if not isinstance(value, str | int | float | bool | None):
        raise wrong(place, "made of strings, numbers, booleans and null")


def _name(name: object, place: str) -> None:
    if not isinstance(name, str):
        raise wrong(place, "made of names")
    if not name or not set(name) <= _NAME:
        raise unsupported(place, "names may hold ASCII letters, digits, spaces and _ - . $ @ / :")


def _ordered(schema: Object, place: str) -> None:
    """Ranges that hold nothing make the compiler fail, and so do fractions as bounds of integers."""
    kinds = schema.get("type")
    integers = "integer" in kinds if isinstance(kinds, list) else kinds == "integer"
    for low_name, high_name in (*_SIZES, *((low, high) for low in _LOWER for high in _UPPER)):
        low, high = schema.get(low_name), schema.get(high_name)
        if integers and any(isinstance(bound, float) and not bound.is_integer() for bound in (low, high)):
            raise wrong(place, "an integer with whole numbers as its bounds")
        if isinstance(low, int | float) and isinstance(high, int | float):
            exclusive = low_name.startswith("exclusive") + high_name.startswith("exclusive")
            room = high - low
            if room < exclusive if integers else room < 0 or (exclusive and room == 0):
                raise wrong(place, "a schema whose lower bounds leave room below its upper ones")
