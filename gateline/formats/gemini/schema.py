"""Gemini's `Schema`, a subset of OpenAPI 3.0's whose types are in capitals, as JSON Schema.

The other way is not needed: JSON Schema goes to Gemini as it is, in `parametersJsonSchema` and `responseJsonSchema`
(ai.google.dev/api/caching#FunctionDeclaration, ai.google.dev/api/generate-content#GenerationConfig).
"""

from __future__ import annotations

from functools import lru_cache

import msgspec
from msgspec import Raw

from gateline.formats.gemini.spelling import camel
from gateline.formats.typed import UNREAD
from gateline.model.errors import BadRequest

_CACHED = 8192  # bytes of a schema that is kept: clients send the same ones every turn
_MAX_DEPTH = 64
_COUNTS = frozenset({"minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"})
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def json_schema(schema: Raw, field: str) -> Raw:
    """Raises BadRequest, naming `field`."""
    body = bytes(schema)
    try:
        return _cached(body) if len(body) <= _CACHED else _converted(body)
    except (*UNREAD, TypeError, ValueError):
        raise BadRequest(f"`{field}` is not a schema", param=field, code="invalid_value") from None


def _converted(body: bytes) -> Raw:
    found = _decode(body)
    if not isinstance(found, dict):
        raise TypeError
    return Raw(_encode(_schema(found, 0)))


_cached = lru_cache(maxsize=512)(_converted)


def _schema(given: object, depth: int) -> object:
    if not isinstance(given, dict):
        return given
    if depth > _MAX_DEPTH:
        raise ValueError
    schema: dict[str, object] = {}
    for name, value in given.items():
        key = camel(name)
        if key == "type":
            schema[key] = value.lower() if isinstance(value, str) else value
        elif key == "properties" and isinstance(value, dict):
            schema[key] = {own: _schema(inner, depth + 1) for own, inner in value.items()}
        elif key in {"items", "additionalProperties"}:
            schema[key] = _schema(value, depth + 1)
        elif key in {"anyOf", "prefixItems"} and isinstance(value, list):
            schema[key] = [_schema(inner, depth + 1) for inner in value]
        elif key in _COUNTS and isinstance(value, str):
            schema[key] = int(value)  # proto JSON writes 64-bit integers as strings
        elif key == "example":
            schema["examples"] = [value]
        elif key not in {"nullable", "propertyOrdering"} and not (key == "format" and value == "enum"):
            schema[key] = value
    if given.get("nullable") is True:
        _allow_null(schema)
    return schema


def _allow_null(schema: dict[str, object]) -> None:
    kind = schema.get("type")
    if isinstance(kind, str) and kind != "null":
        schema["type"] = [kind, "null"]
        if isinstance(values := schema.get("enum"), list) and None not in values:
            schema["enum"] = [*values, None]
    elif isinstance(options := schema.get("anyOf"), list):
        schema["anyOf"] = [*options, {"type": "null"}]
