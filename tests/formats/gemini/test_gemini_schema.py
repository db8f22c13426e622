"""Gemini's schemas as JSON Schema."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from google.genai import types

from gateline.formats.gemini.schema import json_schema
from gateline.model.errors import BadRequest


def converted(schema: Any) -> Any:
    return msgspec.json.decode(json_schema(msgspec.Raw(msgspec.json.encode(schema)), "parameters"))


def test_types_are_in_small_letters_all_the_way_down() -> None:
    """Types of objects, of their properties and of items are JSON Schema's, whatever the properties are called."""
    assert converted(
        {"type": "OBJECT", "properties": {"type": {"type": "ARRAY", "items": {"type": "INTEGER"}, "minItems": "2"},
                                          "max_items": {"type": "STRING", "format": "enum", "enum": ["A"]}},
         "required": ["type"], "propertyOrdering": ["type"]}
    ) == {
        "type": "object",
        "properties": {
            "type": {"type": "array", "items": {"type": "integer"}, "minItems": 2},
            "max_items": {"type": "string", "enum": ["A"]},
        },
        "required": ["type"],
    }  # fmt: skip


def test_nullable_is_a_type_of_its_own() -> None:
    """JSON Schema has no `nullable`: null is one of the types, of the values, or of the alternatives."""
    assert converted({"type": "STRING", "nullable": True, "enum": ["a"]}) == {
        "type": ["string", "null"],
        "enum": ["a", None],
    }
    assert converted({"any_of": [{"type": "STRING"}], "nullable": True}) == {
        "anyOf": [{"type": "string"}, {"type": "null"}]
    }


def test_what_the_sdk_makes_of_a_model_comes_back_as_json_schema() -> None:
    """The SDK's own schema of a type is read as the JSON Schema it was made from."""
    made = types.Schema.from_json_schema(
        json_schema=types.JSONSchema.model_validate(
            {"type": "object", "properties": {"n": {"type": "integer"}, "s": {"type": ["string", "null"]}}}
        )
    )
    sent = msgspec.json.decode(made.model_dump_json(by_alias=True, exclude_none=True))
    found = converted(sent)
    assert found["type"] == "object"
    assert found["properties"]["n"] == {"type": "integer"}
    assert sorted(found["properties"]["s"]["type"]) == ["null", "string"]


@pytest.mark.parametrize("schema", ["OBJECT", [], {"type": "ARRAY", "minItems": "two"}])
def test_what_is_no_schema_is_refused(schema: object) -> None:
    """The field is named."""
    with pytest.raises(BadRequest) as refused:
        converted(schema)
    assert refused.value.param == "parameters"


def test_nesting_is_bounded() -> None:
    """A schema nested deeper than any tool's is refused, and not recursed into."""
    schema: dict[str, Any] = {"type": "STRING"}
    for _ in range(200):
        schema = {"type": "ARRAY", "items": schema}
    with pytest.raises(BadRequest):
        converted(schema)
