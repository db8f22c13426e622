"""Anthropic's stream into deltas."""

from __future__ import annotations

import msgspec

from gateline.formats.anthropic.block import ABSENT, read_input
from gateline.formats.anthropic.citation import citation_of, read_citations
from gateline.formats.anthropic.event import Delta as EventDelta
from gateline.formats.anthropic.event import Event, Started, data_of, event_error, read_event
from gateline.formats.anthropic.finish import read_finish
from gateline.formats.anthropic.usage import UsageObject, read_object
from gateline.formats.streamed import StreamedReader
from gateline.model.chat import Citation, Seal
from gateline.model.chatreply import (
    Began,
    Cited,
    Counted,
    Delta,
    Finished,
    ReasoningDelta,
    ReasoningSealed,
    RefusalDelta,
    TextDelta,
    ToolBegan,
    ToolDelta,
)
from gateline.model.errors import UpstreamBroken
from gateline.wire.sse import EventSplitter

_MOST_OPEN = 1_024  # blocks at once; the vendor has one
_MOST_KINDS = 32  # of blocks; the vendor has half as many
_MOST_HELD = 32  # citations of one block that wait for its end; further ones go at once


class _Open(msgspec.Struct):
    """A block that has begun. `has_come`: something of it did. `tool` counts tool uses from 0. `input` are arguments
    that came with the block's beginning, and hold if no other follow."""

    kind: str
    has_come: bool = False
    is_new: bool = False
    tool: int = 0
    input: str = ""
    length: int = 0
    cited: list[Citation] = []


