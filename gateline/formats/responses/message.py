"""A message while it is written: its content parts, one after the other."""

from __future__ import annotations

from collections.abc import Callable

from gateline.formats.responses import events
from gateline.formats.responses.output import (
    Logprob,
    MessageItem,
    OutputText,
    RefusalPart,
    Status,
    annotation,
    logprobs,
)
from gateline.model.chat import Citation, Seal, Tokens


class Message:
    """`at` is its place among the response's items, `event` numbers an event and writes it. `seal` belongs to its last
    text."""

    __slots__ = ("_citations", "_event", "_is_refusal", "_logprobs", "_text", "at", "item", "seal")

    def __init__(self, item: MessageItem, at: int, event: Callable[..., bytes]) -> None:
        self.item = item
        self.at = at
        self.seal: Seal | None = None
        self._event = event
        self._is_refusal: bool | None = None  # None: no part is open
        self._text = bytearray()  # UTF-8; a string for each piece would take ten times as much
        self._citations: list[Citation] = []
        self._logprobs: list[Logprob] = []

    @property
    def _index(self) -> int:
        return len(self.item.content)

    def write(self, text: str, out: list[bytes], *, is_new: bool, tokens: list[Tokens] | None) -> None:
        if self._is_refusal is not False or is_new:
            self._open(out, is_refusal=False)
        found = logprobs(tokens) if tokens else []
        self._logprobs += found
        self._text += text.encode("utf-8", "surrogatepass")
        if text or found:
            out.append(self._event(events.TextPiece, self.item.id, self.at, self._index, text, found))

    def refuse(self, text: str) -> list[bytes]:
        out: list[bytes] = []
        if not self._is_refusal:
            self._open(out, is_refusal=True)
        self._text += text.encode("utf-8", "surrogatepass")
        out.append(self._event(events.RefusalPiece, self.item.id, self.at, self._index, text))
        return out

    def cite(self, citation: Citation) -> None:
        """Told when its text is whole: where a citation ends is often known no sooner."""
        self._citations.append(citation)

    def close(self, status: Status) -> list[bytes]:
        out: list[bytes] = []
        self._close_part(out)
        self.item.status = status
        return out

    def _open(self, out: list[bytes], *, is_refusal: bool) -> None:
        self._close_part(out)
        part = RefusalPart("") if is_refusal else OutputText("")
        out.append(self._event(events.PartAdded, self.item.id, self.at, self._index, part))
        self._is_refusal = is_refusal
        self._text, self._citations, self._logprobs = bytearray(), [], []

    def _close_part(self, out: list[bytes]) -> None:
        if self._is_refusal is None:
            return
        identifier, at, index = self.item.id, self.at, self._index
        text = self._text.decode("utf-8", "surrogatepass")
        part: OutputText | RefusalPart
        if self._is_refusal:
            part = RefusalPart(text)
            out.append(self._event(events.RefusalDone, identifier, at, index, text))
        else:
            part = OutputText(text, [annotation(found, len(text)) for found in self._citations], self._logprobs)
            for number, found in enumerate(part.annotations):
                out.append(self._event(events.Annotated, identifier, at, index, number, found))
            out.append(self._event(events.TextDone, identifier, at, index, text, self._logprobs))
        out.append(self._event(events.PartDone, identifier, at, index, part))
        self.item.content.append(part)
        self._is_refusal = None
