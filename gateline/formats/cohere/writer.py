"""Deltas into Cohere's stream."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gateline.formats.cohere.citation import write_citation
from gateline.formats.cohere.error import write_stream_error
from gateline.formats.cohere.finish import write_finish
from gateline.formats.cohere.logprobs import joined_logprobs
from gateline.formats.cohere.message import Function, ToolCall, write_signature
from gateline.formats.cohere.usage import WrittenUsage, usage_object
from gateline.formats.omitted import words_for
from gateline.model.chat import Chat, Seal, Tokens
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

_DONE = b"data: [DONE]\n\n"
_WINDOW = 65_536  # characters of the open text that a citation can quote

_encode = msgspec.json.Encoder().encode


class _Ended(msgspec.Struct, omit_defaults=True):
    finish_reason: str
    usage: WrittenUsage | None = None


class _End(msgspec.Struct, tag_field="type", tag="message-end"):
    delta: _Ended


class _OpenTool(msgspec.Struct):
    """`is_whole`: its arguments end as an object does."""

    at: int
    is_whole: bool = False
    has_come: bool = False


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


class StreamWriter:
    """See `contract.Writer`. Tool calls are numbered apart from content, and so are citations; each ends before the
    next begins, but for those whose arguments have not come yet."""

    __slots__ = (
        "_citations", "_finished", "_kind", "_name", "_next", "_open_tools", "_out", "_reasoning_id", "_started",
        "_tools", "_usage", "_window",
    )  # fmt: skip

    def __init__(self, chat: Chat, request_id: str) -> None:
        self._name = request_id
        self._out: list[bytes] = []
        self._started = False
        self._next = 0  # index of the content part that comes next
        self._kind = ""  # of the part that is open
        self._reasoning_id = ""
        self._citations = 0
        self._tools: dict[int, _OpenTool] = {}
        self._open_tools: list[_OpenTool] = []
        self._window = _Window()
        self._finished = Finished(finish="stop")
        self._usage: Usage | None = None

    def write(self, deltas: Sequence[Delta]) -> bytes:
        self._out = []
        for delta in deltas:
            if isinstance(delta, Counted):
                self._usage = delta.usage
            elif isinstance(delta, Began):
                self._name = delta.id or self._name
            elif delta.choice == 0:
                self._start()
                self._take(delta)
        return b"".join(self._out)

    def end(self) -> bytes:
        self._out = []
        self._start()
        self._close()
        self._close_tools(self._open_tools)
        reason = write_finish(self._finished.finish, self._finished.stopped_by)
        self._put(b"message-end", _encode(_End(_Ended(reason, usage_object(self._usage)))))
        self._out.append(_DONE)
        return b"".join(self._out)

    def fail(self, error: GatewayError, request_id: str) -> bytes:
        return write_stream_error(error, request_id)

    def _put(self, kind: bytes, data: bytes) -> None:
        self._out.append(b"event: %b\ndata: %b\n\n" % (kind, data))

    def _put_at(self, kind: bytes, index: int, field: bytes, value: bytes, rest: bytes = b"") -> None:
        """An event of a part that has an index; `field` of the message is `value`."""
        data = b'{"type":"%b","index":%d,"delta":{"message":{"%b":%b}}%b}' % (kind, index, field, value, rest)
        self._put(kind, data)

    def _put_end(self, kind: bytes, index: int) -> None:
        self._put(kind, b'{"type":"%b","index":%d}' % (kind, index))

    def _start(self) -> None:
        if not self._started:
            self._started = True
            message = b'{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}'
            data = b'{"id":%b,"type":"message-start","delta":{"message":%b}}' % (_encode(self._name), message)
            self._put(b"message-start", data)

    def _take(self, delta: Delta) -> None:
        if isinstance(delta, TextDelta):
            if delta.text or delta.seal is not None:
                self._add("text", "text", delta.text, is_new=delta.is_new, seal=delta.seal, logprobs=delta.logprobs)
        elif isinstance(delta, ToolDelta):
            self._arguments(delta)
        elif isinstance(delta, ReasoningDelta):
            self._reasoning(delta)
        elif isinstance(delta, ToolBegan):
            self._tool(delta)
        elif isinstance(delta, ReasoningSealed):
            self._add("thinking", "thinking", "", is_new=delta.is_hidden, seal=delta.seal)
            self._close()
        elif isinstance(delta, Cited):
            self._cite(delta)
        elif isinstance(delta, RefusalDelta):
            self._add("refusal", "text", delta.text)
        elif isinstance(delta, MediaDelta):
            self._add("transcript", "text", words_for(delta.media))
        elif isinstance(delta, Finished):
            self._finished = delta

    def _reasoning(self, delta: ReasoningDelta) -> None:
        is_open = self._kind == "thinking"
        is_paragraph = is_open and delta.is_new and bool(delta.id) and delta.id == self._reasoning_id  # of a summary
        text = f"\n\n{delta.text}" if is_paragraph else delta.text
        self._add("thinking", "thinking", text, is_new=delta.is_new and not is_paragraph)
        self._reasoning_id = delta.id

    def _add(
        self,
        kind: str,
        field: str,
        text: str,
        *,
        is_new: bool = False,
        seal: Seal | None = None,
        logprobs: list[Tokens] | None = None,
    ) -> None:
        if kind in {"refusal", "transcript"} and not text:
            return
        name = field.encode()
        if self._kind != kind or is_new:
            self._close()
            self._kind = kind
            self._window = _Window()
            self._put_at(b"content-start", self._next, b"content", b'{"type":"%b","%b":""}' % (name, name))
            self._next += 1
        if kind == "text":
            self._window.add(text)
        content = b'{"%b":%b}' % (name, _encode(text))
        if seal is not None:
            content = content[:-1] + b',"signature":%b}' % _encode(write_signature(seal))
        rest = b',"logprobs":' + _encode(joined_logprobs(logprobs)) if logprobs else b""
        self._put_at(b"content-delta", self._next - 1, b"content", content, rest)

    def _cite(self, delta: Cited) -> None:
        if self._kind == "text":
            quoted = write_citation(delta.citation, self._window.text(), self._next - 1)
            self._put_at(b"citation-start", self._citations, b"citations", _encode(quoted))
            self._put_end(b"citation-end", self._citations)
            self._citations += 1

    def _tool(self, delta: ToolBegan) -> None:
        self._close()
        self._close_tools([tool for tool in self._open_tools if tool.is_whole])
        tool = _OpenTool(len(self._tools))
        self._tools[delta.index] = tool
        self._open_tools.append(tool)
        call = ToolCall(delta.id, "function", Function(delta.name, ""), write_signature(delta.seal))
        self._put_at(b"tool-call-start", tool.at, b"tool_calls", _encode(call))

    def _arguments(self, delta: ToolDelta) -> None:
        tool = self._tools.get(delta.index)
        if tool is not None and delta.arguments:
            tool.has_come = True
            tool.is_whole = delta.arguments.rstrip().endswith("}")
            self._put_arguments(tool, delta.arguments)

    def _put_arguments(self, tool: _OpenTool, arguments: str) -> None:
        self._put_at(b"tool-call-delta", tool.at, b"tool_calls", b'{"function":{"arguments":%b}}' % _encode(arguments))

    def _close(self) -> None:
        if self._kind:
            self._put_end(b"content-end", self._next - 1)
            self._kind = ""

    def _close_tools(self, tools: list[_OpenTool]) -> None:
        for tool in list(tools):
            if not tool.has_come:  # a tool without arguments has an object of none
                self._put_arguments(tool, "{}")
            self._put_end(b"tool-call-end", tool.at)
            self._open_tools.remove(tool)
