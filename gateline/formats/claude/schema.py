"""JSON Schema in the subset that Anthropic compiles into a grammar.

It answers 400 for bounds of numbers, strings and lists and for objects that are not closed
(platform.claude.com/docs, "Structured outputs"). What it does not take moves into the description, where the model
reads it: the vendor's SDK does the same. An object that is open on purpose, such as a map, has no place there at all:
closed, nothing but `{}` would fit it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Raw

from gateline.formats.typed import UNREAD

_FORMATS = frozenset({
    "date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid",
})  # fmt: skip
_KEPT = frozenset({"$ref", "$defs", "definitions", "type", "enum", "const", "description", "title", "default", "anyOf"})
_SILENT = frozenset({"$schema", "$id", "additionalProperties", "strict"})  # say nothing that a model could heed
_LISTS = {"anyOf": "anyOf", "oneOf": "anyOf", "allOf": "allOf"}
_OPEN = Raw(b'{"type":"object","properties":{}}')
_MOST = 65_536  # bytes of a schema whose subset is remembered

_decode = msgspec.json.Decoder().decode
_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_encode = msgspec.json.Encoder().encode


def subset(schema: Raw) -> Raw | None:
    """What of `schema` the vendor takes; as it is where it is no object; None where it has an object that must stay
    open."""
    text = bytes(schema)
    found = _subset(text) if len(text) <= _MOST else _written(text)
    return None if found is None else Raw(found)


def input_schema(schema: Raw) -> Raw:
    """A tool's schema, byte for byte but where the vendor would refuse it: it must say that it is an object."""
    if not bytes(schema) or bytes(schema) == b"null":
        return _OPEN
    try:
        fields = _decode_fields(schema)
    except UNREAD:
        return schema
    return schema if "type" in fields else Raw(_encode({"type": "object", **fields}))


def strict_schema(schema: Raw) -> Raw | None:
    """The same of a tool whose arguments must fit; None as for `subset`."""
    return subset(schema if bytes(schema) and bytes(schema) != b"null" else _OPEN)


@lru_cache(maxsize=64)
def _subset(schema: bytes) -> bytes | None:
    return _written(schema)


def _written(schema: bytes) -> bytes | None:
    try:
        return _encode(_narrow(_decode(schema)))
    except _StaysOpenError:
        return None
    except UNREAD:
        return schema


class _StaysOpenError(Exception):
    """An object may have properties whose names the schema does not say."""


def _narrow(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return schema
    kept: dict[str, Any] = {}
    left: dict[str, Any] = {}
    for key, value in schema.items():
        if key in {"$defs", "definitions", "properties"} and isinstance(value, dict):
            kept[key] = {name: _narrow(inner) for name, inner in value.items()}
        elif key in _LISTS and isinstance(value, list):
            kept[_LISTS[key]] = [_narrow(inner) for inner in value]
        elif key == "items" and isinstance(value, dict):
            kept[key] = _narrow(value)
        elif _is_kept(key, value):
            kept[key] = value
        elif key not in _SILENT:
            left[key] = value
    if _is_object(kept):
        if _is_open(schema):
            raise _StaysOpenError
        kept.setdefault("properties", {})
        kept["additionalProperties"] = False
    if left:
        said = kept.get("description")
        wishes = ", ".join(f"{key}: {_encode(value).decode()}" for key, value in left.items())
        kept["description"] = f"{said}\n\n{{{wishes}}}" if isinstance(said, str) and said else f"{{{wishes}}}"
    return kept


def _is_object(schema: dict[str, Any]) -> bool:
    kind = schema.get("type")
    return kind == "object" or (isinstance(kind, list) and "object" in kind) or "properties" in schema


def _is_open(schema: dict[str, Any]) -> bool:
    """Whether closing it would lose what it is for: it names no property, or says what all others are like. One that
    names some and allows any other is closed, as the vendor's SDK does: what then comes fits it still."""
    others = schema.get("additionalProperties")
    if (isinstance(others, dict) and others) or schema.get("patternProperties"):
        return True
    return "properties" not in schema and others is not False


def _is_kept(key: str, value: object) -> bool:
    if key == "format":
        return isinstance(value, str) and value in _FORMATS
    if key == "minItems":
        return isinstance(value, int) and value in {0, 1}
    return key in _KEPT or key == "required"
