"""A vendor's whole chat reply into the neutral one."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from gateline.formats.openai.finish import read_finish
from gateline.formats.openai.logprobs import read_logprobs
from gateline.formats.openai.reasoning_details import read_details
from gateline.formats.openai.reply_parts import Call, Said, content_pieces
from gateline.formats.openai.turns import read_annotations, read_spoken
from gateline.formats.openai.usage import usage_of_raw
from gateline.formats.typed import UNREAD, read_vendor
from gateline.formats.vendor_error import explain
from gateline.model.chat import Choice, Citation, Part, Reasoning, Refusal, Seal, Text, ToolUse
from gateline.model.chatreply import ChatReply
from gateline.model.errors import UpstreamBroken, UpstreamError

_ABSENT = Raw(b"")
_LATEST = 1e11  # seconds since the epoch
_NOTHING = frozenset({b"", b"null"})
_NO_SEALS: dict[str, Seal] = {}


class _Answer(msgspec.Struct):
    message: Said | None = None
    finish_reason: str | None = None
    index: int | None = None
    logprobs: Raw = _ABSENT
    error: Raw = _ABSENT


class _Reply(msgspec.Struct):
    id: str | None = None
    created: float | None = None
    model: str | None = None
    choices: list[_Answer] | None = None
    usage: Raw = _ABSENT
    error: Raw = _ABSENT
    service_tier: str | None = None
    system_fingerprint: str | None = None
    citations: list[Any] | None = None


_DECODER = msgspec.json.Decoder(_Reply)


def read_reply(body: bytes, secret: str) -> ChatReply:
    """See `Client.read_reply`."""
    found = read_vendor(_DECODER, body, "the upstream")
    if found.error is not _ABSENT:
        raise_reported(found.error, secret)
    if not found.choices:
        raise UpstreamBroken("the upstream answered without a choice")
    reply = ChatReply(
        id=found.id or "",
        model=found.model or "",
        choices=[],
        created=whole_seconds(found.created),
        usage=usage_of_raw(found.usage, found.service_tier) if found.usage is not _ABSENT else None,
        service_tier=found.service_tier or "",
        fingerprint=found.system_fingerprint or "",
    )
    cited = [Citation(url=url) for url in found.citations if isinstance(url, str)] if found.citations else []
    for answer in found.choices:
        if answer.error is not _ABSENT:
            raise_reported(answer.error, secret)
        reply.choices.append(_choice(answer, reply.id, cited))
    return reply


def raise_reported(raw: Raw, secret: str) -> None:
    """Raises UpstreamError when there is an error in a reply that calls itself a success."""
    if bytes(raw) in _NOTHING:
        return
    try:
        found = msgspec.json.decode(raw)
    except UNREAD:  # strings that were skipped are looked at only now
        found = None
    detail = explain({"error": found}, 502, secret=secret)
    raise UpstreamError(detail.message, code=detail.code, param=detail.param)


def whole_seconds(created: float | None) -> int:
    """A vendor's time, 0 where it is none that could be."""
    return int(created) if created is not None and 0 < created < _LATEST else 0


def tool_id(given: str | None, reply_id: str, at: int) -> str:
    """A tool call's id; one is made where the vendor gave none, since its result has to name it."""
    return given or f"call_{reply_id.rpartition('-')[2]}_{at}"


def _choice(answer: _Answer, reply_id: str, cited: list[Citation]) -> Choice:
    said = answer.message
    if said is None:
        raise UpstreamBroken("the upstream answered without a message")
    calls = said.tool_calls or []
    if said.function_call is not None:
        calls = [Call(function=said.function_call)]
    parts: list[Part] = []
    seals = _NO_SEALS
    if said.reasoning_details or said.reasoning_content or said.reasoning:
        seals = _add_reasoning(said, calls, parts)
    if said.content:
        _add_content(said, said.content, parts, cited)
    if said.refusal:
        parts.append(Refusal(text=said.refusal))
    if said.audio is not None:
        parts.append(read_spoken(said.audio))
    for image in said.images or ():
        media = image.media()
        if media is not None:
            parts.append(media)
    for at, call in enumerate(calls):
        parts.append(_use(call, tool_id(call.id, reply_id, at), seals))
    return Choice(
        parts=parts,
        finish=read_finish(answer.finish_reason, has_tools=bool(calls), has_refusal=bool(said.refusal)),
        logprobs=read_logprobs(answer.logprobs) if answer.logprobs is not _ABSENT else None,
    )


def _add_reasoning(said: Said, calls: list[Call], parts: list[Part]) -> dict[str, Seal]:
    """Adds it, and gives back the seals of tool calls."""
    seals: dict[str, Seal] = {}
    if said.reasoning_details:
        known = read_details(said.reasoning_details, {call.id for call in calls if call.id})
        parts += known.reasoning
        seals = known.tools
    words = said.thought()
    if words and not any(isinstance(part, Reasoning) and part.text for part in parts):
        parts.insert(0, Reasoning(text=words))
    return seals


def _add_content(
    said: Said, content: str | list[dict[str, Any]] | dict[str, Any], parts: list[Part], cited: list[Citation]
) -> None:
    if isinstance(content, str):
        text = content
    else:
        text = thought = ""
        for is_thought, piece in content_pieces(content):
            if is_thought:
                thought += piece
            else:
                text += piece
        if thought:
            parts.append(Reasoning(text=thought))
    if text:
        cited = read_annotations(said.annotations) if said.annotations else cited
        parts.append(Text(text=text, citations=cited) if cited else Text(text=text))


def _use(call: Call, name: str, seals: dict[str, Seal]) -> ToolUse:
    function = call.function
    if function is None:
        raise UpstreamBroken("the upstream called a tool without a name")
    return ToolUse(id=name, name=function.name or "", arguments=function.text(), seal=seals.get(name) or call.seal())
