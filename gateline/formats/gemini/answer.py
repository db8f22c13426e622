"""The parts of an answer as a Gemini client gets them, and the objects around them."""

from __future__ import annotations

import msgspec

from gateline.formats.arguments import arguments_object
from gateline.formats.gemini.citations import GroundingMetadata, Passages, write_citations
from gateline.formats.gemini.content import FunctionCall, Part
from gateline.formats.gemini.finish import write_finish
from gateline.formats.gemini.logprobs import LogprobsResult, write_logprobs
from gateline.formats.gemini.media import write_media
from gateline.formats.gemini.signature import write_signature
from gateline.formats.gemini.usage import UsageMetadata, write_usage
from gateline.formats.moment import rfc3339
from gateline.model.chat import Chat, Choice, Media, Reasoning, Refusal, Seal, Text, ToolUse
from gateline.model.chat import Part as ChatPart
from gateline.model.chatreply import ChatReply

_encode = msgspec.json.Encoder().encode


class Answer(msgspec.Struct, omit_defaults=True):
    parts: list[Part] | None = None
    role: str = msgspec.field(default_factory=lambda: "model")  # a default, and yet written


class Answered(msgspec.Struct, rename="camel", omit_defaults=True):
    content: Answer
    finish_reason: str | None = None
    index: int = msgspec.field(default_factory=int)
    grounding_metadata: GroundingMetadata | None = None
    logprobs_result: LogprobsResult | None = None


class Envelope(msgspec.Struct, rename="camel", omit_defaults=True):
    candidates: list[Answered]
    usage_metadata: UsageMetadata | None = None
    model_version: str = ""
    create_time: str | None = None
    response_id: str = ""


def write_reply(reply: ChatReply, chat: Chat) -> bytes:
    candidates = [_candidate(choice, index) for index, choice in enumerate(reply.choices)]
    return _encode(
        Envelope(
            candidates,
            None if reply.usage is None else write_usage(reply.usage),
            chat.model,
            rfc3339(reply.created),
            reply.id,
        )
    )


def thought_part(text: str, seal: Seal | None, *, id: str = "", is_hidden: bool = False) -> Part:  # noqa: A002
    """Reasoning that only its maker reads is an empty thought with a signature; Gemini's own is no thought at all."""
    signature = None if seal is None else write_signature(seal, id=id, is_hidden=is_hidden)
    if is_hidden and seal is not None and seal.maker == "gemini":
        return Part(text=text, thought_signature=signature)
    return Part(text=text, thought=True, thought_signature=signature)


def text_part(text: str, seal: Seal | None) -> Part:
    return Part(text=text, thought_signature=None if seal is None else write_signature(seal))


def call_part(id_: str, name: str, arguments: str, seal: Seal | None) -> Part:
    return Part(
        function_call=FunctionCall(name, arguments_object(arguments), id_ or None),
        thought_signature=None if seal is None else write_signature(seal),
    )


def _candidate(choice: Choice, index: int) -> Answered:
    passages = Passages()
    citations = []
    parts = []
    for part in choice.parts:
        if isinstance(part, Text):
            passages.add(part.text)
            citations += part.citations
        written = _part(part)
        if written is not None:
            parts.append(written)
    return Answered(
        Answer(parts or None),
        write_finish(choice.finish),
        index,
        write_citations(citations, passages) if citations else None,
        None if choice.logprobs is None else write_logprobs(choice.logprobs),
    )


def _part(part: ChatPart) -> Part | None:
    if isinstance(part, Text):
        return text_part(part.text, part.seal)
    if isinstance(part, ToolUse):
        return call_part(part.id, part.name, part.arguments, part.seal)
    if isinstance(part, Reasoning):
        return thought_part(part.text, part.seal, id=part.id, is_hidden=part.is_hidden)
    if isinstance(part, Refusal):
        return Part(text=part.text)
    return write_media(part) if isinstance(part, Media) else None
