"""Neutral calls for tests, and how Anthropic's client side writes them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pydantic
from anthropic.types import message_create_params
from msgspec import Raw

from gateline.formats.anthropic.sides import MESSAGES_CLIENT
from gateline.formats.contract import Written
from gateline.formats.dialect import PLAIN, Dialect
from gateline.model.chat import Chat, Part, Text, Tool, Turn

OLD, NEW = "claude-haiku-4-5", "claude-opus-5"
PNG = "iVBORw0KGgo="
SCHEMA = Raw(b'{"type":"object"}')
TOOL = Tool(name="f", schema=SCHEMA)

_asked = pydantic.TypeAdapter(message_create_params.MessageCreateParams, config={"arbitrary_types_allowed": True})


def user(*parts: Part | str) -> Turn:
    return Turn(role="user", parts=[Text(text=part) if isinstance(part, str) else part for part in parts])


def assistant(*parts: Part | str) -> Turn:
    return Turn(role="assistant", parts=user(*parts).parts)


def chat(*turns: Turn, **fields: Any) -> Chat:
    return Chat(model="m", turns=list(turns) or [user("hi")], **fields)


def exhaust(value: object) -> None:
    """Iterables are validated as they are gone through."""
    if isinstance(value, dict):
        value = value.values()
    if isinstance(value, Iterable) and not isinstance(value, str):
        for inner in value:
            exhaust(inner)


def write(asked: Chat, model: str = OLD, dialect: Dialect = PLAIN) -> tuple[dict[str, Any], list[str]]:
    written: Written = MESSAGES_CLIENT.write(asked, model, dialect)
    body = json.loads(written.body)
    if not dialect.anthropic_version:
        exhaust(_asked.validate_python(body))  # as the vendor's SDK types it
    return body, list(written.dropped)
