"""Converse's stream into deltas."""

from __future__ import annotations

import msgspec

from gateline.formats.bedrock.block import SourcedQuote
from gateline.formats.bedrock.citation import read_citation
from gateline.formats.bedrock.error import message_error
from gateline.formats.bedrock.event import EVENT, KIND, Event, read_event
from gateline.formats.bedrock.event import Delta as EventDelta
from gateline.formats.bedrock.finish import read_finish
from gateline.formats.bedrock.seals import read_hidden
from gateline.formats.bedrock.usage import told_usage
from gateline.formats.claude.carrier import read_reasoning
from gateline.formats.streamed import StreamedReader
from gateline.model.chatreply import (
    Began,
    Cited,
    Counted,
    Delta,
    Finished,
    ReasoningDelta,
    ReasoningSealed,
    TextDelta,
    ToolBegan,
    ToolDelta,
)
from gateline.model.errors import UpstreamBroken
from gateline.wire.eventstream import Message, MessageSplitter

_MOST_OPEN = 1_024  # blocks at once; the vendor has one
_MOST_HELD = 32  # citations of one block that wait for its end; further ones are left out
_MOST_SEALED = 4_194_304  # characters of a seal that comes in pieces


class _Open(msgspec.Struct):
    """A block that has begun: its kind is that of the first delta. `tool` counts tool uses from 0, -1: none of ours."""

    kind: str = ""
    is_new: bool = False
    tool: int = -1
    length: int = 0
    seal: str = ""  # so far
    cited: list[SourcedQuote] = []


class StreamReader(StreamedReader[Message]):
    """See `contract.Reader`. A stream ends with its usage, which follows the end of the message."""

    __slots__ = ("_blocks", "_finished", "_kinds", "_started", "_used")

    def __init__(self, secret: str) -> None:
        super().__init__(MessageSplitter(), secret)
        self._blocks: dict[int, _Open] = {}
        self._kinds: set[str] = set()  # of blocks so far
        self._started = False
        self._finished = False
        self._used = False

    def _end(self, rest: bytes, deltas: list[Delta]) -> None:
        """A stream that ends ahead of its usage is whole once the message has ended."""
        self.done = self._finished

    def _take(self, message: Message, deltas: list[Delta]) -> None:
        if message.headers.get(":message-type") != EVENT:
            raise message_error(message, self._secret)
        kind = message.headers.get(KIND)
        if kind == "contentBlockDelta":
            event = read_event(message.payload)
            if event.delta is not None:
                self._add(self._block(event.content_block_index), event.delta, deltas)
        elif kind == "contentBlockStart":
            self._open(read_event(message.payload), deltas)
        elif kind == "contentBlockStop":
            block = self._blocks.pop(read_event(message.payload).content_block_index, None)
            if block is not None:
                _close(block, deltas)
        elif kind == "messageStart":
            self._start(deltas)
        elif kind == "messageStop":
            self._finish(read_event(message.payload), deltas)
        elif kind == "metadata":
            self._count(read_event(message.payload), deltas)

    def _start(self, deltas: list[Delta]) -> None:
        if not self._started:
            self._started = True
            deltas.append(Began(id="", model=""))

    def _block(self, index: int) -> _Open:
        """Only tool uses are said to begin."""
        block = self._blocks.get(index)
        if block is None:
            if len(self._blocks) >= _MOST_OPEN:
                raise UpstreamBroken("Bedrock's stream left too many blocks open.")
            block = self._blocks[index] = _Open()
        return block

    def _open(self, event: Event, deltas: list[Delta]) -> None:
        self._start(deltas)
        block = self._block(event.content_block_index)
        use = None if event.start is None else event.start.tool_use
        if use is None:
            return
        block.kind = "tool"
        if use.type != "server_tool_use":
            block.tool = self._next_tool()
            deltas.append(ToolBegan(index=block.tool, id=use.tool_use_id, name=use.name))

    def _add(self, block: _Open, delta: EventDelta, deltas: list[Delta]) -> None:
        self._start(deltas)
        if delta.text:
            is_new = self._begins(block, "text")
            block.length += len(delta.text)
            deltas.append(TextDelta(text=delta.text, is_new=is_new))
        elif delta.tool_use is not None:
            if block.tool >= 0 and delta.tool_use.input:
                block.length += len(delta.tool_use.input)
                deltas.append(ToolDelta(index=block.tool, arguments=delta.tool_use.input))
        elif delta.reasoning_content is not None:
            thought = delta.reasoning_content
            if thought.text:
                deltas.append(ReasoningDelta(text=thought.text, is_new=self._begins(block, "thinking")))
            elif thought.signature or thought.redacted_content:
                if thought.redacted_content:
                    block.kind = "hidden"
                elif block.kind != "thinking":  # what it seals is not shown
                    deltas.append(ReasoningDelta(text="", is_new=self._begins(block, "thinking")))
                block.seal += thought.signature or thought.redacted_content
                if len(block.seal) > _MOST_SEALED:
                    raise UpstreamBroken("Bedrock sent a signature without end.")
        elif delta.citation is not None and len(block.cited) < _MOST_HELD:
            block.cited.append(delta.citation)

    def _begins(self, block: _Open, kind: str) -> bool:
        """Whether this is the first of a block that follows another of its kind."""
        if block.kind == kind:
            return False
        block.kind = kind
        is_new = kind in self._kinds
        self._kinds.add(kind)
        return is_new

    def _finish(self, event: Event, deltas: list[Delta]) -> None:
        self._start(deltas)
        for block in self._blocks.values():
            _close(block, deltas)
        self._blocks.clear()
        if not self._finished:
            deltas.append(Finished(finish=read_finish(event.stop_reason)))
        self._finished = True
        self.done = self._used

    def _count(self, event: Event, deltas: list[Delta]) -> None:
        usage = told_usage(event.usage, event.service_tier)
        if usage is not None:
            deltas.append(Counted(usage=usage))
        self._used = True
        self.done = self._finished


def _close(block: _Open, deltas: list[Delta]) -> None:
    """Seals may come in pieces, and citations come ahead of the text that rests on them."""
    if block.kind == "text":
        deltas.extend(Cited(citation=read_citation(quote, block.length)) for quote in block.cited)
    elif block.kind == "tool":
        if block.tool >= 0 and not block.length:
            deltas.append(ToolDelta(index=block.tool, arguments="{}"))
    elif block.seal and block.kind == "hidden":
        hidden = read_hidden(block.seal)
        assert hidden.seal is not None
        deltas.append(ReasoningSealed(seal=hidden.seal, is_hidden=True, id=hidden.id))
    elif block.seal:
        sealed = read_reasoning(block.seal, "", is_hidden=False)
        assert sealed.seal is not None
        deltas.append(ReasoningSealed(seal=sealed.seal, id=sealed.id))
