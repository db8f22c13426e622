"""Deltas into Anthropic's stream."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Raw

from gateline.formats.anthropic.block import RedactedBlock, TextBlock, ThinkingBlock, ToolUseBlock, WrittenCitation
from gateline.formats.anthropic.citation import write_citation
from gateline.formats.anthropic.error import write_stream_error
from gateline.formats.anthropic.finish import write_finish
from gateline.formats.anthropic.reply import Message, StopDetails, message_id
from gateline.formats.anthropic.usage import UsageObject, usage_object
from gateline.formats.claude.carrier import text_carrier, tool_carrier, write_reasoning_seal
from gateline.formats.omitted import words_for
from gateline.model.chat import Chat, Seal
from gateline.model.chatreply import (
    Began,
    Cited,
    Counted,
    Delta,
    Finished,
    MediaDelta,
    ReasoningDelta,
    ReasoningSealed,
    RefusalDelta,
    TextDelta,
    ToolBegan,
    ToolDelta,
)
from gateline.model.errors import GatewayError
from gateline.model.usage import Usage

_NO_INPUT = Raw(b"{}")
_STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'

_encode = msgspec.json.Encoder().encode


class _MessageStart(msgspec.Struct, tag_field="type", tag="message_start"):
    message: Message


class _BlockStart(msgspec.Struct, tag_field="type", tag="content_block_start"):
    index: int
    content_block: TextBlock | ThinkingBlock | RedactedBlock | ToolUseBlock


class _CitationsDelta(msgspec.Struct, tag_field="type", tag="citations_delta"):
    citation: WrittenCitation


class _Changes(msgspec.Struct):
    stop_reason: str
    stop_sequence: str | None
    stop_details: StopDetails | None


class _MessageDelta(msgspec.Struct, tag_field="type", tag="message_delta"):
    delta: _Changes
    usage: UsageObject


class _OpenTool(msgspec.Struct):
    """`head` begins each of its deltas. `is_whole`: its arguments end as an object does."""

    at: int
    head: bytes
    is_whole: bool = False


class StreamWriter:
    """See `contract.Writer`.

    One block is open at a time, as at the vendor; but tool uses whose arguments have not come yet stay open beside
    others, since clients take a block that is closed for whole.
    """

    __slots__ = (
        "_began", "_chat", "_finished", "_head", "_kind", "_next", "_open_tools", "_out", "_reasoning_id", "_refused",
        "_request_id", "_started", "_text_seal", "_tools", "_usage",
    )  # fmt: skip

    def __init__(self, chat: Chat, request_id: str) -> None:
        self._chat = chat
        self._request_id = request_id
        self._began: Began | None = None
        self._started = False
        self._out: list[bytes] = []
        self._next = 0  # index of the block that comes next
        self._kind = ""  # of the block that is open, tool uses aside
        self._head = b""  # what begins each of its deltas
        self._text_seal: Seal | None = None
        self._reasoning_id = ""
        self._tools: dict[int, _OpenTool] = {}
        self._open_tools: list[_OpenTool] = []
        self._finished: Finished | None = None
        self._refused = False
        self._usage: Usage | None = None

    def write(self, deltas: Sequence[Delta]) -> bytes:
        if self._kind == "text" and len(deltas) == 1:
            delta = deltas[0]
            # What most events are, without the frames that the others take.
            if isinstance(delta, TextDelta) and not (delta.choice or delta.is_new or delta.seal) and delta.text:
                return self._head + _encode(delta.text) + b"}}\n\n"
        out = self._out = []
        for delta in deltas:
            if isinstance(delta, Counted):
                self._usage = delta.usage
            elif isinstance(delta, Began):
                self._began = self._began or delta
            elif delta.choice == 0:
                if not self._started:
                    self._start()
                self._take(delta)
        return b"".join(out)

    def end(self) -> bytes:
        self._out = []
        if not self._started:
            self._start()
        self._close_block()
        self._close_tools()
        finished = self._finished or Finished(finish="stop")
        finish = finished.finish
        if finish == "stop":
            finish = "refusal" if self._refused else "tool" if self._tools else "stop"
        stopped_by = finished.stopped_by if finish == "stop" else ""
        details = StopDetails() if finish in {"refusal", "filter"} else None
        changes = _Changes(write_finish(finish, stopped_by), stopped_by or None, details)
        self._emit(b"message_delta", _MessageDelta(changes, usage_object(self._usage, has_creation=False)))
        self._out.append(_STOP)
        return b"".join(self._out)

    def fail(self, error: GatewayError, request_id: str) -> bytes:
        return write_stream_error(error, request_id)

    def _take(self, delta: Delta) -> None:
        if isinstance(delta, TextDelta):
            self._text(delta)
        elif isinstance(delta, ToolDelta):
            self._arguments(delta)
        elif isinstance(delta, ReasoningDelta):
            self._reasoning(delta)
        elif isinstance(delta, ToolBegan):
            self._tool(delta)
        elif isinstance(delta, ReasoningSealed):
            self._seal(delta)
        elif isinstance(delta, Cited):
            self._cite(delta)
        elif isinstance(delta, RefusalDelta):
            self._refused = True
            self._put_text(delta.text, "refusal", is_new=False)
        elif isinstance(delta, MediaDelta):
            self._put_text(words_for(delta.media), "transcript", is_new=False)
        elif isinstance(delta, Finished):
            self._finished = self._finished or delta

    def _start(self) -> None:
        self._started = True
        began = self._began or Began(id="", model="")
        usage = usage_object(self._usage, began.service_tier)
        name = message_id(began.id or self._request_id)
        self._emit(b"message_start", _MessageStart(Message(name, self._chat.model, [], usage)))

    def _text(self, delta: TextDelta) -> None:
        if delta.text:
            self._put_text(delta.text, "text", is_new=delta.is_new)
        elif delta.is_new and self._kind == "text":
            self._close_block()
        if delta.seal is not None:
            if self._kind != "text":
                self._close_block()
                self._close_tools()
                self._kind = "sealed"  # the seal of a text that is empty
            self._text_seal = delta.seal

    def _put_text(self, text: str, kind: str, *, is_new: bool) -> None:
        if not text:
            return
        if self._kind != kind or is_new:
            self._open(kind, TextBlock(""), b"text_delta", b"text")
        self._out.append(self._head + _encode(text) + b"}}\n\n")

    def _cite(self, delta: Cited) -> None:
        if self._kind == "text":
            data = _encode(_CitationsDelta(write_citation(delta.citation)))
            head = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":'
            self._out.append(head % (self._next - 1) + data + b"}\n\n")

    def _reasoning(self, delta: ReasoningDelta) -> None:
        text = delta.text
        if self._kind != "thinking":
            self._open_thinking(delta.id)
        elif delta.is_new and delta.id and delta.id == self._reasoning_id:
            text = f"\n\n{text}"  # another paragraph of a summary
        elif delta.is_new:
            self._open_thinking(delta.id)
        if text:
            self._out.append(self._head + _encode(text) + b"}}\n\n")

    def _open_thinking(self, reasoning_id: str) -> None:
        self._open("thinking", ThinkingBlock("", ""), b"thinking_delta", b"thinking")
        self._reasoning_id = reasoning_id

    def _seal(self, delta: ReasoningSealed) -> None:
        if delta.is_hidden:
            self._close_block()
            self._close_tools()
            self._whole(RedactedBlock(write_reasoning_seal(delta.seal, delta.id)))
            return
        if self._kind != "thinking":
            self._open_thinking(delta.id)
        data = _encode(write_reasoning_seal(delta.seal, delta.id or self._reasoning_id))
        self._out.append(_delta_head(self._next - 1, b"signature_delta", b"signature") + data + b"}}\n\n")
        self._close_block()

    def _tool(self, delta: ToolBegan) -> None:
        self._close_block()
        whole = [tool for tool in self._open_tools if tool.is_whole]
        self._open_tools = [tool for tool in self._open_tools if not tool.is_whole]
        for tool in whole:
            self._out.append(_block_stop(tool.at))
        if delta.seal is not None:
            self._whole(RedactedBlock(tool_carrier(delta.seal)))
        tool = _OpenTool(self._next, _delta_head(self._next, b"input_json_delta", b"partial_json"))
        self._tools[delta.index] = tool
        self._open_tools.append(tool)
        self._emit(b"content_block_start", _BlockStart(self._next, ToolUseBlock(delta.id, delta.name, _NO_INPUT)))
        self._next += 1

    def _arguments(self, delta: ToolDelta) -> None:
        tool = self._tools.get(delta.index)
        if tool is not None and delta.arguments:
            tool.is_whole = delta.arguments.rstrip().endswith("}")
            self._out.append(tool.head + _encode(delta.arguments) + b"}}\n\n")

    def _open(self, kind: str, block: TextBlock | ThinkingBlock, delta: bytes, field: bytes) -> None:
        self._close_block()
        self._close_tools()
        self._kind = kind
        self._head = _delta_head(self._next, delta, field)
        self._emit(b"content_block_start", _BlockStart(self._next, block))
        self._next += 1

    def _whole(self, block: RedactedBlock) -> None:
        self._emit(b"content_block_start", _BlockStart(self._next, block))
        self._out.append(_block_stop(self._next))
        self._next += 1

    def _close_block(self) -> None:
        kind, seal = self._kind, self._text_seal
        self._kind, self._text_seal, self._reasoning_id = "", None, ""
        if kind and kind != "sealed":
            self._out.append(_block_stop(self._next - 1))
        if seal is not None:
            self._whole(RedactedBlock(text_carrier(seal)))

    def _close_tools(self) -> None:
        for tool in self._open_tools:
            self._out.append(_block_stop(tool.at))
        self._open_tools.clear()

    def _emit(self, name: bytes, event: msgspec.Struct) -> None:
        self._out.append(b"event: " + name + b"\ndata: " + _encode(event) + b"\n\n")


def _delta_head(index: int, kind: bytes, field: bytes) -> bytes:
    head = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{"type":"%b","%b":'
    return head % (index, kind, field)


def _block_stop(index: int) -> bytes:
    return b'event: content_block_stop\ndata: {"type":"content_block_stop","index":%d}\n\n' % index
