"""Deltas into Converse's stream."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gateline.formats.bedrock.citation import write_citation
from gateline.formats.bedrock.configuration import Tier
from gateline.formats.bedrock.error import write_stream_error
from gateline.formats.bedrock.finish import write_finish
from gateline.formats.bedrock.reply import Metrics, written_tier
from gateline.formats.bedrock.seals import hidden, text_carrier, tool_carrier
from gateline.formats.bedrock.usage import TokenUsage, token_usage
from gateline.formats.claude.carrier import write_reasoning_seal
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
from gateline.wire.eventstream import write_message

_encode = msgspec.json.Encoder().encode


def _headers(kind: str) -> dict[str, str]:
    return {":event-type": kind, ":content-type": "application/json", ":message-type": "event"}


_BEGIN, _START, _DELTA = _headers("messageStart"), _headers("contentBlockStart"), _headers("contentBlockDelta")
_STOP, _END, _METADATA = _headers("contentBlockStop"), _headers("messageStop"), _headers("metadata")
_TEXT = b'{"text":'
_THOUGHT = b'{"reasoningContent":{"text":'
_SIGNATURE = b'{"reasoningContent":{"signature":'
_HIDDEN = b'{"reasoningContent":{"redactedContent":'
_INPUT = b'{"toolUse":{"input":'


class _Metadata(msgspec.Struct, rename="camel", omit_defaults=True):
    usage: TokenUsage
    metrics: Metrics
    service_tier: Tier | None = None


class _OpenTool(msgspec.Struct):
    """`is_whole`: its arguments end as an object does."""

    at: int
    is_whole: bool = False


class StreamWriter:
    """See `contract.Writer`. One block is open at a time, as at the vendor; but tool uses whose arguments have not come
    yet stay open beside others, since clients take a block that is closed for whole."""

    __slots__ = (
        "_finished", "_kind", "_next", "_open_tools", "_out", "_reasoning_id", "_started", "_text_seal", "_tier",
        "_tools", "_usage",
    )  # fmt: skip

    def __init__(self, chat: Chat, request_id: str) -> None:
        self._out: list[bytes] = []
        self._started = False
        self._next = 0  # index of the block that comes next
        self._kind = ""  # of the block that is open, tool uses aside
        self._text_seal: Seal | None = None
        self._reasoning_id = ""
        self._tools: dict[int, _OpenTool] = {}
        self._open_tools: list[_OpenTool] = []
        self._finished = Finished(finish="stop")
        self._usage: Usage | None = None
        self._tier = ""

    def write(self, deltas: Sequence[Delta]) -> bytes:
        self._out = []
        for delta in deltas:
            if isinstance(delta, Counted):
                self._usage = delta.usage
            elif isinstance(delta, Began):
                self._tier = delta.service_tier
            elif delta.choice == 0:
                self._start()
                self._take(delta)
        return b"".join(self._out)

    def end(self) -> bytes:
        self._out = []
        self._start()
        self._close()
        self._close_tools()
        reason = write_finish(self._finished.finish, self._finished.stopped_by)
        self._put(_END, b'{"stopReason":"%b"}' % reason.encode())
        self._put(_METADATA, _encode(_Metadata(token_usage(self._usage), Metrics(), written_tier(self._tier))))
        return b"".join(self._out)

    def fail(self, error: GatewayError, request_id: str) -> bytes:
        return write_stream_error(error, request_id)

    def _put(self, headers: dict[str, str], payload: bytes) -> None:
        self._out.append(write_message(headers, payload))

    def _put_delta(self, index: int, head: bytes, value: bytes, tail: bytes) -> None:
        self._put(_DELTA, b'{"contentBlockIndex":%d,"delta":%b%b%b}' % (index, head, value, tail))

    def _start(self) -> None:
        if not self._started:
            self._started = True
            self._put(_BEGIN, b'{"role":"assistant"}')

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
            if self._kind == "text":
                self._put_delta(self._next - 1, b'{"citation":', _encode(write_citation(delta.citation)), b"}")
        elif isinstance(delta, RefusalDelta):
            self._put_text(delta.text, "refusal", is_new=False)
        elif isinstance(delta, MediaDelta):
            self._put_text(words_for(delta.media), "transcript", is_new=False)
        elif isinstance(delta, Finished):
            self._finished = delta

    def _text(self, delta: TextDelta) -> None:
        if delta.text:
            self._put_text(delta.text, "text", is_new=delta.is_new)
        elif delta.is_new and self._kind == "text":
            self._close()
        if delta.seal is not None:
            if self._kind != "text":
                self._close()
                self._close_tools()
                self._kind = "sealed"  # the seal of a text that is empty
            self._text_seal = delta.seal

    def _put_text(self, text: str, kind: str, *, is_new: bool) -> None:
        if text:
            if self._kind != kind or is_new:
                self._open(kind)
            self._put_delta(self._next - 1, _TEXT, _encode(text), b"}")

    def _reasoning(self, delta: ReasoningDelta) -> None:
        text = delta.text
        is_paragraph = self._kind == "thinking" and delta.is_new and delta.id and delta.id == self._reasoning_id
        if is_paragraph:
            text = f"\n\n{text}"  # another of a summary
        elif self._kind != "thinking" or delta.is_new:
            self._open("thinking")
            self._reasoning_id = delta.id
        self._put_delta(self._next - 1, _THOUGHT, _encode(text), b"}}")

    def _seal(self, delta: ReasoningSealed) -> None:
        if delta.is_hidden:
            self._close()
            self._close_tools()
            self._hide(hidden(delta.seal, delta.id))
            return
        if self._kind != "thinking":
            self._open("thinking")
        sealed = write_reasoning_seal(delta.seal, delta.id or self._reasoning_id)
        self._put_delta(self._next - 1, _SIGNATURE, _encode(sealed), b"}}")
        self._close()

    def _tool(self, delta: ToolBegan) -> None:
        self._close()
        whole = [tool for tool in self._open_tools if tool.is_whole]
        self._open_tools = [tool for tool in self._open_tools if not tool.is_whole]
        for tool in whole:
            self._stop(tool.at)
        if delta.seal is not None:
            self._hide(tool_carrier(delta.seal))
        tool = self._tools[delta.index] = _OpenTool(self._next)
        self._open_tools.append(tool)
        start = b'{"contentBlockIndex":%d,"start":{"toolUse":{"toolUseId":%b,"name":%b}}}'
        self._put(_START, start % (self._next, _encode(delta.id), _encode(delta.name)))
        self._next += 1

    def _arguments(self, delta: ToolDelta) -> None:
        tool = self._tools.get(delta.index)
        if tool is not None and delta.arguments:
            tool.is_whole = delta.arguments.rstrip().endswith("}")
            self._put_delta(tool.at, _INPUT, _encode(delta.arguments), b"}}")

    def _open(self, kind: str) -> None:
        self._close()
        self._close_tools()
        self._kind = kind
        self._next += 1

    def _hide(self, blob: str) -> None:
        self._put_delta(self._next, _HIDDEN, _encode(blob), b"}}")
        self._stop(self._next)
        self._next += 1

    def _stop(self, index: int) -> None:
        self._put(_STOP, b'{"contentBlockIndex":%d}' % index)

    def _close(self) -> None:
        kind, seal = self._kind, self._text_seal
        self._kind, self._text_seal, self._reasoning_id = "", None, ""
        if kind and kind != "sealed":
            self._stop(self._next - 1)
        if seal is not None:
            self._hide(text_carrier(seal))

    def _close_tools(self) -> None:
        for tool in self._open_tools:
            self._stop(tool.at)
        self._open_tools.clear()
