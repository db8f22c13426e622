"""What is inside of fields and parts, where a format has no place for it."""

from __future__ import annotations

import pytest
from msgspec import Raw

from gateline.formats.features import left_inside
from gateline.formats.table import CLIENTS
from gateline.model.call import Operation
from gateline.model.chat import Chat, Media, Part, Text, Thinking, Tool, ToolResult, Turn
from gateline.providers.table import TABLE
from tests.formats.asked import CHATS

_PICTURE = Media(kind="image", mime="image/png", data="iVBORw0KGgo=", detail="low")
_CARRY: dict[str, set[Operation]] = {
    "tool_strict": {"chat.completions", "responses", "messages", "converse"},
    "detail": {"chat.completions", "responses", "cohere.chat"},
    "summary": {"responses"},
    "cache": {"messages", "converse"},
}


def _chat(*parts: Part) -> Chat:
    tool = Tool(
        name="f", strict=True, cache="5m", schema=Raw(b'{"type":"object","properties":{},"additionalProperties":false}')
    )
    thinking = Thinking(effort="low", summary="detailed", is_shown=True)
    return Chat(model="m", turns=[Turn(role="user", parts=[Text(text="a"), *parts])], tools=[tool], thinking=thinking)


@pytest.mark.parametrize(("client", "vendor", "model"), CHATS)
def test_what_a_vendor_cannot_be_told_is_named(client: Operation, vendor: str, model: str) -> None:
    """Strict tools, their cache marks, how closely to look, how long a summary: each, and no other."""
    written = CLIENTS[client].write(_chat(_PICTURE), model, TABLE[vendor].dialect)
    for feature, carriers in _CARRY.items():
        assert (feature in written.dropped) is (client not in carriers), feature
        assert (b"strict" in written.body) is (client in _CARRY["tool_strict"])


def test_models_that_know_no_strict_tools_are_told_apart() -> None:
    """An older Claude gets the tool as it is."""
    for client, vendor, model in (
        ("messages", "anthropic", "claude-3-haiku-20240307"),
        ("converse", "bedrock", "anthropic.claude-3-haiku-20240307-v1:0"),
        ("converse", "bedrock", "us.amazon.nova-lite-v1:0"),
    ):
        written = CLIENTS[client].write(_chat(), model, TABLE[vendor].dialect)  # type: ignore[index]
        assert "tool_strict" in written.dropped
        assert b"strict" not in written.body


def test_details_are_seen_inside_of_results() -> None:
    """Wherever the picture stands; the usual ones are no wish."""
    result = ToolResult(id="c", parts=[Text(text="x"), _PICTURE])
    assert "detail" in left_inside(_chat(result), {})
    assert "detail" not in left_inside(_chat(result), {"detail": "detail"})
    assert "detail" not in left_inside(_chat(Media(kind="image", url="https://a/b", detail="auto")), {})
    assert left_inside(Chat(model="m", turns=[], thinking=Thinking(summary="auto"), tools=[Tool(name="f")]), {}) == []
