"""Cohere's stream into deltas."""

from __future__ import annotations

from gateline.formats.cohere.citation import read_citations
from gateline.formats.cohere.error import event_error
from gateline.formats.cohere.event import DONE, ContentDelta, Event, Message, read_event
from gateline.formats.cohere.event import Delta as EventDelta
from gateline.formats.cohere.finish import read_finish
from gateline.formats.cohere.logprobs import read_logprobs
from gateline.formats.cohere.message import Function, QuotedCitation, ToolCall, read_signature
from gateline.formats.streamed import StreamedReader
from gateline.model.chat import Tokens
from gateline.model.chatreply import (
    Began,
    Cited,
    Counted,
    Delta,
    Finished,
    ReasoningDelta,
    TextDelta,
    ToolBegan,
    ToolDelta,
)
from gateline.model.errors import UpstreamBroken
from gateline.wire.sse import EventSplitter, event_data


class StreamReader(StreamedReader[bytes]):
    """See `contract.Reader`. A stream ends with `[DONE]` behind the message's end, or with the bytes: some who host
    Cohere's models leave that out."""

    __slots__ = ("_calls", "_ended", "_kinds", "_part", "_started")

    def __init__(self, secret: str) -> None:
        super().__init__(EventSplitter(), secret)
        self._part: tuple[str, int] = ("", 0)  # kind and index of the part that is open
        self._kinds: set[str] = set()  # of parts so far
        self._calls: dict[int, int] = {}  # the vendor's index of a tool use, and ours
        self._started = False
        self._ended = False

    def _end(self, rest: bytes, deltas: list[Delta]) -> None:
        """A vendor that closes right behind the last line, without its blank line, has ended its stream."""
        if not self._ended:
            self._take(rest, deltas)
        self.done = self._ended

    def _take(self, raw: bytes, deltas: list[Delta]) -> None:
        data = event_data(raw)
        if not data:
            return
        if data.strip() == DONE:
            if not self._ended:
                raise UpstreamBroken("Cohere's stream ended before its message did.")
            self.done = True
            return
        event = read_event(data)
        kind, delta = event.type, event.delta
        if kind == "message-end":
            self._finish(delta or EventDelta(), deltas)
        elif not kind and event.message is not None:
            raise event_error({"message": event.message}, self._secret)
        elif kind:
            self._start(event, deltas)
            if delta is not None and delta.message is not None:
                self._add(event, delta.message, deltas)

    def _start(self, event: Event, deltas: list[Delta]) -> None:
        if not self._started:
            self._started = True
            deltas.append(Began(id=event.id or "", model=""))

    def _add(self, event: Event, message: Message, deltas: list[Delta]) -> None:
        content = message.content
        if isinstance(content, ContentDelta):
            self._content(event, content, deltas)
        elif message.tool_plan:
            deltas.append(TextDelta(text=message.tool_plan, is_new=self._is_new("text", -1)))
        elif isinstance(message.tool_calls, ToolCall):
            self._tool(event, message.tool_calls, deltas)
        elif isinstance(message.citations, QuotedCitation) and message.citations.type in {None, "TEXT_CONTENT"}:
            deltas += [Cited(citation=citation) for citation in read_citations(message.citations)]

    def _content(self, event: Event, content: ContentDelta, deltas: list[Delta]) -> None:
        if content.thinking:
            is_new = self._is_new("thinking", event.index or 0)
            deltas.append(ReasoningDelta(text=content.thinking, is_new=is_new))
        elif content.text:
            seal = read_signature(content.signature)
            is_new = self._is_new("text", event.index or 0)
            deltas.append(TextDelta(text=content.text, is_new=is_new, seal=seal, logprobs=_logprobs(event)))

    def _is_new(self, kind: str, index: int) -> bool:
        """Whether this begins another part of a kind that there was one of."""
        if self._part == (kind, index):
            return False
        self._part = (kind, index)
        is_new = kind in self._kinds
        self._kinds.add(kind)
        return is_new

    def _tool(self, event: Event, called: ToolCall, deltas: list[Delta]) -> None:
        function = called.function or Function()
        index = event.index or 0
        if event.type == "tool-call-start":
            self._calls[index] = self._next_tool()
            deltas.append(ToolBegan(index=self._calls[index], id=called.id, name=function.name or ""))
        arguments = function.arguments
        if arguments and index in self._calls:
            arguments = "{}" if arguments == "null" else arguments
            deltas.append(ToolDelta(index=self._calls[index], arguments=arguments))

    def _finish(self, delta: EventDelta, deltas: list[Delta]) -> None:
        if delta.error:
            raise event_error(delta.error, self._secret)
        finish = read_finish(delta.finish_reason or "")
        self._start(Event(), deltas)
        usage = None if delta.usage is None else delta.usage.counts()
        if usage is not None:
            deltas.append(Counted(usage=usage))
        if not self._ended:
            deltas.append(Finished(finish=finish))
        self._ended = True


def _logprobs(event: Event) -> list[Tokens] | None:
    if event.logprobs is None:
        return None
    return read_logprobs(event.logprobs if isinstance(event.logprobs, list) else [event.logprobs])