class StreamReader(StreamedReader[bytes]):
    """See `contract.Reader`."""

    __slots__ = ("_blocks", "_finished", "_kinds", "_started", "_usage")

    def __init__(self, secret: str) -> None:
        super().__init__(EventSplitter(), secret)
        self._blocks: dict[int, _Open] = {}
        self._kinds: set[str] = set()  # of blocks so far
        self._usage = UsageObject()
        self._started = False
        self._finished = False

    def _end(self, rest: bytes, deltas: list[Delta]) -> None:
        """A vendor that closes right behind the last line, without its blank line, has ended its stream."""
        self._take(rest, deltas)

    def _take(self, raw: bytes, deltas: list[Delta]) -> None:
        data = data_of(raw)
        if not data:
            return
        event = read_event(data)
        kind = event.type
        if kind == "content_block_delta":
            at, delta = event.index, event.delta
            if delta is not None:
                self._add(self._blocks.get(at) or self._unbegun(at, delta, deltas), delta, deltas)
        elif kind == "content_block_start":
            self._open(event, deltas)
        elif kind == "content_block_stop":
            block = self._blocks.pop(event.index, None)
            if block is not None:
                _close(block, deltas)
        elif kind == "message_start":
            self._start(event.message or Started(), deltas)
        elif kind == "message_delta":
            self._change(event, deltas)
        elif kind == "message_stop":
            if not self._finished:
                self._finish(Finished(finish="stop"), deltas)
            self.done = True
        elif kind == "error" or (not kind and event.error is not ABSENT):
            raise event_error(event.error, self._secret)

    def _start(self, message: Started, deltas: list[Delta]) -> None:
        """Some vendors send it twice; but another message after the first has begun would be two answers in one."""
        if self._kinds:
            raise UpstreamBroken("Anthropic's stream began another message inside of one.")
        if self._started:
            return
        self._started = True
        usage = read_object(message.usage)
        tier = "" if usage is None else usage.service_tier or ""
        deltas.append(Began(id=message.id, model=message.model, service_tier=tier))
        if usage is not None:
            self._count(usage, deltas)

    def _open(self, event: Event, deltas: list[Delta]) -> None:
        block = event.content_block
        if block is None:
            return
        kind = block.type
        opened = self._begin(event.index, kind, deltas)
        if kind == "text":
            if block.text:
                _put_text(opened, block.text, deltas)
            if block.citations is not ABSENT:
                opened.cited = read_citations(block.citations, None)
        elif kind == "thinking":
            if block.thinking:
                _put_thought(opened, block.thinking, deltas)
            if block.signature:
                _seal_thought(opened, block.signature, deltas)
        elif kind == "redacted_thinking" and block.data:
            deltas.append(ReasoningSealed(seal=Seal("anthropic", block.data), is_hidden=True))
        elif kind == "tool_use":
            opened.tool = self._next_tool()
            opened.input = read_input(block)
            deltas.append(ToolBegan(index=opened.tool, id=block.id or "", name=block.name or ""))

    def _unbegun(self, index: int, delta: EventDelta, deltas: list[Delta]) -> _Open:
        """The block of a delta that says of which kind it is, where a vendor leaves out that it begins."""
        if delta.partial_json:
            raise UpstreamBroken("Anthropic's stream has arguments of a tool that it did not call.")
        if delta.text or delta.thinking or delta.signature:
            return self._begin(index, "text" if delta.text else "thinking", deltas)
        return _Open("")

    def _begin(self, index: int, kind: str, deltas: list[Delta]) -> _Open:
        if not self._started:
            self._start(Started(), deltas)
        if len(self._blocks) >= _MOST_OPEN:
            raise UpstreamBroken("Anthropic's stream left too many blocks open.")
        opened = self._blocks[index] = _Open(kind, is_new=kind in self._kinds)
        if len(self._kinds) < _MOST_KINDS:
            self._kinds.add(kind)
        return opened

    def _add(self, block: _Open, delta: EventDelta, deltas: list[Delta]) -> None:
        kind = block.kind
        if kind == "text":
            if delta.text:
                _put_text(block, delta.text, deltas)
            elif delta.citation is not None:
                _cite(block, citation_of(delta.citation, None), deltas)
        elif kind == "tool_use":
            if delta.partial_json:
                block.has_come = True
                deltas.append(ToolDelta(index=block.tool, arguments=delta.partial_json))
        elif kind == "thinking":
            if delta.thinking:
                _put_thought(block, delta.thinking, deltas)
            elif delta.signature:
                _seal_thought(block, delta.signature, deltas)

    def _change(self, event: Event, deltas: list[Delta]) -> None:
        delta = event.delta
        usage = read_object(event.usage)
        if usage is not None:
            self._count(usage, deltas)
        if delta is None or delta.stop_reason is None or self._finished:
            return
        if delta.stop_details is not None and delta.stop_details.explanation:
            deltas.append(RefusalDelta(text=delta.stop_details.explanation))
        self._finish(Finished(finish=read_finish(delta.stop_reason), stopped_by=delta.stop_sequence or ""), deltas)

    def _finish(self, finished: Finished, deltas: list[Delta]) -> None:
        if not self._started:
            self._start(Started(), deltas)
        self._finished = True
        deltas.append(finished)

    def _count(self, usage: UsageObject, deltas: list[Delta]) -> None:
        self._usage.note(usage)
        counts = self._usage.counts()
        if counts is not None:
            deltas.append(Counted(usage=counts))


def _put_text(block: _Open, text: str, deltas: list[Delta]) -> None:
    deltas.append(TextDelta(text=text, is_new=block.is_new and not block.has_come))
    block.has_come = True
    block.length += len(text)


def _put_thought(block: _Open, text: str, deltas: list[Delta]) -> None:
    deltas.append(ReasoningDelta(text=text, is_new=block.is_new and not block.has_come))
    block.has_come = True


def _seal_thought(block: _Open, signature: str, deltas: list[Delta]) -> None:
    if not block.has_come:  # thinking that is not shown: still a block of its own
        _put_thought(block, "", deltas)
    deltas.append(ReasoningSealed(seal=Seal("anthropic", signature)))


def _cite(block: _Open, citation: Citation, deltas: list[Delta]) -> None:
    """Citations come ahead of the text that rests on them: where that ends is known at the end of the block."""
    if len(block.cited) < _MOST_HELD:
        block.cited.append(citation)
    elif block.has_come:
        deltas.append(Cited(citation=citation))


def _close(block: _Open, deltas: list[Delta]) -> None:
    if block.kind == "tool_use":
        if not block.has_come:
            deltas.append(ToolDelta(index=block.tool, arguments=block.input or "{}"))
    elif block.has_come:
        for citation in block.cited:
            citation.start, citation.end = 0, block.length
            deltas.append(Cited(citation=citation))
