"""Whole replies of `generateContent` and `countTokens`, read as a client does and written as a server does."""

from __future__ import annotations

import msgspec

from gateline.formats.gemini.candidate import CandidateReader, Reply
from gateline.formats.gemini.content import ABSENT
from gateline.formats.gemini.reader import began, loads, reported, usage_of
from gateline.formats.typed import read_vendor
from gateline.model.chat import Choice, Finish, Reasoning, Text, Tokens, ToolUse
from gateline.model.chat import Part as ChatPart
from gateline.model.chatreply import (
    ChatReply,
    Cited,
    Delta,
    Finished,
    MediaDelta,
    ReasoningDelta,
    ReasoningSealed,
    TextDelta,
    ToolBegan,
    ToolDelta,
)
from gateline.model.errors import UpstreamBroken, UpstreamError
from gateline.model.vectors import CountReply


class _Counted(msgspec.Struct, rename="camel"):
    total_tokens: int
    cached_content_token_count: int | None = None


class _CountedWritten(msgspec.Struct, rename="camel", omit_defaults=True):
    total_tokens: int
    cached_content_token_count: int | None = None


_REPLY = msgspec.json.Decoder(Reply)
_COUNTED = msgspec.json.Decoder(_Counted)
_encode = msgspec.json.Encoder().encode


def read_reply(body: bytes, secret: str) -> ChatReply:
    """Raises UpstreamBroken, UpstreamError."""
    reply = read_vendor(_REPLY, body, "Gemini")
    if reply.error is not ABSENT and bytes(reply.error) != b"null":
        raise reported(loads(body), secret) or UpstreamError("the upstream reported an error")
    first = began(reply)
    choices = []
    for candidate in reply.candidates or ():
        deltas: list[Delta] = []
        reader = CandidateReader(candidate.index or 0, first.id)
        reader.read(candidate, deltas)
        if reader.is_finished:
            deltas.append(reader.finish())
        choices.append(_choice(deltas))
    if not choices:
        # A prompt that is blocked is answered with why, and with no candidate.
        if reply.prompt_feedback is None or not reply.prompt_feedback.block_reason:
            raise UpstreamBroken("Gemini answered without a candidate")
        choices.append(Choice(parts=[], finish="filter"))
    return ChatReply(
        id=first.id, model=first.model, created=first.created, choices=choices, usage=usage_of(reply.usage_metadata)
    )


def read_counted(body: bytes, secret: str) -> CountReply:
    """Raises UpstreamBroken."""
    del secret  # nothing of the body is shown
    counted = read_vendor(_COUNTED, body, "Gemini")
    return CountReply(tokens=counted.total_tokens, cached=counted.cached_content_token_count)


def write_counted(reply: CountReply, ask: object) -> bytes:
    del ask
    return _encode(_CountedWritten(reply.tokens, reply.cached))


def _choice(deltas: list[Delta]) -> Choice:
    """Assembles one candidate's deltas."""
    parts: list[ChatPart] = []
    logprobs: list[Tokens] | None = None
    finish: Finish = "stop"
    for delta in deltas:
        last = parts[-1] if parts else None
        if isinstance(delta, TextDelta):
            if not isinstance(last, Text) or delta.is_new:
                last = Text(text="")
                parts.append(last)
            last.text += delta.text
            last.seal = delta.seal or last.seal
            logprobs = [*(logprobs or ()), *delta.logprobs] if delta.logprobs else logprobs
        elif isinstance(delta, ReasoningDelta):
            if not isinstance(last, Reasoning) or delta.is_new:
                last = Reasoning()
                parts.append(last)
            last.text += delta.text
        elif isinstance(delta, ReasoningSealed):
            if delta.is_hidden or not isinstance(last, Reasoning):
                last = Reasoning(is_hidden=True)
                parts.append(last)
            last.seal = delta.seal
        elif isinstance(delta, ToolBegan):
            parts.append(ToolUse(id=delta.id, name=delta.name, seal=delta.seal))
        elif isinstance(delta, ToolDelta) and isinstance(last, ToolUse):
            last.arguments += delta.arguments
        elif isinstance(delta, MediaDelta):
            parts.append(delta.media)
        elif isinstance(delta, Cited):
            text = next((part for part in reversed(parts) if isinstance(part, Text)), None)
            if text is not None:
                text.citations.append(delta.citation)
        elif isinstance(delta, Finished):
            finish = delta.finish
    return Choice(parts=parts, finish=finish, logprobs=logprobs)
