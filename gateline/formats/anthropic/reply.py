"""A whole answer of Anthropic's Messages API, and a count of tokens, in both directions."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from gateline.formats.anthropic.block import (
    ABSENT,
    Block,
    RedactedBlock,
    TextBlock,
    ThinkingBlock,
    ToolUseBlock,
    WrittenBlock,
    read_input,
)
from gateline.formats.anthropic.citation import read_citations, write_citation
from gateline.formats.anthropic.finish import read_finish, write_finish
from gateline.formats.anthropic.usage import UsageObject, read_object, usage_object
from gateline.formats.arguments import arguments_object
from gateline.formats.claude.carrier import text_carrier, tool_carrier, write_reasoning_seal
from gateline.formats.omitted import words_for
from gateline.formats.typed import read_vendor
from gateline.formats.vendor_error import reported_error
from gateline.model.chat import Chat, Choice, Finish, Media, Part, Reasoning, Refusal, Seal, Text, ToolUse
from gateline.model.chatreply import ChatReply
from gateline.model.errors import UpstreamBroken, UpstreamError
from gateline.model.vectors import Count, CountReply


class StopDetails(msgspec.Struct, tag_field="type", tag="refusal"):
    """Of a refusal. Which policy it was, and why, is known only where the vendor says so."""

    category: str | None = None
    explanation: str | None = None


class _ReadDetails(msgspec.Struct):
    explanation: str | None = None


class _Answer(msgspec.Struct):
    content: list[Block]
    id: str = ""
    model: str = ""
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: _ReadDetails | None = None
    usage: Raw = ABSENT


class Message(msgspec.Struct, tag_field="type", tag="message"):
    """As it is written: every field that an SDK requires, null or not."""

    id: str
    model: str
    content: list[WrittenBlock]
    usage: UsageObject
    role: str = "assistant"
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: StopDetails | None = None


class _Counted(msgspec.Struct):
    input_tokens: int


_decoder = msgspec.json.Decoder(_Answer)
_count_decoder = msgspec.json.Decoder(_Counted)
_encode = msgspec.json.Encoder().encode


def reported(body: bytes, secret: str) -> UpstreamError | None:
    """The error in a reply that calls itself a success."""
    failed = reported_error(body, secret=secret)
    return None if failed is None else UpstreamError(failed.message, code=failed.code or failed.type)


def read_reply(body: bytes, secret: str) -> ChatReply:
    """Raises UpstreamBroken for what is no reply, UpstreamError for an error."""
    try:
        answer = read_vendor(_decoder, body, "Anthropic")
    except UpstreamBroken:
        failed = reported(body, secret)
        if failed is not None:
            raise failed from None
        raise
    parts: list[Part] = []
    for block in answer.content:
        part = _part(block)
        if part is not None:
            parts.append(part)
    if answer.stop_details is not None and answer.stop_details.explanation:
        parts.append(Refusal(text=answer.stop_details.explanation))
    usage = read_object(answer.usage)
    return ChatReply(
        id=answer.id,
        model=answer.model,
        choices=[
            Choice(parts=parts, finish=read_finish(answer.stop_reason), stopped_by=answer.stop_sequence or ""),
        ],
        usage=None if usage is None else usage.counts(),
        service_tier="" if usage is None else usage.service_tier or "",
    )


def _part(block: Block) -> Part | None:
    """None for what has no place in an answer of another format: tools that ran at the vendor, and what they said."""
    kind = block.type
    if kind == "text":
        text = block.text or ""
        cited = block.citations is not ABSENT
        return Text(text=text, citations=read_citations(block.citations, len(text)) if cited else []) if text else None
    if kind == "tool_use":
        return ToolUse(id=block.id or "", name=block.name or "", arguments=read_input(block))
    if kind == "thinking":
        seal = Seal("anthropic", block.signature) if block.signature else None
        return Reasoning(text=block.thinking or "", seal=seal) if block.thinking or seal is not None else None
    if kind == "redacted_thinking" and block.data:
        return Reasoning(seal=Seal("anthropic", block.data), is_hidden=True)
    return None


def write_reply(reply: ChatReply, chat: Chat) -> bytes:
    """The first answer: Anthropic has but one."""
    choice = reply.choices[0] if reply.choices else Choice(parts=[], finish="stop")
    content: list[WrittenBlock] = []
    for part in choice.parts:
        _add(content, part)
    finish = finish_of(choice)
    return _encode(
        Message(
            id=message_id(reply.id),
            model=chat.model,
            content=content,
            usage=usage_object(reply.usage, reply.service_tier),
            stop_reason=write_finish(finish, choice.stopped_by),
            stop_sequence=choice.stopped_by or None if finish == "stop" else None,
            stop_details=StopDetails() if finish in {"refusal", "filter"} else None,
        )
    )


def finish_of(choice: Choice) -> Finish:
    """Anthropic says by the reason that an answer refuses, or calls tools. OpenAI says it by parts: one that had to
    call a tool just stops."""
    if choice.finish != "stop":
        return choice.finish
    finish: Finish = "stop"
    for part in choice.parts:
        if isinstance(part, Refusal):
            return "refusal"
        if isinstance(part, ToolUse):
            finish = "tool"
    return finish


def message_id(name: str) -> str:
    """Anthropic's ids begin with `msg_`."""
    return name if name.startswith("msg_") else f"msg_{name}"


def _add(content: list[WrittenBlock], part: Part) -> None:
    if isinstance(part, Text):
        if part.text:
            cited = [write_citation(citation) for citation in part.citations] if part.citations else None
            content.append(TextBlock(part.text, cited))
        if part.seal is not None:
            content.append(RedactedBlock(text_carrier(part.seal)))
    elif isinstance(part, ToolUse):
        if part.seal is not None:
            content.append(RedactedBlock(tool_carrier(part.seal)))
        content.append(ToolUseBlock(part.id, part.name, arguments_object(part.arguments)))
    elif isinstance(part, Reasoning):
        seal = "" if part.seal is None else write_reasoning_seal(part.seal, part.id)
        if not part.is_hidden:
            content.append(ThinkingBlock(part.text, seal))
        elif seal:
            content.append(RedactedBlock(seal))
    elif isinstance(part, Refusal):
        if part.text:
            content.append(TextBlock(part.text))
    elif isinstance(part, Media) and (words := words_for(part)):
        content.append(TextBlock(words))


def read_count_reply(body: bytes, secret: str) -> CountReply:
    """Raises as `read_reply` does."""
    try:
        return CountReply(tokens=read_vendor(_count_decoder, body, "Anthropic").input_tokens)
    except UpstreamBroken:
        failed = reported(body, secret)
        if failed is not None:
            raise failed from None
        raise


def write_count_reply(reply: CountReply, count: Count) -> bytes:
    return _encode(_Counted(reply.tokens))
