"""Ollama's stream into deltas. A tool call comes whole, in one line."""

from __future__ import annotations

from gateline.formats.contract import MOST_TOOLS
from gateline.formats.moment import unix_seconds
from gateline.formats.ollama.error import raise_reported
from gateline.formats.ollama.finish import read_finish
from gateline.formats.ollama.logprobs import read_logprobs
from gateline.formats.ollama.reply import Line, decoder, name_of, read_use
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
from gateline.model.errors import UpstreamBroken, UpstreamError
from gateline.wire.ndjson import LineSplitter

_decode = decoder.decode


class StreamReader:
    """See `contract.Reader`."""

    __slots__ = ("_secret", "_splitter", "_started", "_tools", "done", "error")

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._splitter = LineSplitter()
        self._started = False
        self._tools = 0
        self.done = False
        self.error: UpstreamError | None = None

    def feed(self, data: bytes) -> list[Delta]:
        deltas: list[Delta] = []
        if self.done or self.error is not None:
            return deltas
        try:
            for line in self._splitter.feed(data):
                self._take(_read(line), deltas)
                if self.done:
                    return deltas
        except UpstreamError as error:
            self.error = error
        return deltas

    def end(self) -> list[Delta]:
        """The line that ends a stream may lack its own end."""
        deltas: list[Delta] = []
        if self.done or self.error is not None:
            return deltas
        rest = self._splitter.rest()
        try:
            if rest:
                self._take(_read(rest), deltas)
        except UpstreamError as error:
            self.error = error
        if not self.done and self.error is None:
            self.error = UpstreamBroken("Ollama's stream broke off before its end.")
        return deltas

    def _take(self, line: Line, deltas: list[Delta]) -> None:
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
                index = self._tools
                if index >= MOST_TOOLS:
                    raise UpstreamBroken("the upstream called more tools than any answer does")
                self._tools += 1
                use = read_use(call, index, line.created_at)
                deltas.append(ToolBegan(index=index, id=use.id, name=use.name))
                if use.arguments:
                    deltas.append(ToolDelta(index=index, arguments=use.arguments))
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
