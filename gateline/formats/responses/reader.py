"""A vendor's stream of events into deltas.

Vendors differ in what they repeat: arguments may come in pieces, whole in `.done`, or only in the item that is done;
OpenRouter and Copilot give one item another id in each event. So an item is known by its `output_index`, and whatever
a later event holds beyond what has come is given then.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from gateline.formats.responses import items as wire
from gateline.formats.responses.items import Annotation, Item, Part, Token
from gateline.formats.responses.reply import Response, failure, finish_of, tool_use
from gateline.formats.seal import read_seal
from gateline.formats.streamed import StreamedReader
from gateline.formats.tier import at_tier
from gateline.formats.typed import UNREAD
from gateline.formats.vendor_error import stream_error
from gateline.model.chat import Part as ChatPart
from gateline.model.chat import Refusal, ToolUse
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
from gateline.model.errors import UpstreamBroken, UpstreamError
from gateline.wire.sse import EventSplitter, event_data, event_name, named_data

_GAP = "\n\n"
_MOST_ITEMS = 2_048  # of an answer
Place = Annotated[int, msgspec.Meta(ge=0, lt=1_024)]  # of a part in its item


class _Event(msgspec.Struct):
    type: str = ""
    output_index: int = 0
    content_index: Place = 0
    summary_index: Place = 0
    delta: str = ""
    text: str | None = None
    refusal: str | None = None
    arguments: str | None = None
    logprobs: list[Token] | None = None
    annotation: Annotation | None = None
    item: Item | None = None
    response: Response | None = None


class _Type(msgspec.Struct):
    type: str = ""


_decode = msgspec.json.Decoder(_Event).decode
_decode_type = msgspec.json.Decoder(_Type).decode


class _Open:
    """What has come of one item. `sent` counts characters: of each content part, of reasoning, or of arguments."""

    __slots__ = ("citations", "id", "is_done", "is_full", "kind", "sent", "tool")

    def __init__(self) -> None:
        self.kind = ""
        self.id = ""
        self.tool = -1
        self.sent: dict[int, int] = {}
        self.citations: dict[int, int] = {}
        self.is_done = False
        self.is_full: bool | None = None  # of reasoning: as it is thought, not a summary


class ResponseReader(StreamedReader[bytes]):
    """See `contract.Reader`."""

    __slots__ = ("_began", "_has_text", "_items", "_refused", "_text_at")

    def __init__(self, secret: str) -> None:
        super().__init__(EventSplitter(), secret)
        self._items: dict[int, _Open] = {}
        self._has_text = False
        self._refused = False
        self._began = False
        self._text_at = (-1, -1)

    def _end(self, rest: bytes, deltas: list[Delta]) -> None:
        """A vendor that closes right behind the last line, without its blank line, has ended its stream."""
        self._take(rest, deltas)

    def _take(self, raw: bytes, deltas: list[Delta]) -> None:
        data = named_data(raw) or event_data(raw)
        if data is None or not data.strip() or data.strip() == b"[DONE]":
            return
        try:
            event = _decode(data)
        except UNREAD:
            self._unread(raw, data)
            return
        kind = event.type or event_name(raw).decode("ascii", "replace")
        if kind == "response.output_text.delta":
            self._text(event, event.delta, deltas)
        elif kind == "response.function_call_arguments.delta":
            self._arguments(event.output_index, event.delta, deltas)
        elif kind == "error":
            raise stream_error(data, self._secret)
        else:
            self._other(kind, event, deltas)

    def _unread(self, raw: bytes, data: bytes) -> None:
        """An event of a type that is known here must be what that type is; of others only JSON is asked."""
        try:
            kind = _decode_type(data).type or event_name(raw).decode("ascii", "replace")
        except UNREAD:
            raise UpstreamBroken("the upstream sent an event that is not a JSON object") from None
        if kind == "error":
            raise stream_error(data, self._secret)
        if kind in _KNOWN:
            raise UpstreamBroken(f"the upstream sent an event {kind} that is not its format's")

    def _other(self, kind: str, event: _Event, deltas: list[Delta]) -> None:
        if kind in {"response.reasoning_summary_text.delta", "response.reasoning_text.delta"}:
            self._think(kind, event, event.delta, deltas)
        elif kind in {"response.reasoning_summary_text.done", "response.reasoning_text.done"}:
            self._think_rest(kind, event, deltas)
        elif kind == "response.function_call_arguments.done":
            self._arguments_rest(event.output_index, event.arguments or "", deltas)
        elif kind == "response.output_text.done":
            sent = self._open(event.output_index).sent.get(event.content_index, 0)
            if event.text and len(event.text) > sent:
                event.logprobs = None if sent else event.logprobs
                self._text(event, event.text[sent:], deltas)
        elif kind == "response.output_text.annotation.added":
            self._cite(event.output_index, event.content_index, event.annotation, deltas)
        elif kind == "response.refusal.delta":
            self._refuse(event.output_index, event.content_index, event.delta, deltas)
        elif kind == "response.refusal.done":
            sent = self._open(event.output_index).sent.get(event.content_index, 0)
            self._refuse(event.output_index, event.content_index, (event.refusal or "")[sent:], deltas)
        elif event.item is not None:
            if kind == "response.output_item.added":
                self._added(event.output_index, event.item, deltas)
            elif kind == "response.output_item.done":
                self._finished(event.output_index, event.item, deltas)
        elif event.response is not None:
            self._response(kind, event.response, deltas)

    # --- the response ---

    def _response(self, kind: str, response: Response, deltas: list[Delta]) -> None:
        if not self._began and response.id:
            self._began = True
            deltas.append(
                Began(
                    id=response.id,
                    model=response.model,
                    created=int(response.created_at or 0),
                    service_tier=response.service_tier or "",
                )
            )
        if kind == "response.completed" or kind == "response.incomplete":  # noqa: PLR1714 - two are no set
            self._rest(response.output or [], deltas)
            self._count(response, deltas)
            if kind == "response.incomplete":
                response.status = "incomplete"
            deltas.append(Finished(finish=finish_of(response, self._seen())))
            self.done = True
        elif kind == "response.failed" or kind == "response.cancelled":  # noqa: PLR1714
            self._count(response, deltas)  # it is billed all the same
            raise failure(response, self._secret) or UpstreamError("the upstream's response failed")

    def _count(self, response: Response, deltas: list[Delta]) -> None:
        usage = None if response.usage is None else at_tier(response.usage.counts(), response.service_tier)
        if usage is not None:
            deltas.append(Counted(usage=usage))

    def _rest(self, items: list[Item], deltas: list[Delta]) -> None:
        """What the last event holds of items that had no end of their own, or of all when there were none at all. An
        item at a place where none was is not trusted: some vendors number items anew here."""
        is_silent = not self._items
        for index, item in enumerate(items):
            opened = self._items.get(index)
            if is_silent or (opened is not None and opened.kind in {"", item.type}):
                self._finished(index, item, deltas)

    def _seen(self) -> list[ChatPart]:
        """Of the answer, what its end is told by."""
        if self._tools:
            return [ToolUse(id="", name="")]
        return [Refusal(text="")] if self._refused else []

    def _open(self, index: int) -> _Open:
        found = self._items.get(index)
        if found is None:
            if len(self._items) >= _MOST_ITEMS:
                raise UpstreamBroken("the upstream's answer has more items than any answer does")
            found = self._items[index] = _Open()
        return found

    def _added(self, index: int, item: Item, deltas: list[Delta]) -> None:
        opened = self._open(index)
        opened.kind = item.type or ""
        opened.id = item.id or ""
        if opened.kind == "function_call" and opened.tool < 0:
            self._call(opened, item, deltas)

    def _finished(self, index: int, item: Item, deltas: list[Delta]) -> None:
        """An item that is whole, in its own event or in the last one: gives what has not come of it."""
        opened = self._open(index)
        if opened.is_done:
            return
        opened.is_done = True
        if item.type == "function_call":
            if opened.tool < 0:
                self._call(opened, item, deltas)
            self._arguments_rest(index, item.arguments if isinstance(item.arguments, str) else "", deltas)
            if not opened.sent:
                self._arguments(index, "{}", deltas)
        elif item.type == "message":
            for number, part in enumerate(item.content if isinstance(item.content, list) else ()):
                self._content_rest(index, number, part, deltas)
        elif item.type == "reasoning":
            found = wire.reasoning(item)
            if found.text and not opened.sent:
                deltas.append(ReasoningDelta(text=found.text, is_new=True, id=found.id))
            if item.encrypted_content:
                seal = read_seal(item.encrypted_content, "openai")
                is_hidden = not found.text and not opened.sent
                deltas.append(ReasoningSealed(seal=seal, is_hidden=is_hidden, id=found.id))
        elif item.type == "image_generation_call":
            made = wire.image(item)
            if made is not None:
                deltas.append(MediaDelta(media=made))

    # --- text ---

    def _text(self, event: _Event, text: str, deltas: list[Delta]) -> None:
        index, number = event.output_index, event.content_index
        is_new = self._text_part(index, number, len(text))
        tokens = wire.tokens(event.logprobs) if event.logprobs else None
        deltas.append(TextDelta(text=text, is_new=is_new, logprobs=tokens))

    def _text_part(self, index: int, number: int, length: int) -> bool:
        """Notes `length` characters more of a part; True when it is another one than the last."""
        sent = self._open(index).sent
        sent[number] = sent.get(number, 0) + length
        if self._text_at == (index, number):
            return False
        self._text_at = (index, number)
        is_new, self._has_text = self._has_text, True
        return is_new

    def _cite(self, index: int, number: int, annotation: Annotation | None, deltas: list[Delta]) -> None:
        citation = annotation.citation() if annotation is not None else None
        opened = self._open(index)
        opened.citations[number] = opened.citations.get(number, 0) + 1
        if citation is not None:
            deltas.append(Cited(citation=citation))

    def _content_rest(self, index: int, number: int, part: Part, deltas: list[Delta]) -> None:
        sent = self._open(index).sent.get(number, 0)
        if part.type == "refusal":
            self._refuse(index, number, (part.refusal or "")[sent:], deltas)
        elif part.type == "output_text":
            text = part.text or ""
            if len(text) > sent or (not text and number not in self._open(index).sent):
                is_new = self._text_part(index, number, len(text) - sent)
                tokens = wire.tokens(part.logprobs) if part.logprobs and not sent else None
                deltas.append(TextDelta(text=text[sent:], is_new=is_new, logprobs=tokens))
            for annotation in (part.annotations or [])[self._open(index).citations.get(number, 0) :]:
                self._cite(index, number, annotation, deltas)

    def _refuse(self, index: int, number: int, text: str, deltas: list[Delta]) -> None:
        if text:
            self._refused = True
            sent = self._open(index).sent
            sent[number] = sent.get(number, 0) + len(text)
            deltas.append(RefusalDelta(text=text))

    # --- reasoning ---

    def _think(self, kind: str, event: _Event, text: str, deltas: list[Delta]) -> None:
        """Full text or a summary, whichever comes first: a vendor that gives both says the same twice."""
        opened = self._open(event.output_index)
        is_full = kind.startswith("response.reasoning_text")
        part = event.content_index if is_full else event.summary_index
        if opened.is_full is None:
            opened.is_full = is_full
        if not text or opened.is_full != is_full:
            return
        is_first = not opened.sent
        if part not in opened.sent and not is_first:
            deltas.append(ReasoningDelta(text=_GAP, id=opened.id))
        opened.sent[part] = opened.sent.get(part, 0) + len(text)
        deltas.append(ReasoningDelta(text=text, is_new=is_first, id=opened.id))

    def _think_rest(self, kind: str, event: _Event, deltas: list[Delta]) -> None:
        part = event.content_index if kind.startswith("response.reasoning_text") else event.summary_index
        sent = self._open(event.output_index).sent.get(part, 0)
        self._think(kind, event, (event.text or "")[sent:], deltas)

    # --- calls of tools ---

    def _call(self, opened: _Open, item: Item, deltas: list[Delta]) -> None:
        opened.tool = self._next_tool()
        opened.kind = "function_call"
        use = tool_use(item)
        deltas.append(ToolBegan(index=opened.tool, id=use.id, name=use.name))

    def _arguments(self, index: int, text: str, deltas: list[Delta]) -> None:
        opened = self._open(index)
        if opened.tool >= 0 and text:
            opened.sent[0] = opened.sent.get(0, 0) + len(text)
            deltas.append(ToolDelta(index=opened.tool, arguments=text))

    def _arguments_rest(self, index: int, whole: str, deltas: list[Delta]) -> None:
        self._arguments(index, whole[self._open(index).sent.get(0, 0) :], deltas)


_KNOWN = frozenset({
    "response.created", "response.completed", "response.incomplete", "response.failed",
    "response.output_item.added", "response.output_item.done",
    "response.output_text.delta", "response.output_text.done", "response.output_text.annotation.added",
    "response.refusal.delta", "response.refusal.done",
    "response.reasoning_summary_text.delta", "response.reasoning_summary_text.done",
    "response.reasoning_text.delta", "response.reasoning_text.done",
    "response.function_call_arguments.delta", "response.function_call_arguments.done",
})  # fmt: skip
