"""A value that fits a JSON schema: what the fake calls tools with, and answers where a schema is asked for. Pure."""

from __future__ import annotations

import hashlib
from typing import Any

_DEPTH = 12
_LONGEST = 10_000  # characters of a text, whatever the schema wants
_FORMATS = {
    "date": "2025-01-31",
    "date-time": "2025-01-31T12:30:00Z",
    "time": "12:30:00Z",
    "email": "ann@example.com",
    "uri": "https://example.com/",
    "uuid": "123e4567-e89b-42d3-a456-426614174000",
    "ipv4": "192.0.2.1",
}
_WORDS = ("Oslo", "Lima", "Kyoto", "Accra", "Quito", "Turin", "Perth", "Hanoi")


def fill(schema: object, seed: str) -> Any:
    """The same for the same schema and seed. Objects get their required properties, or all if none is required; types
    are understood in lower and upper case (Gemini's); `$ref` only within the schema."""
    root = schema if isinstance(schema, dict) else {}
    return _fill(root, root, seed, 0)


def _fill(schema: object, root: dict[str, Any], seed: str, depth: int) -> Any:
    if not isinstance(schema, dict) or depth > _DEPTH:
        return None
    if isinstance(reference := schema.get("$ref"), str):
        return _fill(_resolve(root, reference), root, seed, depth + 1)
    if "const" in schema:
        return schema["const"]
    if isinstance(choices := schema.get("enum"), list) and choices:
        return choices[_number(seed) % len(choices)]
    for union in ("anyOf", "oneOf", "allOf"):
        if isinstance(options := schema.get(union), list) and options:
            return _fill(options[0], root, seed, depth + 1)
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((name for name in kind if name != "null"), "null")
    return _of_type(str(kind or _implied(schema)).lower(), schema, root, seed, depth)


def _of_type(kind: str, schema: dict[str, Any], root: dict[str, Any], seed: str, depth: int) -> Any:
    if kind == "object":
        properties: dict[str, Any] = schema.get("properties") or {}
        names = [name for name in schema.get("required") or properties if name in properties]
        return {name: _fill(properties[name], root, f"{seed}/{name}", depth + 1) for name in names}
    if kind == "array":
        count = min(max(int(schema.get("minItems") or 1), 1), 8)
        return [_fill(schema.get("items"), root, f"{seed}/{index}", depth + 1) for index in range(count)]
    if kind in {"integer", "number"}:
        least, most = schema.get("minimum", 1), schema.get("maximum")
        value = least + _number(seed) % 7
        value = min(value, most) if most is not None else value
        return int(value) if kind == "integer" else float(value) + (0 if most is not None else 0.5)
    if kind == "boolean":
        return _number(seed) % 2 == 0
    if kind == "null":
        return None
    return _text(schema, seed)


def _text(schema: dict[str, Any], seed: str) -> str:
    known = _FORMATS.get(str(schema.get("format")))
    if known is not None:
        return known
    word = _WORDS[_number(seed) % len(_WORDS)]
    least, most = min(int(schema.get("minLength") or 0), _LONGEST), schema.get("maxLength")
    return word.ljust(least, "x")[: None if most is None else int(most)]


def _implied(schema: dict[str, Any]) -> str:
    return "object" if "properties" in schema else "array" if "items" in schema else "string"


def _resolve(root: dict[str, Any], reference: str) -> object:
    found: object = root
    for step in reference.removeprefix("#").strip("/").split("/"):
        found = found.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(found, dict) and step else found
    return found


def _number(seed: str) -> int:
    return int.from_bytes(hashlib.blake2b(seed.encode(errors="replace"), digest_size=4).digest(), "big")
