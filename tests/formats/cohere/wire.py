"""Cohere's bytes for tests, and the official SDK's types, which say what fits."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from typing import Any

import pydantic
from cohere.types import Usage as SdkUsage
from cohere.v2.types import V2ChatResponse, V2ChatStreamResponse

from gateline.formats.cohere.reader import StreamReader
from gateline.formats.cohere.writer import StreamWriter
from gateline.formats.contract import Written
from gateline.formats.dialect import PLAIN
from gateline.formats.table import CLIENTS, SERVERS
from gateline.model.call import Call
from gateline.model.chat import Chat, Part, Text, Turn
from gateline.model.chatreply import Delta
from gateline.wire.sse import EventSplitter, event_data, event_name

MODEL = "command-a-reasoning-08-2025"
PLAIN_MODEL = "command-a-03-2025"
_events: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(V2ChatStreamResponse)


def write(asked: Chat, model: str = PLAIN_MODEL) -> tuple[dict[str, Any], list[str]]:
    """The vendor's request, and what was left out of it."""
    written: Written = CLIENTS["cohere.chat"].write(asked, model, PLAIN)
    return json.loads(written.body), list(written.dropped)


def read(body: dict[str, Any]) -> Chat:
    raw = json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
    found: Chat = SERVERS["cohere.chat"].read(Call("cohere.chat", "m", dict.fromkeys(body)), raw)  # type: ignore[arg-type]
    return found


def chat(*parts: Part | str, **fields: Any) -> Chat:
    """One that a user begins."""
    return Chat(model="m", turns=[user(*(parts or ("hi",)))], **fields)


def user(*parts: Part | str) -> Turn:
    return Turn(role="user", parts=[Text(text=part) if isinstance(part, str) else part for part in parts])


def assistant(*parts: Part | str) -> Turn:
    return Turn(role="assistant", parts=[Text(text=part) if isinstance(part, str) else part for part in parts])


def check(body: dict[str, Any]) -> V2ChatResponse:
    """The reply as the SDK types it, strictly."""
    if "usage" in body:
        SdkUsage.model_validate(body["usage"], strict=False)
    return V2ChatResponse.model_validate(body)


def event(kind: str, **fields: object) -> bytes:
    data = json.dumps({"type": kind, **fields}, ensure_ascii=False, separators=(",", ":"))
    return f"event: {kind}\ndata: {data}\n\n".encode()


def message(kind: str, index: int | None = None, **fields: object) -> bytes:
    at: dict[str, object] = {} if index is None else {"index": index}
    return event(kind, **at, delta={"message": fields})


BEGIN = event(
    "message-start",
    id="r-1",
    delta={"message": {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}},
)
USAGE = {
    "billed_units": {"input_tokens": 12, "output_tokens": 7},
    "tokens": {"input_tokens": 507, "output_tokens": 10, "reasoning_tokens": 3},
    "cached_tokens": 500,
}
DONE = b"data: [DONE]\n\n"


def content(index: int, kind: str, *pieces: str) -> bytes:
    deltas = [message("content-delta", index, content={kind: piece}) for piece in pieces]
    begin = message("content-start", index, content={"type": kind, kind: ""})
    return b"".join([begin, *deltas, event("content-end", index=index)])


def tool(index: int, name: str, *pieces: str) -> bytes:
    call = {"id": f"{name}_1", "type": "function", "function": {"name": name, "arguments": ""}}
    deltas = [message("tool-call-delta", index, tool_calls={"function": {"arguments": piece}}) for piece in pieces]
    begin = message("tool-call-start", index, tool_calls=call)
    return b"".join([begin, *deltas, event("tool-call-end", index=index)])


def end(reason: str = "COMPLETE", **fields: object) -> bytes:
    return event("message-end", delta={"finish_reason": reason, "usage": USAGE, **fields})


def read_stream(stream: bytes, cuts: Iterable[int] = ()) -> tuple[list[Delta], StreamReader]:
    """The deltas of a stream that came in pieces."""
    reader = StreamReader("")
    edges = [0, *sorted(cuts), len(stream)]
    deltas: list[Delta] = []
    for first, last in itertools.pairwise(edges):
        deltas += reader.feed(stream[first:last])
    reader.end()
    return deltas, reader


def write_stream(deltas: list[Delta]) -> bytes:
    writer = StreamWriter(chat(), "req_1")
    return b"".join(writer.write([delta]) for delta in deltas) + writer.end()


def parse(stream: bytes) -> list[dict[str, Any]]:
    """Each event, which the SDK must know by its type; the last says that no more follow."""
    raws = EventSplitter().feed(stream)
    assert raws.pop() == DONE
    events: list[dict[str, Any]] = []
    for raw in raws:
        data = event_data(raw)
        assert data is not None
        found = json.loads(data)
        assert _events.validate_python(found, strict=False).type == found["type"] == event_name(raw).decode()
        events.append(found)
    return events


def assemble(stream: bytes) -> dict[str, Any]:
    """The reply that a client puts together of a stream."""
    parts: dict[int, dict[str, Any]] = {}
    calls: dict[int, dict[str, Any]] = {}
    cited: list[Any] = []
    reply: dict[str, Any] = {}
    for found in parse(stream):
        kind, at = found["type"], found.get("index", -1)
        said = found.get("delta", {}).get("message", {})
        if kind == "message-start":
            reply["id"] = found["id"]
        elif kind == "content-start":
            parts[at] = dict(said["content"])
        elif kind == "content-delta":
            for key, value in said["content"].items():
                parts[at][key] = parts[at].get(key, "") + value
        elif kind == "tool-call-start":
            calls[at] = said["tool_calls"]
        elif kind == "tool-call-delta":
            calls[at]["function"]["arguments"] += said["tool_calls"]["function"]["arguments"]
        elif kind == "citation-start":
            cited.append(said["citations"])
        elif kind == "message-end":
            reply |= found["delta"]
    told = {"content": list(parts.values()), "tool_calls": list(calls.values()), "citations": cited}
    reply["message"] = {"role": "assistant", **{key: value for key, value in told.items() if value}}
    check(reply)
    return reply
