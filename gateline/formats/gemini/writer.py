"""Deltas as the stream of `streamGenerateContent`: server-sent events, or the elements of one JSON array.

A function call stands whole in one part, so its pieces are held until it is; the last event has the finish reasons,
what was cited, and the usage.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gateline.formats.gemini.answer import Answer, Answered, Envelope, call_part, text_part, thought_part
from gateline.formats.gemini.citations import Passages, write_citations
from gateline.formats.gemini.content import Part
from gateline.formats.gemini.error import write_array_error, write_stream_error
from gateline.formats.gemini.finish import write_finish
from gateline.formats.gemini.logprobs import LogprobsResult, write_logprobs
from gateline.formats.gemini.media import write_media
from gateline.formats.gemini.usage import UsageMetadata, write_usage
from gateline.formats.held_call import HeldCall
from gateline.formats.moment import rfc3339
from gateline.model.chat import Chat, Citation, Finish
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
from gateline.wire.jsonarray import CLOSE, write_element

_CITATIONS = 1_000
_encode = msgspec.json.Encoder().encode


class _Choice:
    """What one answer is still to be told of."""

    __slots__ = ("calls", "citations", "finish", "passages", "reasoning_id")

    def __init__(self) -> None:
        self.calls: dict[int, HeldCall] = {}
        self.citations: list[Citation] = []
        self.finish: Finish | None = None
        self.passages = Passages()
        self.reasoning_id = ""


class StreamWriter:
    """See `contract.Writer`."""

    __slots__ = ("_choices", "_created", "_id", "_model", "_tail", "_usage")

    def __init__(self, chat: Chat, request_id: str) -> None:
        self._model = chat.model
        self._id = request_id
        self._created: str | None = None
        self._tail = b""
        self._choices: dict[int, _Choice] = {}
        self._usage: UsageMetadata | None = None

    def write(self, deltas: Sequence[Delta]) -> bytes:
        written = []
        for delta in deltas:
            if isinstance(delta, TextDelta):
                choice = self._choice(delta.choice)
                if choice.calls:
                    written.append(self._calls(delta.choice, choice))
                choice.passages.add(delta.text)
                if delta.seal is None and delta.logprobs is None:
                    if delta.text:
                        written.append(self._words(delta.text, delta.choice))
                else:
                    probed = None if delta.logprobs is None else write_logprobs(delta.logprobs)
                    written.append(self._event([text_part(delta.text, delta.seal)], delta.choice, probed))
            else:
                written.append(self._other(delta))
        return b"".join(written)

    def end(self) -> bytes:
        last = Envelope(
            [self._last(index, choice) for index, choice in sorted((self._choices or {0: _Choice()}).items())],
            self._usage,
            self._model,
            self._created,
            self._id,
        )
        return self._frame(_encode(last))

    def fail(self, error: GatewayError, request_id: str) -> bytes:
        return write_stream_error(error, request_id)

    def _frame(self, data: bytes) -> bytes:
        return b"data: " + data + b"\r\n\r\n"

    def _choice(self, index: int) -> _Choice:
        choice = self._choices.get(index)
        if choice is None:
            choice = self._choices[index] = _Choice()
        return choice

    def _other(self, delta: Delta) -> bytes:
        if isinstance(delta, Began):
            self._id = delta.id or self._id
            self._created = rfc3339(delta.created)
            return b""
        if isinstance(delta, Counted):
            self._usage = write_usage(delta.usage)
            return b""
        index = delta.choice
        choice = self._choice(index)
        if isinstance(delta, ToolDelta):
            if (call := choice.calls.get(delta.index)) is not None:
                call.add(delta.arguments)
        elif isinstance(delta, ToolBegan):
            choice.calls[delta.index] = HeldCall(delta)
        elif isinstance(delta, Cited):
            if len(choice.citations) < _CITATIONS:
                choice.citations.append(delta.citation)
        elif isinstance(delta, Finished):
            choice.finish = delta.finish
            return self._calls(index, choice)
        else:
            return self._calls(index, choice) + self._part(delta, index, choice)
        return b""

    def _part(
        self,
        delta: ReasoningDelta | ReasoningSealed | RefusalDelta | MediaDelta | TextDelta,
        index: int,
        choice: _Choice,
    ) -> bytes:
        if isinstance(delta, ReasoningDelta):
            choice.reasoning_id = delta.id or choice.reasoning_id
            return self._words(delta.text, index, b',"thought":true') if delta.text else b""
        if isinstance(delta, ReasoningSealed):
            id_, choice.reasoning_id = delta.id or choice.reasoning_id, ""
            return self._event([thought_part("", delta.seal, id=id_, is_hidden=delta.is_hidden)], index)
        if isinstance(delta, MediaDelta):
            part = write_media(delta.media)
            return b"" if part is None else self._event([part], index)
        return self._words(delta.text, index) if delta.text else b""

    def _words(self, text: str, index: int, mark: bytes = b"") -> bytes:
        """The usual event, without the structs of the others."""
        place = b"0" if not index else str(index).encode()
        return self._frame(
            b'{"candidates":[{"content":{"parts":[{"text":'
            + _encode(text)
            + mark
            + b'}],"role":"model"},"index":'
            + place
            + (self._tail or self._name())
        )

    def _name(self) -> bytes:
        """What every event ends in."""
        named = _encode(Envelope([], None, self._model, self._created, self._id))
        self._tail = b"}]" + named.removeprefix(b'{"candidates":[]')
        return self._tail

    def _event(self, parts: list[Part], index: int, logprobs: LogprobsResult | None = None) -> bytes:
        answered = Answered(Answer(parts), None, index, logprobs_result=logprobs)
        return self._frame(_encode(Envelope([answered], None, self._model, self._created, self._id)))

    def _calls(self, index: int, choice: _Choice) -> bytes:
        """The function calls that have come, which now are whole."""
        if not choice.calls:
            return b""
        parts = [_call_part(call) for _, call in sorted(choice.calls.items())]
        choice.calls.clear()
        return self._event(parts, index)

    def _last(self, index: int, choice: _Choice) -> Answered:
        parts = [_call_part(call) for _, call in sorted(choice.calls.items())] or [Part(text="")]
        return Answered(
            Answer(parts),
            write_finish(choice.finish or "stop"),
            index,
            write_citations(choice.citations, choice.passages) if choice.citations else None,
        )


def _call_part(call: HeldCall) -> Part:
    began = call.began
    return call_part(began.id, began.name, call.arguments(), began.seal)


class ArrayWriter(StreamWriter):
    """The same for a client that did not ask for `alt=sse`."""

    __slots__ = ("_is_first",)

    def __init__(self, chat: Chat, request_id: str) -> None:
        super().__init__(chat, request_id)
        self._is_first = True

    def end(self) -> bytes:
        return super().end() + CLOSE

    def fail(self, error: GatewayError, request_id: str) -> bytes:
        return write_array_error(error, request_id, is_first=self._is_first)

    def _frame(self, data: bytes) -> bytes:
        first, self._is_first = self._is_first, False
        return write_element(first, data)
