"""Values made up for a schema fit it."""

from __future__ import annotations

from typing import Any

import pytest

from gateline.fake.fill import fill


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ({"type": "string"}, str),
        ({"type": "INTEGER"}, int),
        ({"type": "number"}, float),
        ({"type": "boolean"}, bool),
        ({"type": "null"}, type(None)),
        ({"type": ["null", "array"], "items": {"type": "string"}}, list),
        ({"properties": {}}, dict),
        ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, int),
        ({}, str),
        (True, str),
    ],
)
def test_each_type_has_its_value(schema: Any, kind: type) -> None:
    """In lower and upper case, alone and among others; what says nothing is a text."""
    made = fill(schema, "seed")
    assert type(made) is kind
    assert made == fill(schema, "seed")


def test_what_is_required_is_there_and_nothing_else() -> None:
    """Optional properties are left out; where none is required all are there; references are followed."""
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {"city": {"$ref": "#/$defs/City"}, "days": {"type": "integer", "minimum": 3, "maximum": 3}},
        "required": ["city", "days"],
        "$defs": {"City": {"type": "object", "properties": {"name": {"enum": ["Oslo"]}}}},
    }
    assert fill(schema, "seed") == {"city": {"name": "Oslo"}, "days": 3}
    assert list(fill({**schema, "required": ["days"]}, "seed")) == ["days"]
    assert list(fill({**schema, "required": []}, "seed")) == ["city", "days"]


def test_lengths_formats_and_constants_are_kept_to() -> None:
    """Bounds of texts and lists, formats, constants, enumerations."""
    assert len(fill({"type": "string", "minLength": 30}, "s")) == 30
    assert len(fill({"type": "string", "maxLength": 2}, "s")) == 2
    assert len(fill({"type": "array", "items": {"type": "null"}, "minItems": 3}, "s")) == 3
    assert fill({"type": "string", "format": "date"}, "s") == "2025-01-31"
    assert fill({"const": 7}, "s") == 7
    assert fill({"enum": ["a", "b"]}, "s") in {"a", "b"}


def test_a_schema_without_end_has_a_value_with_one() -> None:
    """A reference to itself is followed a dozen steps."""
    made = fill({"type": "object", "properties": {"next": {"$ref": "#"}}}, "s")
    assert str(made).count("next") < 20
