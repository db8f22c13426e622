"""A chat's deltas as the events of a response.

Every event repeats what it belongs to, and the last ones the whole answer: that is the format's, and so this is the one
writer whose memory grows with the answer, up to a bound.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from gateline.formats.responses import events
from gateline.formats.responses.items import carry_for_call, carry_for_text, sealed
from gateline.formats.responses.message import Message
from gateline.formats.responses.output import (
    CallItem,
    ImageItem,
    MessageItem,
    ReasoningItem,
    Status,
    SummaryText,
    image_item,
    reasoning_id,
    spoken,
)
from gateline.formats.responses.resource import ErrorField, Resource, resource, response_id, suffix_of
from gateline.formats.responses.usage import usage_object
from gateline.formats.vendor_error import writable
from gateline.model.chat import Chat, Finish
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
from gateline.model.errors import GatewayError, UpstreamBroken
from gateline.model.usage import Usage
from gateline.wire.bound import MAX_EVENT

_MOST = MAX_EVENT  # characters of an answer that are held to be repeated at its end
_TOKEN = 256  # characters that what is held of a token's log probability counts for


class _Reasoning:
    """The open reasoning item."""

    __slots__ = ("at", "item", "pieces")

    def __init__(self, at: int, item: ReasoningItem) -> None:
        self.at = at
        self.item = item
        self.pieces: list[str] = []


class _Call:
    """An open call of a tool."""

    __slots__ = ("at", "item", "pieces")

    def __init__(self, at: int, item: CallItem) -> None:
        self.at = at
        self.item = item
        self.pieces: list[str] = []


class ResponseWriter:
    """See `contract.Writer`. Of several answers it writes the first. `write` raises UpstreamBroken for an answer longer
    than any is."""

    def __init__(self, chat: Chat, request_id: str, now: Callable[[], float] = time.time) -> None:
        self._chat = chat
        self._now = now
        self._request_id = request_id
        self._number = 0
        self._response: Resource | None = None
        self._suffix = ""
        self._message: Message | None = None
        self._reasoning: _Reasoning | None = None
        self._calls: dict[int, _Call] = {}
        self._usage: Usage | None = None
        self._finish: Finish = "stop"
        self._held = 0

    def write(self, deltas: Sequence[Delta]) -> bytes:
        out: list[bytes] = []
        for delta in deltas:
            if isinstance(delta, TextDelta):
                if delta.choice == 0:
                    self._hold(len(delta.text) + _TOKEN * len(delta.logprobs or ()))
                    self._text(delta, out)
            elif isinstance(delta, Counted):
                self._usage = delta.usage
            elif isinstance(delta, Began):
                self._begin(delta, out)
            elif delta.choice == 0:
                self._other(delta, out)
        return out[0] if len(out) == 1 else b"".join(out)

    def end(self) -> bytes:
        out: list[bytes] = []
        response = self._opened(out)
        self._close(out, self._finish)
        response.close(self._finish, int(self._now()))
        response.usage = usage_object(self._usage)
        kind = events.Incomplete if response.status == "incomplete" else events.Completed
        out.append(self._event(kind, response))
        return b"".join(out)

    def fail(self, error: GatewayError, request_id: str) -> bytes:
        message = writable(str(error))
        if error.status >= 500 and request_id:
            message = f"{message} (request id {request_id})"
        param = error.param and writable(error.param)
        shown = events.ErrorObject(error.type, error.reason, message, param)
        out = [self._event(events.Error, error.reason, message, param, shown)]
        response = self._response
        if response is not None:
            response.status = "failed"
            code = "rate_limit_exceeded" if error.status == 429 else "server_error"
            response.error = ErrorField(code, message)
            response.usage = usage_object(self._usage)
            out.append(self._event(events.Failed, response))
        return b"".join(out)

    def _hold(self, size: int) -> None:
        self._held += size
        if self._held > _MOST:
            raise UpstreamBroken(f"the upstream's answer has over {_MOST} characters")

    # --- the response ---

    def _event(self, kind: Callable[..., Any], *fields: object) -> bytes:
        number = self._number
        self._number = number + 1
        return events.written(kind(*fields, number))

    def _begin(self, began: Began, out: list[bytes]) -> None:
        if self._response is not None:
            return
        identifier = response_id(began.id)
        created = began.created or int(self._now())
        self._suffix = suffix_of(identifier)
        self._response = response = resource(self._chat, identifier, created, began.service_tier)
        out.append(self._event(events.Created, response))
        out.append(self._event(events.InProgress, response))

    def _opened(self, out: list[bytes]) -> Resource:
        if self._response is None:
            self._begin(Began(id="", model=self._chat.model), out)
        assert self._response is not None
        return self._response

    def _item_id(self, prefix: str, at: int) -> str:
        return f"{prefix}_{self._suffix}_{at}"

    def _other(self, delta: Delta, out: list[bytes]) -> None:
        if isinstance(delta, ToolDelta):
            self._hold(len(delta.arguments))
            self._arguments(delta, out)
        elif isinstance(delta, ReasoningDelta):
            self._hold(len(delta.text))
            self._think(delta, out)
        elif isinstance(delta, ReasoningSealed):
            self._seal(delta, out)
        elif isinstance(delta, ToolBegan):
            self._call(delta, out)
        elif isinstance(delta, RefusalDelta):
            self._hold(len(delta.text))
            out.extend(self._open_message(out, is_new=True).refuse(delta.text))
        elif isinstance(delta, Cited):
            if self._message is not None:
                self._message.cite(delta.citation)
        elif isinstance(delta, MediaDelta):
            self._hold(len(delta.media.data))
            self._media(delta, out)
        elif isinstance(delta, Finished):
            self._finish = delta.finish
            self._close(out, delta.finish)

    # --- a message ---

    def _text(self, delta: TextDelta, out: list[bytes]) -> None:
        message = self._open_message(out, is_new=delta.is_new)
        message.write(delta.text, out, is_new=delta.is_new, tokens=delta.logprobs)
        if delta.seal is not None:
            message.seal = delta.seal

    def _open_message(self, out: list[bytes], *, is_new: bool) -> Message:
        """The open message, or one for a new part: behind a text that is sealed, its seal comes first."""
        message = self._message
        if message is not None and (message.seal is None or not is_new):
            return message
        response = self._opened(out)
        self._close(out)
        at = len(response.output)
        item = MessageItem(self._item_id("msg", at), "in_progress", [])
        out.append(self._event(events.ItemAdded, item, at))
        response.output.append(item)
        self._message = message = Message(item, at, self._event)
        return message

    # --- reasoning ---

    def _think(self, delta: ReasoningDelta, out: list[bytes]) -> None:
        if self._reasoning is not None and delta.is_new:
            self._close(out)
        if not delta.text:
            return
        reasoning = self._reasoning or self._open_reasoning(out, reasoning_id(delta.id))
        item = reasoning.item
        if not reasoning.pieces:
            out.append(self._event(events.SummaryAdded, item.id, reasoning.at, 0, SummaryText("")))
        reasoning.pieces.append(delta.text)
        out.append(self._event(events.SummaryPiece, item.id, reasoning.at, 0, delta.text))

    def _seal(self, delta: ReasoningSealed, out: list[bytes]) -> None:
        if delta.is_hidden:
            self._close(out)
        reasoning = self._reasoning or self._open_reasoning(out, reasoning_id(delta.id))
        reasoning.item.encrypted_content = sealed(delta.seal)
        self._close(out)

    def _open_reasoning(self, out: list[bytes], identifier: str = "") -> _Reasoning:
        response = self._opened(out)
        self._close(out)
        at = len(response.output)
        item = ReasoningItem(identifier or self._item_id("rs", at), [])
        out.append(self._event(events.ItemAdded, item, at))
        response.output.append(item)
        self._reasoning = reasoning = _Reasoning(at, item)
        return reasoning

    def _carry(self, content: str, out: list[bytes]) -> None:
        """A reasoning item that holds nothing but another part's seal."""
        self._open_reasoning(out).item.encrypted_content = content
        self._close(out)

    # --- calls of tools ---

    def _call(self, began: ToolBegan, out: list[bytes]) -> None:
        response = self._opened(out)
        if self._message is not None or self._reasoning is not None:
            self._close(out)
        if began.seal is not None:
            calls, self._calls = self._calls, {}
            self._carry(carry_for_call(began.seal), out)
            self._calls = calls
        at = len(response.output)
        item = CallItem(self._item_id("fc", at), "in_progress", "", began.id, began.name)
        out.append(self._event(events.ItemAdded, item, at))
        response.output.append(item)
        self._calls[began.index] = _Call(at, item)

    def _arguments(self, delta: ToolDelta, out: list[bytes]) -> None:
        call = self._calls.get(delta.index)
        if call is not None and delta.arguments:
            call.pieces.append(delta.arguments)
            out.append(self._event(events.ArgumentsPiece, call.item.id, call.at, delta.arguments))

    # --- pictures and sound ---

    def _media(self, delta: MediaDelta, out: list[bytes]) -> None:
        media = delta.media
        if media.kind != "image":
            if spoken(media):
                self._text(TextDelta(text=spoken(media)), out)
            return
        response = self._opened(out)
        self._close(out)
        at = len(response.output)
        item = image_item(media, self._item_id("ig", at))
        out.append(self._event(events.ItemAdded, ImageItem(item.id, "in_progress", None), at))
        out.append(self._event(events.ImageDone, item.id, at))
        out.append(self._event(events.ItemDone, item, at))
        response.output.append(item)

    # --- ends ---

    def _close(self, out: list[bytes], finish: Finish = "stop") -> None:
        """Ends whatever items are open; `finish` says how the last one ended."""
        status: Status = "incomplete" if finish in {"length", "filter"} else "completed"
        if self._message is not None:
            message, self._message = self._message, None
            out.extend(message.close(status if message.seal is None else "completed"))
            out.append(self._event(events.ItemDone, message.item, message.at))
            if message.seal is not None:
                self._carry(carry_for_text(message.seal), out)
        elif self._reasoning is not None:
            reasoning, self._reasoning = self._reasoning, None
            self._close_reasoning(reasoning, out)
        elif self._calls:
            calls, self._calls = list(self._calls.values()), {}
            for call in calls:
                self._close_call(call, status if call is calls[-1] else "completed", out)

    def _close_reasoning(self, reasoning: _Reasoning, out: list[bytes]) -> None:
        item, at = reasoning.item, reasoning.at
        if reasoning.pieces:
            part = SummaryText("".join(reasoning.pieces))
            out.append(self._event(events.SummaryDone, item.id, at, 0, part.text))
            out.append(self._event(events.SummaryPartDone, item.id, at, 0, part))
            item.summary.append(part)
        out.append(self._event(events.ItemDone, item, at))

    def _close_call(self, call: _Call, status: Status, out: list[bytes]) -> None:
        item = call.item
        if not call.pieces:
            call.pieces.append("{}")
            out.append(self._event(events.ArgumentsPiece, item.id, call.at, "{}"))
        item.arguments = "".join(call.pieces)
        item.status = status
        out.append(self._event(events.ArgumentsDone, item.id, call.at, item.arguments, item.name))
        out.append(self._event(events.ItemDone, item, call.at))
