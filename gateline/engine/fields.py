"""Readers of a JSON object's fields that name the field when its value will not do. Null counts as not given."""

from __future__ import annotations

import msgspec

from gateline.engine.refusal import Refused

Object = dict[str, object]


def read_object(body: bytes) -> Object:
    """Raises `Refused` unless the body is one JSON object."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(f"the body is not valid JSON: {error}", code="invalid_json") from None
    if not isinstance(value, dict):
        raise Refused("the body must be a JSON object", code="invalid_json")
    return value


def wrong(field: str, wanted: str) -> Refused:
    return Refused(f"`{field}` must be {wanted}", param=field, code="invalid_value")


def unsupported(field: str, what: str) -> Refused:
    return Refused(f"`{field}`: {what}", param=field, code="unsupported_value")


def read_text(fields: Object, field: str, default: str) -> str:
    value = fields.get(field)
    if value is None:
        return default
    if not isinstance(value, str):
        raise wrong(field, "a string")
    return value


def read_bool(fields: Object, field: str) -> bool:
    value = fields.get(field)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise wrong(field, "true or false")
    return value


def read_integer(fields: Object, field: str, *, least: int | None = None) -> int | None:
    value = fields.get(field)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise wrong(field, "an integer")
    if least is not None and value < least:
        raise wrong(field, f"at least {least}")
    return value


def read_number(fields: Object, field: str, default: float, low: float, high: float) -> float:
    value = fields.get(field)
    if value is None:
        return default
    if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
        raise wrong(field, f"a number from {low:g} to {high:g}")
    return float(value)


def read_section(fields: Object, field: str) -> Object:
    """An object, or an empty one when it is not given."""
    value = fields.get(field)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise wrong(field, "an object")
    return value
