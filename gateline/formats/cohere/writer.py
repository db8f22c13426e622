"""Deltas into Cohere's stream."""

from __future__ import annotations

import msgspec

from gateline.formats.block_writer import BlockWriter, OpenTool
from gateline.formats.cohere.citation import write_citation
from gateline.formats.cohere.error import write_stream_error
from gateline.formats.cohere.finish import write_finish
from gateline.formats.cohere.logprobs import joined_logprobs
from gateline.formats.cohere.message import Function, ToolCall, write_signature
from gateline.formats.cohere.usage import WrittenUsage, usage_object
from gateline.model.chat import Chat, Seal
from gateline.model.chatreply import Began, Cited, Finished, ReasoningSealed, TextDelta, ToolBegan
from gateline.model.errors import GatewayError

_DONE = b"data: [DONE]\n\n"
_WINDOW = 65_536  # characters of the open text that a citation can quote

_encode = msgspec.json.Encoder().encode


class _Ended(msgspec.Struct, omit_defaults=True):
    finish_reason: str
    usage: WrittenUsage | None = None


class _End(msgspec.Struct, tag_field="type", tag="message-end"):
    delta: _Ended


class _Window:
    """The end of the text that is open, as far back as citations reach."""

    __slots__ = ("_before", "_pieces", "_size")

    def __init__(self) -> None:
        self._before = 0  # characters that are forgotten
        self._pieces: list[str] = []
        self._size = 0

    def add(self, text: str) -> None:
        self._pieces.append(text)
        self._size += len(text)
        if self._size > 2 * _WINDOW:
            kept = "".join(self._pieces)[-_WINDOW:]
            self._before += self._size - _WINDOW
            self._pieces, self._size = [kept], _WINDOW

    def text(self) -> str | None:
        """All of the text; None where its beginning is forgotten."""
        return None if self._before else "".join(self._pieces)


class StreamWriter(BlockWriter):
    """See `contract.Writer`. Tool calls are numbered apart from content, and so are citations."""

    __slots__ = ("_citations", "_window")

    def __init__(self, chat: Chat, request_id: str) -> None:
        super().__init__(chat, request_id)
        self._citations = 0
        self._window = _Window()

    def fail(self, error: GatewayError, request_id: str) -> bytes:
        return write_stream_error(error, request_id)

    def _write_start(self, began: Began) -> None:
        message = b'{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}'
        name = _encode(began.id or self._request_id)
        self._put(b"message-start", b'{"id":%b,"type":"message-start","delta":{"message":%b}}' % (name, message))

    def _write_end(self, finished: Finished) -> None:
        reason = write_finish(finished.finish, finished.stopped_by)
        self._put(b"message-end", _encode(_End(_Ended(reason, usage_object(self._usage)))))
        self._out.append(_DONE)

    def _text(self, delta: TextDelta) -> None:
        if not delta.text and delta.seal is None:
            return
        if self._kind != "text" or delta.is_new:
            self._open("text")
            self._window = _Window()
        self._window.add(delta.text)
        rest = b',"logprobs":' + _encode(joined_logprobs(delta.logprobs)) if delta.logprobs else b""
        self._put_content(delta.text, delta.seal, rest)

    def _seal(self, delta: ReasoningSealed) -> None:
        if self._kind != "thinking" or delta.is_hidden:
            self._open("thinking")
        self._put_content("", delta.seal)
        self._close()

    def _write_open(self) -> None:
        field = self._field()
        self._put_at(b"content-start", self._next, b"content", b'{"type":"%b","%b":""}' % (field, field))

    def _write_piece(self, text: str) -> None:
        self._put_content(text)

    def _write_close(self, index: int) -> None:
        self._put_end(b"content-end", index)

    def _write_citation(self, cited: Cited) -> None:
        quoted = write_citation(cited.citation, self._window.text(), self._next - 1)
        self._put_at(b"citation-start", self._citations, b"citations", _encode(quoted))
        self._put_end(b"citation-end", self._citations)
        self._citations += 1

    def _write_tool(self, began: ToolBegan) -> OpenTool:
        tool = OpenTool(len(self._tools))
        call = ToolCall(began.id, "function", Function(began.name, ""), write_signature(began.seal))
        self._put_at(b"tool-call-start", tool.at, b"tool_calls", _encode(call))
        return tool

    def _write_arguments(self, tool: OpenTool, arguments: str) -> None:
        self._put_at(b"tool-call-delta", tool.at, b"tool_calls", b'{"function":{"arguments":%b}}' % _encode(arguments))

    def _write_tool_end(self, tool: OpenTool) -> None:
        if not tool.has_come:  # a tool without arguments has an object of none
            self._write_arguments(tool, "{}")
        self._put_end(b"tool-call-end", tool.at)

    def _field(self) -> bytes:
        return b"thinking" if self._kind == "thinking" else b"text"

    def _put_content(self, text: str, seal: Seal | None = None, rest: bytes = b"") -> None:
        content = b'{"%b":%b}' % (self._field(), _encode(text))
        if seal is not None:
            content = content[:-1] + b',"signature":%b}' % _encode(write_signature(seal))
        self._put_at(b"content-delta", self._next - 1, b"content", content, rest)

    def _put_at(self, kind: bytes, index: int, field: bytes, value: bytes, rest: bytes = b"") -> None:
        """An event of a part that has an index; `field` of the message is `value`."""
        data = b'{"type":"%b","index":%d,"delta":{"message":{"%b":%b}}%b}' % (kind, index, field, value, rest)
        self._put(kind, data)

    def _put_end(self, kind: bytes, index: int) -> None:
        self._put(kind, b'{"type":"%b","index":%d}' % (kind, index))

    def _put(self, kind: bytes, data: bytes) -> None:
        self._out.append(b"event: %b\ndata: %b\n\n" % (kind, data))
