"""Streams whose tool uses come in pieces between other things: to every client they are what the whole answer is."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateline.formats.table import CLIENTS, SERVERS
from gateline.formats.translation import Translation
from gateline.model.call import Operation
from gateline.model.chat import Chat, Choice, Part, Reasoning, Text, ToolUse
from gateline.model.chatreply import (
    Began,
    ChatReply,
    Counted,
    Delta,
    Finished,
    ReasoningDelta,
    TextDelta,
    ToolBegan,
    ToolDelta,
)
from gateline.model.errors import UpstreamError
from gateline.model.usage import Usage
from tests.contract.assembled import READINGS
from tests.contract.shown import Shown

CHAT = Chat(model="m", turns=[], include_usage=True)
SERVED = pytest.mark.parametrize("server", READINGS)
ARGUMENTS = st.dictionaries(st.text('ab{}\\"é', max_size=3), st.integers() | st.text('}\\"x', max_size=4), max_size=3)


class Told:
    """A reader whose vendor tells these deltas, one with each byte."""

    def __init__(self, deltas: list[Delta]) -> None:
        self._deltas = deltas
        self.done = False
        self.error: UpstreamError | None = None

    def feed(self, data: bytes) -> list[Delta]:
        told, self._deltas = self._deltas[: len(data)], self._deltas[len(data) :]
        self.done = not self._deltas
        return told

    def end(self) -> None:
        pass


def sse(*events: dict[str, Any]) -> bytes:
    return b"".join(b"event: %b\ndata: %b\n\n" % (e["type"].encode(), json.dumps(e).encode()) for e in events)


def chunks(*deltas: dict[str, Any]) -> bytes:
    choices = [[{"index": 0, "delta": delta}] for delta in deltas] + [
        [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]
    ]
    events = [{"id": "c", "created": 1, "model": "m", "choices": each} for each in choices]
    events.append({"id": "c", "choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}})
    return b"".join(b"data: %b\n\n" % json.dumps(each).encode() for each in events) + b"data: [DONE]\n\n"


def pieces(chance: random.Random, text: str) -> list[str]:
    cut = sorted(chance.sample(range(len(text) + 1), min(chance.randrange(4), len(text) + 1)))
    return [text[begin:end] for begin, end in zip([0, *cut], [*cut, len(text)], strict=True)]


def stream(chance: random.Random, text: str, thought: str, calls: list[dict[str, Any]]) -> list[Delta]:
    """In some order that keeps each text's pieces, each call's, and the calls' beginnings in their own."""
    queues: list[list[Delta]] = [
        [TextDelta(text=each) for each in pieces(chance, text) if each],
        [ReasoningDelta(text=each) for each in pieces(chance, thought) if each],
        [ToolBegan(index=at, id=f"call_{at}", name="f") for at in range(len(calls))],
    ]
    waiting = [[ToolDelta(index=at, arguments=each) for each in pieces(chance, json.dumps(call))]
               for at, call in enumerate(calls)]  # fmt: skip
    told: list[Delta] = [Began(id="a", model="m")]
    while any(queues):
        delta = chance.choice([queue for queue in queues if queue]).pop(0)
        told.append(delta)
        if isinstance(delta, ToolBegan):
            queues.append(list(waiting[delta.index]))
    return [*told, Counted(usage=Usage(1, 1)), Finished(finish="tool" if calls else "stop")]


def shown(server: Operation, codec: Translation, data: bytes) -> Shown:
    written = codec.feed(data)
    codec.end()
    assert codec.error is None
    return READINGS[server].stream(written + codec.last)


@SERVED
@given(chance=st.randoms(use_true_random=False), text=st.text("ab\n", max_size=6), thought=st.text("yz", max_size=6),
       calls=st.lists(ARGUMENTS, max_size=4))  # fmt: skip
def test_no_order_of_a_stream_loses_anything(
    server: Operation, chance: random.Random, text: str, thought: str, calls: list[dict[str, Any]]
) -> None:
    """Whatever order text, reasoning and tool uses come in, words, thoughts and arguments are the whole reply's."""
    deltas = stream(chance, text, thought, calls)
    writer = SERVERS[server].writer
    assert writer is not None
    found = shown(server, Translation(Told(deltas), writer(CHAT, "req_1")), b"." * len(deltas))
    uses = [ToolUse(id=f"call_{at}", name="f", arguments=json.dumps(call)) for at, call in enumerate(calls)]
    parts: list[Part] = [*([Reasoning(text=thought)] if thought else []), *([Text(text=text)] if text else []), *uses]
    choice = Choice(parts=parts, finish="tool" if calls else "stop")
    reply = ChatReply(id="a", model="m", choices=[choice], usage=Usage(1, 1))
    whole = READINGS[server].whole(SERVERS[server].write_reply(reply, CHAT))
    assert (found.calls, found.words, found.finish, found.usage) == (
        whole.calls, whole.words, whole.finish, whole.usage,
    )  # fmt: skip
    assert found.thought.replace("\n", "") == whole.thought


_USED = {"input_tokens": 1, "output_tokens": 2}
_TEXT_FIRST: dict[Operation, bytes] = {
    "chat.completions": chunks(
        {"tool_calls": [{"index": 0, "id": "t", "type": "function", "function": {"name": "f", "arguments": ""}}]},
        {"content": "\n"},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"a":'}}]},
        {"content": "x"},
        {"tool_calls": [{"index": 0, "function": {"arguments": "1}"}}]},
    ),
    "messages": sse(
        {"type": "message_start", "message": {"id": "m", "model": "c", "usage": _USED}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use", "id": "t", "name": "f"}},
        {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "\nx"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": '{"a":1}'}},
        {"type": "content_block_stop", "index": 1},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": _USED},
        {"type": "message_stop"},
    ),
    "responses": sse(
        {"type": "response.created", "response": {"id": "r", "model": "m"}},
        {"type": "response.output_item.added", "output_index": 0,
         "item": {"type": "function_call", "id": "i", "call_id": "t", "name": "f", "arguments": ""}},
        {"type": "response.output_text.delta", "output_index": 1, "delta": "\nx"},
        {"type": "response.function_call_arguments.delta", "output_index": 0, "delta": '{"a":1}'},
        {"type": "response.completed", "response": {"id": "r", "status": "completed", "output": [], "usage": _USED}},
    ),
}  # fmt: skip


@SERVED
@pytest.mark.parametrize("vendor", _TEXT_FIRST)
def test_text_between_a_tools_name_and_its_arguments_costs_neither(server: Operation, vendor: Operation) -> None:
    """As vendors' streams have it: a line end is enough."""
    reader, writer = CLIENTS[vendor].reader, SERVERS[server].writer
    assert reader is not None
    assert writer is not None
    found = shown(server, Translation(reader(""), writer(CHAT, "req_1")), _TEXT_FIRST[vendor])
    assert (found.calls, found.words, found.finish) == ([("f", {"a": 1})], "\nx", "tools")
