"""Schemas that OpenAI's strict mode takes, and what becomes of those that it does not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw

from gateline.formats.strict import is_strict
from gateline.formats.table import CLIENTS
from gateline.model.call import Operation
from gateline.model.chat import Chat, Output, Text, Tool, Turn
from gateline.providers.table import TABLE

TEXT = {"type": "string"}


def closed(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def raw(schema: object) -> Raw:
    return Raw(json.dumps(schema).encode())


@pytest.mark.parametrize(
    "schema",
    [
        closed(),
        closed(a=TEXT, b={"type": ["string", "null"]}, c={"enum": [1, 2]}, d={"const": 1}),
        closed(a={"type": "array", "items": closed(b=TEXT), "minItems": 1}),
        closed(a={"anyOf": [closed(b=TEXT), {"type": "null"}]}),
        {**closed(a={"$ref": "#/$defs/b"}), "$defs": {"b": closed(c={"$ref": "#"})}},
    ],
)
def test_a_closed_schema_is_strict(schema: object) -> None:
    """Every property required, no other allowed, all the way down."""
    assert is_strict(raw(schema))


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"a": TEXT}, "additionalProperties": False},
        {"type": "object", "properties": {"a": TEXT}, "required": ["a"]},
        closed(a={"type": "object"}),
        closed(a={"type": "array"}),
        closed(a={"type": "array", "items": {"type": "object", "properties": {}}}),
        closed(a={"anyOf": [{"type": "object"}]}),
        closed(a={"oneOf": [TEXT]}),
        closed(a={"allOf": [TEXT]}),
        closed(a={**TEXT, "default": "x"}),
        closed(a={}),
        closed(a=True),
        {**closed(), "$defs": {"b": {"type": "object"}}},
        {"anyOf": [closed()]},
        {**closed(), "anyOf": [closed()]},
        {"type": "array", "items": TEXT},
        TEXT,
        7,
    ],
)
def test_any_other_is_not(schema: object) -> None:
    """An optional property, an open object, a keyword it does not know, a root that is no object."""
    assert not is_strict(raw(schema))


def test_nesting_without_end_is_no_strict_schema() -> None:
    """Nor is it one that costs anything to find out."""
    schema = closed(a=TEXT)
    for _ in range(12):
        schema = closed(a=schema)
    assert not is_strict(raw(schema))
    assert not is_strict(Raw(b'{"a":' * 5_000 + b"1" + b"}" * 5_000))


@pytest.mark.parametrize("operation", ["chat.completions", "responses"])
def test_what_cannot_be_strict_is_asked_for_without_and_told(operation: Operation) -> None:
    """The vendor would answer 400 to the schema of an optional property."""
    turns = [Turn(role="user", parts=[Text(text="a")])]
    for schema, is_kept in ((raw(closed(a=TEXT)), True), (raw({**closed(a=TEXT), "required": []}), False)):
        chat = Chat(
            model="m",
            turns=turns,
            tools=[Tool(name="f", schema=schema, strict=True)],
            output=Output(kind="schema", schema=schema, strict=True),
        )
        written = CLIENTS[operation].write(chat, "gpt-5", TABLE["openai"].dialect)
        assert written.body.count(bytes(schema)) == 2
        assert written.body.count(b'"strict":true') == (2 if is_kept else 0)
        assert sorted(written.dropped) == ([] if is_kept else ["output", "tool_strict"])
