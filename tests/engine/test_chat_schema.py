"""The schemas that may reach the grammar compiler."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from gateline.engine.refusal import Refused
from gateline.engine.schema import accept_schema

GOOD: list[dict[str, Any]] = [
    {},
    {"type": "object", "properties": {"a": {"type": ["string", "null"]}}, "required": ["a"], "title": "T"},
    {"$ref": "#/$defs/n", "$defs": {"n": {"type": "object", "properties": {"n": {"$ref": "#/$defs/n"}}}}},
    {"type": "array", "items": {"anyOf": [{"const": 3}, {"enum": ["x", None, True]}]}, "minItems": 1, "maxItems": 1},
    {"type": "integer", "minimum": 1, "exclusiveMaximum": 2},
    {"type": "number", "exclusiveMinimum": 0.5, "exclusiveMaximum": 0.6},
    {"type": "object", "additionalProperties": {"type": "string", "format": "date", "maxLength": 4}},
]


@pytest.mark.parametrize("schema", GOOD)
def test_the_subset_is_taken_as_it_is(schema: dict[str, Any]) -> None:
    assert msgspec.json.decode(accept_schema(schema, "s")) == schema


@pytest.mark.parametrize(
    ("schema", "param"),
    [
        (True, "s"),
        ({"type": "thing"}, "s.type"),
        ({"type": {}}, "s.type"),
        ({"type": []}, "s.type"),
        ({"anyOf": []}, "s.anyOf"),
        ({"enum": []}, "s.enum"),
        ({"enum": [{}]}, "s.enum"),
        ({"enum": ['say "x"']}, "s.enum"),
        ({"pattern": "(["}, "s.pattern"),
        ({"properties": {"a": {"minProperties": 1}}}, "s.properties.a.minProperties"),
        ({"properties": {'"': {}}}, "s.properties"),
        ({"required": "a"}, "s.required"),
        ({"items": False}, "s.items"),
        ({"$ref": "http://elsewhere/x"}, "s.$ref"),
        ({"$ref": "#/$defs/missing"}, "s.$ref"),
        ({"$ref": []}, "s.$ref"),
        ({"type": "string", "minLength": 5, "maxLength": 2}, "s"),
        ({"type": "array", "maxItems": 100_000}, "s.maxItems"),
        ({"type": "integer", "minimum": "x"}, "s.minimum"),
        ({"type": "integer", "minimum": 1.5}, "s"),
        ({"type": "integer", "minimum": -9e30}, "s.minimum"),
        ({"type": "integer", "minimum": 5, "maximum": 1}, "s"),
        ({"type": "integer", "exclusiveMinimum": 4, "exclusiveMaximum": 5}, "s"),
        ({"type": "number", "minimum": 1, "exclusiveMaximum": 1}, "s"),
        ({"title": "x" * 40_000}, "s"),
    ],
)
def test_anything_else_is_refused_by_name(schema: Any, param: str) -> None:
    with pytest.raises(Refused) as caught:
        accept_schema(schema, "s")
    assert (caught.value.status, caught.value.param) == (400, param)


def test_nesting_is_bounded() -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(11):
        schema = {"type": "array", "items": schema}
    with pytest.raises(Refused, match="nest"):
        accept_schema(schema, "s")
