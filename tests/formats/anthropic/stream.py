"""Anthropic streams for tests, and the official SDK that puts them together."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping
from typing import Any

import pydantic
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import Message, RawMessageStreamEvent

from gateline.formats.anthropic.reader import StreamReader
from gateline.model.chatreply import Delta
from gateline.wire.sse import EventSplitter, event_data, event_name

USAGE = {
    "input_tokens": 10, "cache_creation_input_tokens": 5, "cache_read_input_tokens": 3,
    "cache_creation": {"ephemeral_5m_input_tokens": 1, "ephemeral_1h_input_tokens": 4},
    "output_tokens": 1, "service_tier": "standard",
}  # fmt: skip

_events: pydantic.TypeAdapter[RawMessageStreamEvent] = pydantic.TypeAdapter(RawMessageStreamEvent)


def event(kind: str, **fields: object) -> bytes:
    """As the vendor writes it, padding included."""
    data = json.dumps({"type": kind, **fields}, ensure_ascii=False, separators=(",", ":"))
    return f"event: {kind}\ndata: {data}    \n\n".encode()


def start(usage: object = USAGE) -> bytes:
    message = {
        "model": "claude", "id": "msg_1", "type": "message", "role": "assistant", "content": [], "stop_reason": None,
        "stop_sequence": None, "usage": usage,
    }  # fmt: skip
    return event("message_start", message=message)


def block(index: int, content: dict[str, object], *deltas: Mapping[str, object]) -> bytes:
    """A whole block: its beginning, its deltas and its end."""
    pieces = [event("content_block_delta", index=index, delta=delta) for delta in deltas]
    begin = event("content_block_start", index=index, content_block=content)
    return b"".join([begin, *pieces, event("content_block_stop", index=index)])


def text(index: int, *pieces: str) -> bytes:
    return block(index, {"type": "text", "text": ""}, *({"type": "text_delta", "text": piece} for piece in pieces))


def tool(index: int, name: str, *pieces: str) -> bytes:
    deltas: list[dict[str, object]] = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
    return block(index, {"type": "tool_use", "id": f"toolu_{name}", "name": name, "input": {}}, *deltas)


def finish(reason: str = "end_turn", stop: str | None = None, **usage: object) -> bytes:
    counts = {"output_tokens": 7, **usage}
    delta = {"stop_reason": reason, "stop_sequence": stop, "stop_details": None}
    return event("message_delta", delta=delta, usage=counts) + event("message_stop")


def read(stream: bytes, cuts: Iterable[int] = ()) -> tuple[list[Delta], StreamReader]:
    """The deltas of a stream that came in pieces."""
    reader = StreamReader("")
    edges = [0, *sorted(cuts), len(stream)]
    deltas: list[Delta] = []
    for begin, end in itertools.pairwise(edges):
        deltas += reader.feed(stream[begin:end])
    reader.end()
    return deltas, reader


def parse(stream: bytes) -> list[RawMessageStreamEvent]:
    """Each event as the SDK types it, strictly; its name says what it is, as the SDK requires."""
    events: list[RawMessageStreamEvent] = []
    for raw in EventSplitter().feed(stream):
        data = event_data(raw)
        assert data is not None
        parsed = _events.validate_json(data)
        assert event_name(raw).decode() == parsed.type
        events.append(parsed)
    return events


def assemble(stream: bytes) -> dict[str, Any]:
    """What the SDK's own accumulator makes of a stream."""
    snapshot = None
    buffers: dict[int, bytes] = {}
    for parsed in parse(stream):
        snapshot = accumulate_event(event=parsed, current_snapshot=snapshot, json_bufs=buffers)
    assert snapshot is not None
    return Message.model_validate(snapshot.to_dict()).model_dump(exclude_none=True)
