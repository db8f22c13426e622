"""A whole response, from both sides."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec
from msgspec import Raw

from gateline.formats.responses import items as wire
from gateline.formats.responses.items import Item
from gateline.formats.responses.output import Output
from gateline.formats.responses.resource import resource, response_id, suffix_of
from gateline.formats.responses.usage import UsageObject, usage_object
from gateline.formats.tier import at_tier
from gateline.formats.typed import UNREAD, read_vendor
from gateline.formats.vendor_error import explain
from gateline.model.chat import Chat, Choice, Finish, Part, Refusal, Text, Tokens, ToolUse
from gateline.model.chatreply import ChatReply
from gateline.model.errors import UpstreamBroken, UpstreamError

_ABSENT = Raw(b"")

_encode = msgspec.json.Encoder().encode


class IncompleteDetails(msgspec.Struct):
    reason: str | None = None


class Response(msgspec.Struct):
    """A vendor's response as far as it is read; also as it stands in the events of a stream."""

    id: str = ""
    model: str = ""
    created_at: float | None = 0
    status: str | None = None
    incomplete_details: IncompleteDetails | None = None
    error: Raw = _ABSENT
    output: list[Item] | None = None
    usage: UsageObject | None = None
    service_tier: str | None = None


_decoder = msgspec.json.Decoder(Response)


def write_reply(reply: ChatReply, chat: Chat, now: Callable[[], float] = time.time) -> bytes:
    """`now` is asked for the time where the vendor does not tell it."""
    identifier = response_id(reply.id)
    ended = int(now())
    shown = resource(chat, identifier, reply.created or ended, reply.service_tier)
    if reply.choices:
        choice = reply.choices[0]
        output = Output(suffix_of(identifier))
        output.fill(choice)
        shown.output = output.items
        shown.close(choice.finish, ended)
    else:
        shown.close("stop", ended)
    shown.usage = usage_object(reply.usage)
    return _encode(shown)


def read_reply(body: bytes, secret: str) -> ChatReply:
    """Raises UpstreamBroken for what is no response, UpstreamError for one that failed."""
    response = read_vendor(_decoder, body, "The vendor")
    failed = failure(response, secret)
    if failed is not None:
        raise failed
    if response.output is None:
        raise UpstreamBroken("The vendor answered with a body that is not its format's.")
    parts, tokens = output_parts(response.output)
    return ChatReply(
        id=response.id,
        model=response.model,
        choices=[Choice(parts=parts, finish=finish_of(response, parts), logprobs=tokens or None)],
        created=int(response.created_at or 0),
        usage=None if response.usage is None else at_tier(response.usage.counts(), response.service_tier),
        service_tier=response.service_tier or "",
    )


def failure(response: Response, secret: str) -> UpstreamError | None:
    """What a response that ended in failure says of it."""
    has_error = bytes(response.error) not in {b"", b"null"}
    if not has_error and response.status not in {"failed", "cancelled"}:
        return None
    try:
        found = msgspec.json.decode(response.error) if has_error else None
    except UNREAD:
        found = None
    detail = explain({"error": found}, 502, secret=secret)
    return UpstreamError(detail.message, code=detail.code, param=detail.param)


def finish_of(response: Response, parts: list[Part]) -> Finish:
    if response.status == "incomplete":
        details = response.incomplete_details
        return "filter" if details is not None and details.reason == "content_filter" else "length"
    if any(isinstance(part, ToolUse) for part in parts):
        return "tool"
    return "refusal" if any(isinstance(part, Refusal) for part in parts) else "stop"


def output_parts(items: list[Item]) -> tuple[list[Part], list[Tokens]]:
    """What an answer consists of, and the log probabilities of its text. What a vendor's own tools did on the way
    there is left out: their answers are in the text."""
    parts: list[Part] = []
    tokens: list[Tokens] = []
    for item in items:
        if item.type == "message":
            _add_message(item, parts, tokens)
        elif item.type == "function_call":
            parts.append(tool_use(item))
        elif item.type == "reasoning":
            found = wire.reasoning(item)
            if found.text or found.seal is not None:
                parts.append(found)
        elif item.type == "image_generation_call":
            made = wire.image(item)
            if made is not None:
                parts.append(made)
    return parts, tokens


def tool_use(item: Item) -> ToolUse:
    arguments = item.arguments if isinstance(item.arguments, str) else ""
    return ToolUse(id=item.call_id or item.id or "", name=item.name or "", arguments=arguments)


def _add_message(item: Item, parts: list[Part], tokens: list[Tokens]) -> None:
    for part in item.content if isinstance(item.content, list) else ():
        if part.type == "refusal":
            parts.append(Refusal(text=part.refusal or ""))
        elif part.type == "output_text":
            text = Text(text=part.text or "")
            if part.annotations:
                found = [annotation.citation() for annotation in part.annotations]
                text.citations = [citation for citation in found if citation is not None]
            if part.logprobs:
                tokens += wire.tokens(part.logprobs)
            parts.append(text)
