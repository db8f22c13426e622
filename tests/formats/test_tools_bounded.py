"""Streams that call tools without end: whoever reads them gives up, whatever format they are in."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from gateline.formats.anthropic.reader import StreamReader
from gateline.formats.contract import MOST_TOOLS, Reader
from gateline.formats.table import CLIENTS
from gateline.model.call import Operation
from gateline.model.chatreply import ToolBegan
from gateline.model.errors import UpstreamBroken
from gateline.wire.eventstream import write_message


def sse(fields: dict[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (str(fields.get("type", "")).encode(), json.dumps(fields).encode())


def frame(kind: str, fields: dict[str, Any]) -> bytes:
    return write_message({":event-type": kind, ":message-type": "event"}, json.dumps(fields).encode())


def chat(at: int) -> bytes:
    call = {"index": at, "id": f"c{at}", "function": {"name": "f", "arguments": "{}"}}
    return sse({"id": "x", "choices": [{"index": 0, "delta": {"tool_calls": [call]}}]})


def message(at: int) -> bytes:
    block = {"type": "tool_use", "id": f"c{at}", "name": "f", "input": {}}
    begun = sse({"type": "content_block_start", "index": at, "content_block": block})
    return begun + sse({"type": "content_block_stop", "index": at})


def response(at: int) -> bytes:
    item = {"type": "function_call", "id": f"fc_{at}", "call_id": f"c{at}", "name": "f", "arguments": ""}
    return sse({"type": "response.output_item.added", "output_index": at, "item": item})


def content(at: int) -> bytes:
    return sse({"candidates": [{"content": {"parts": [{"functionCall": {"name": "f", "args": {}}}]}}]})


def converse(at: int) -> bytes:
    start = {"toolUse": {"toolUseId": f"c{at}", "name": "f"}}
    begun = frame("contentBlockStart", {"contentBlockIndex": at, "start": start})
    return begun + frame("contentBlockStop", {"contentBlockIndex": at})


def cohere(at: int) -> bytes:
    called = {"id": f"c{at}", "type": "function", "function": {"name": "f", "arguments": ""}}
    return sse({"type": "tool-call-start", "index": at, "delta": {"message": {"tool_calls": called}}})


def ollama(at: int) -> bytes:
    said = {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "f", "arguments": {}}}]}
    return json.dumps({"model": "m", "message": said, "done": False}).encode() + b"\n"


def reader(operation: Operation) -> Reader:
    make = CLIENTS[operation].reader
    assert make is not None
    return make("")


@pytest.mark.parametrize(
    ("operation", "call"),
    [
        ("chat.completions", chat),
        ("messages", message),
        ("responses", response),
        ("generate_content", content),
        ("converse", converse),
        ("cohere.chat", cohere),
        ("ollama.chat", ollama),
    ],
)
def test_one_tool_too_many_breaks_the_stream(operation: Operation, call: Callable[[int], bytes]) -> None:
    """Up to there each is told, and the one too many is an error of the vendor's."""
    found = reader(operation)
    deltas = [delta for at in range(MOST_TOOLS) for delta in found.feed(call(at))]
    assert [delta.index for delta in deltas if isinstance(delta, ToolBegan)] == list(range(MOST_TOOLS))
    assert found.error is None
    assert not any(isinstance(delta, ToolBegan) for delta in found.feed(call(MOST_TOOLS)))
    assert isinstance(found.error, UpstreamBroken)


def test_items_without_end_break_a_response() -> None:
    """Whatever they are: something of each is kept until the end."""
    found = reader("responses")
    for at in range(3_000):
        found.feed(sse({"type": "response.output_item.added", "output_index": at, "item": {"type": "web_search_call"}}))
    assert isinstance(found.error, UpstreamBroken)


def test_kinds_of_blocks_without_end_are_not_kept() -> None:
    """A vendor's new kinds are skipped, and the list of those that were there does not grow with them."""
    found = StreamReader("")
    for at in range(100):
        block = {"type": f"kind_{at}"}
        found.feed(sse({"type": "content_block_start", "index": at, "content_block": block}))
        found.feed(sse({"type": "content_block_stop", "index": at}))
    assert found.error is None
    assert len(found._kinds) <= 32
