from __future__ import annotations

import json
from typing import Any

import pytest
from anthropic import transform_schema
from msgspec import Raw

from gateline.formats.claude.schema import input_schema, strict_schema, subset


def narrowed(schema: object) -> Any:
    found = subset(Raw(json.dumps(schema).encode()))
    return None if found is None else json.loads(bytes(found))


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False},
        {
            "type": "object",
            "properties": {"n": {"type": "integer", "description": "how many"}, "k": {"enum": ["x", "y"]}},
        },
        {
            "$defs": {"A": {"type": "object", "properties": {}}},
            "type": "array",
            "items": {"$ref": "#/$defs/A"},
            "minItems": 1,
        },
        {"anyOf": [{"type": "null"}, {"type": "string", "format": "date"}], "title": "T"},
        {"type": "object", "properties": {"a": {"oneOf": [{"type": "number"}, {"const": 3}]}}},
    ],
)
def test_the_sdk_narrows_alike(schema: dict[str, Any]) -> None:
    """What of a schema goes out is what the vendor's own SDK would send."""
    assert narrowed(schema) == transform_schema(schema)


def test_bounds_become_words() -> None:
    """What the grammar cannot hold is told to the model in the description; what says nothing is left out."""
    found = narrowed({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "n": {"type": "integer", "minimum": 1, "maximum": 9, "description": "how many"},
            "s": {"type": "string", "format": "regex", "maxLength": 3},
            "l": {"type": "array", "items": {"type": "number", "multipleOf": 2}, "minItems": 2},
        },
        "additionalProperties": True,
    })  # fmt: skip
    assert found == {
        "type": "object",
        "properties": {
            "n": {"type": "integer", "description": "how many\n\n{minimum: 1, maximum: 9}"},
            "s": {"type": "string", "description": '{format: "regex", maxLength: 3}'},
            "l": {
                "type": "array",
                "items": {"type": "number", "description": "{multipleOf: 2}"},
                "description": "{minItems: 2}",
            },
        },
        "additionalProperties": False,
    }


@pytest.mark.parametrize(
    "within",
    [
        {"type": "object", "additionalProperties": {"type": "integer"}},
        {"type": "object", "properties": {"a": {"type": "null"}}, "additionalProperties": {"type": "integer"}},
        {"type": "object", "patternProperties": {"^x": {"type": "integer"}}, "additionalProperties": False},
        {"type": "object"},
        {"type": ["object", "null"], "additionalProperties": True},
    ],
)
def test_a_map_has_no_place(within: dict[str, Any]) -> None:
    """A schema with an object whose properties have no names, at the top or anywhere in it, has no subset: closed,
    nothing but an empty object would fit."""
    assert narrowed(within) is None
    assert narrowed({"type": "array", "items": {"anyOf": [{"type": "null"}, within]}}) is None
    assert narrowed({"$defs": {"m": within}, "type": "object", "properties": {"m": {"$ref": "#/$defs/m"}}}) is None
    wide = {"type": "object", "properties": {f"p{at}": {"type": "string"} for at in range(4_000)} | {"m": within}}
    assert narrowed(wide) is None


def test_a_strict_tool_without_arguments_is_closed() -> None:
    """A tool that has no schema takes nothing; one that takes a map cannot be strict, and keeps its schema."""
    assert strict_schema(Raw(b"")) == Raw(b'{"type":"object","properties":{},"additionalProperties":false}')
    taken = Raw(b'{"type":"object","additionalProperties":{"type":"integer"}}')
    assert strict_schema(taken) is None
    assert input_schema(taken) == taken


def test_properties_may_be_called_anything() -> None:
    """A property named like a keyword is a property."""
    schema = {"type": "object", "properties": {"minimum": {"type": "string"}, "format": {"type": "string"}}}
    assert set(narrowed(schema)["properties"]) == {"minimum", "format"}


def test_what_is_no_schema_passes() -> None:
    """What cannot be read is the vendor's to refuse; a big schema is narrowed as a small one."""
    for text in (b"true", b"{", b'"x"'):
        assert subset(Raw(text)) == Raw(text)
    wide = {"type": "object", "properties": {f"p{at}": {"type": "string", "maxLength": at} for at in range(2_000)}}
    assert narrowed(wide)["properties"]["p7"] == {"type": "string", "description": "{maxLength: 7}"}


def test_a_tools_schema_says_that_it_is_an_object() -> None:
    """The vendor requires the type; what has it passes byte for byte."""
    assert bytes(input_schema(Raw(b'{ "type":"object" }'))) == b'{ "type":"object" }'
    assert json.loads(bytes(input_schema(Raw(b"")))) == {"type": "object", "properties": {}}
    assert json.loads(bytes(input_schema(Raw(b"null")))) == {"type": "object", "properties": {}}
    assert json.loads(bytes(input_schema(Raw(b"{}")))) == {"type": "object"}
    assert bytes(input_schema(Raw(b"[]"))) == b"[]"


@pytest.mark.parametrize("said", [{"format": {}}, {"format": ["date"]}, {"minItems": []}, {"minItems": {}}])
def test_keywords_of_another_type_become_words(said: dict[str, Any]) -> None:
    """A format that is no name and a bound that is no number are not the grammar's to hold."""
    (key, value), *_ = said.items()
    assert narrowed({"type": "array", **said}) == {
        "type": "array", "description": f"{{{key}: {json.dumps(value, separators=(',', ':'))}}}",
    }  # fmt: skip
