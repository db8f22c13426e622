"""JSON Schema in the subset that Anthropic compiles into a grammar.

It answers 400 for bounds of numbers, strings and lists and for objects that are not closed
(platform.claude.com/docs, "Structured outputs"). What it does not take moves into the description, where the model
reads it: the vendor's SDK does the same.
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


def subset(schema: Raw) -> Raw:
    """What of `schema` the vendor takes; as it is where it is no object."""
    text = bytes(schema)
    return Raw(_subset(text) if len(text) <= _MOST else _written(text))


def input_schema(schema: Raw, *, is_strict: bool) -> Raw:
    """A tool's schema, byte for byte but where the vendor would refuse it: it must say that it is an object."""
    if not bytes(schema) or bytes(schema) == b"null":
        schema = _OPEN
    if is_strict:
        return subset(schema)
    try:
        fields = _decode_fields(schema)
    except UNREAD:
        return schema
    return schema if "type" in fields else Raw(_encode({"type": "object", **fields}))


@lru_cache(maxsize=64)
def _subset(schema: bytes) -> bytes:
    return _written(schema)


def _written(schema: bytes) -> bytes:
    try:
        return _encode(_narrow(_decode(schema)))
    except UNREAD:
        return schema


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
    if kept.get("type") == "object" or "properties" in kept:
        kept.setdefault("properties", {})
        kept["additionalProperties"] = False
    if left:
        said = kept.get("description")
        wishes = ", ".join(f"{key}: {_encode(value).decode()}" for key, value in left.items())
        kept["description"] = f"{said}\n\n{{{wishes}}}" if isinstance(said, str) and said else f"{{{wishes}}}"
    return kept


def _is_kept(key: str, value: object) -> bool:
    if key == "format":
        return isinstance(value, str) and value in _FORMATS
    if key == "minItems":
        return isinstance(value, int) and value in {0, 1}
    return key in _KEPT or key == "required"
