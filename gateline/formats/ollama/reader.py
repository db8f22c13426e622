"""Ollama's stream into deltas. A tool call comes whole, in one line."""

from __future__ import annotations

from gateline.formats.moment import unix_seconds
from gateline.formats.ollama.error import raise_reported
from gateline.formats.ollama.finish import read_finish
from gateline.formats.ollama.logprobs import read_logprobs
from gateline.formats.ollama.reply import Line, decoder, name_of, read_use
from gateline.formats.streamed import StreamedReader
from gateline.formats.typed import UNREAD
from gateline.model.chatreply import (
    Began,
    Counted,
    Delta,
    Finished,
    ReasoningDelta,
    TextDelta,
    ToolBegan,
    ToolDelta,
)
from gateline.model.errors import UpstreamBroken
from gateline.wire.ndjson import LineSplitter

_decode = decoder.decode


class StreamReader(StreamedReader[bytes]):
    """See `contract.Reader`."""

    __slots__ = ("_started",)

    def __init__(self, secret: str) -> None:
        super().__init__(LineSplitter(), secret)
        self._started = False

    def _end(self, rest: bytes, deltas: list[Delta]) -> None:
        """The line that ends a stream may lack its own end."""
        if rest:
            self._take(rest, deltas)

    def _take(self, raw: bytes, deltas: list[Delta]) -> None:
        line = _read(raw)
        raise_reported(line.error, self._secret)
        if not self._started:
            self._started = True
            deltas.append(Began(id=name_of(line.created_at), model=line.model, created=unix_seconds(line.created_at)))
        said = line.message
        if said is not None:
            if said.thinking:
                deltas.append(ReasoningDelta(text=said.thinking))
            logprobs = read_logprobs(line.logprobs) if line.logprobs else None
            if said.content or logprobs is not None:
                deltas.append(TextDelta(text=said.content or "", logprobs=logprobs))
            for call in said.tool_calls or ():
                index = self._next_tool()
                use = read_use(call, index, line.created_at)
                deltas.append(ToolBegan(index=index, id=use.id, name=use.name))
                deltas.append(ToolDelta(index=index, arguments=use.arguments or "{}"))
        if line.done:
            self.done = True
            deltas.append(Finished(finish=read_finish(line.done_reason, has_tools=self._tools > 0)))
            usage = line.usage()
            if usage is not None:
                deltas.append(Counted(usage=usage))


def _read(line: bytes) -> Line:
    try:
        return _decode(line)
    except UNREAD:
        raise UpstreamBroken("Ollama sent a line that is not its format's.") from None
