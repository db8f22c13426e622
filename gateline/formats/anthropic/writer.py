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
from gateline.formats.block_writer import OpenTool
from gateline.formats.claude.block_writer import ClaudeWriter
from gateline.model.chat import Chat
from gateline.model.chatreply import Began, Cited, Delta, Finished, TextDelta, ToolBegan
from gateline.model.errors import GatewayError

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


class StreamWriter(ClaudeWriter):
    """See `contract.Writer`."""

    __slots__ = ("_head",)

    def __init__(self, chat: Chat, request_id: str) -> None:
        super().__init__(chat, request_id)
        self._head = b""  # what begins each delta of the open block

    def write(self, deltas: Sequence[Delta]) -> bytes:
        if self._kind == "text" and len(deltas) == 1:
            delta = deltas[0]
            # What most events are, without the frames that the others take.
            if isinstance(delta, TextDelta) and not (delta.choice or delta.is_new or delta.seal) and delta.text:
                return self._head + _encode(delta.text) + b"}}\n\n"
        return super().write(deltas)

    def fail(self, error: GatewayError, request_id: str) -> bytes:
        return write_stream_error(error, request_id)

    def _write_start(self, began: Began) -> None:
        usage = usage_object(self._usage, began.service_tier)
        name = message_id(began.id or self._request_id)
        self._emit(b"message_start", _MessageStart(Message(name, self._chat.model, [], usage)))

    def _write_end(self, finished: Finished) -> None:
        finish = finished.finish
        if finish == "stop":
            finish = "refusal" if self._refused else "tool" if self._tools else "stop"
        stopped_by = finished.stopped_by if finish == "stop" else ""
        details = StopDetails() if finish in {"refusal", "filter"} else None
        changes = _Changes(write_finish(finish, stopped_by), stopped_by or None, details)
        self._emit(b"message_delta", _MessageDelta(changes, usage_object(self._usage, has_creation=False)))
        self._out.append(_STOP)

    def _write_open(self) -> None:
        if self._kind == "thinking":
            self._write_block(ThinkingBlock("", ""))
            self._head = _delta_head(self._next, b"thinking_delta", b"thinking")
        else:
            self._write_block(TextBlock(""))
            self._head = _delta_head(self._next, b"text_delta", b"text")

    def _write_piece(self, text: str) -> None:
        if text:
            self._out.append(self._head + _encode(text) + b"}}\n\n")

    def _write_citation(self, cited: Cited) -> None:
        data = _encode(_CitationsDelta(write_citation(cited.citation)))
        head = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":'
        self._out.append(head % (self._next - 1) + data + b"}\n\n")

    def _write_signature(self, text: str) -> None:
        self._out.append(_delta_head(self._next - 1, b"signature_delta", b"signature") + _encode(text) + b"}}\n\n")

    def _write_hidden(self, text: str) -> None:
        self._write_block(RedactedBlock(text))
        self._write_close(self._next)

    def _write_close(self, index: int) -> None:
        self._out.append(b'event: content_block_stop\ndata: {"type":"content_block_stop","index":%d}\n\n' % index)

    def _begin_tool(self, began: ToolBegan) -> OpenTool:
        self._write_block(ToolUseBlock(began.id, began.name, _NO_INPUT))
        return OpenTool(self._next, _delta_head(self._next, b"input_json_delta", b"partial_json"))

    def _write_arguments(self, tool: OpenTool, arguments: str) -> None:
        self._out.append(tool.head + _encode(arguments) + b"}}\n\n")

    def _write_block(self, block: TextBlock | ThinkingBlock | RedactedBlock | ToolUseBlock) -> None:
        self._emit(b"content_block_start", _BlockStart(self._next, block))

    def _emit(self, name: bytes, event: msgspec.Struct) -> None:
        self._out.append(b"event: " + name + b"\ndata: " + _encode(event) + b"\n\n")


def _delta_head(index: int, kind: bytes, field: bytes) -> bytes:
    head = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{"type":"%b","%b":'
    return head % (index, kind, field)
