"""A whole answer of Converse, in both directions."""

from __future__ import annotations

from hashlib import blake2b

import msgspec
from msgspec import Raw

from gateline.formats.arguments import arguments_object, arguments_text
from gateline.formats.bedrock.block import Block, ReasoningBlock, ReasoningText, ToolUseBlock
from gateline.formats.bedrock.citation import read_cited, write_cited
from gateline.formats.bedrock.configuration import Tier
from gateline.formats.bedrock.finish import read_finish, write_finish
from gateline.formats.bedrock.seals import hidden, read_hidden, text_carrier, tool_carrier
from gateline.formats.bedrock.usage import TokenUsage, token_usage, told_usage
from gateline.formats.claude.carrier import read_reasoning, write_reasoning_seal
from gateline.formats.omitted import words_for
from gateline.formats.typed import UNREAD, read_vendor
from gateline.formats.vendor_error import explain, reported_error
from gateline.model.chat import Chat, Choice, Media, Part, Reasoning, Refusal, Text, ToolUse
from gateline.model.chatreply import ChatReply
from gateline.model.errors import UpstreamBroken, UpstreamError

_NO_INPUT = b"{}"


class _Message(msgspec.Struct):
    content: list[Block]
    role: str = "assistant"


class _Output(msgspec.Struct):
    message: _Message


class _Answer(msgspec.Struct, rename="camel"):
    output: _Output
    stop_reason: str = ""
    usage: TokenUsage | None = None
    service_tier: Tier | None = None


class Metrics(msgspec.Struct, rename="camel"):
    """How long the vendor took is not known to those who translate."""

    latency_ms: int = 0


class _Written(msgspec.Struct, rename="camel", omit_defaults=True):
    """Every field that an SDK requires is there."""

    output: _Output
    stop_reason: str
    usage: TokenUsage
    metrics: Metrics
    service_tier: Tier | None = None


_decoder = msgspec.json.Decoder(_Answer)
_encode = msgspec.json.Encoder().encode
_METRICS = Metrics()
_LONGEST_ERROR = 8_192  # bytes of a body: an error has a sentence in it
_TIERS = frozenset({"priority", "default", "flex", "reserved"})


class _Told(msgspec.Struct):
    message: str | None = None


_decode_told = msgspec.json.Decoder(_Told).decode


def reported(body: bytes, secret: str) -> UpstreamError | None:
    """The error in a reply that calls itself a success: AWS's own is a message and no output."""
    failed = reported_error(body, secret=secret)
    if failed is None and len(body) <= _LONGEST_ERROR:
        try:
            told = _decode_told(body).message
        except UNREAD:
            return UpstreamBroken("Bedrock answered with what is no JSON.")
        failed = None if told is None else explain({"message": told}, 502, secret=secret)
    return None if failed is None else UpstreamError(failed.message, code=failed.code or failed.type)


def read_reply(body: bytes, secret: str) -> ChatReply:
    """Raises UpstreamBroken for what is no reply, UpstreamError for an error. Converse names its replies in a header
    only: the id is made of what the reply says."""
    try:
        answer = read_vendor(_decoder, body, "Bedrock")
    except UpstreamBroken:
        failed = reported(body, secret)
        if failed is not None:
            raise failed from None
        raise
    parts = [part for block in answer.output.message.content if (part := _part(block)) is not None]
    return ChatReply(
        id=blake2b(body, digest_size=12).hexdigest(),
        model="",
        choices=[Choice(parts=parts, finish=read_finish(answer.stop_reason))],
        usage=told_usage(answer.usage, answer.service_tier),
        service_tier="" if answer.service_tier is None else answer.service_tier.type,
    )


def _part(block: Block) -> Part | None:
    """None for what has no place in an answer of another format: tools that ran at the vendor, and what they said."""
    if block.text is not None:
        return Text(text=block.text) if block.text else None
    use = block.tool_use
    if use is not None:
        if use.type == "server_tool_use":
            return None
        arguments = "" if bytes(use.input) == _NO_INPUT else arguments_text(use.input)
        return ToolUse(id=use.tool_use_id, name=use.name, arguments=arguments)
    reasoning = block.reasoning_content
    if reasoning is not None and reasoning.redacted_content:
        return read_hidden(reasoning.redacted_content)
    if reasoning is not None and reasoning.reasoning_text is not None:
        thought = reasoning.reasoning_text
        return read_reasoning(thought.signature or "", thought.text, is_hidden=False)
    return None if block.citations_content is None else read_cited(block.citations_content)


def write_reply(reply: ChatReply, chat: Chat) -> bytes:
    """The first answer: Converse has but one."""
    choice = reply.choices[0] if reply.choices else Choice(parts=[], finish="stop")
    content: list[Block] = []
    for part in choice.parts:
        _add(content, part)
    return _encode(
        _Written(
            _Output(_Message(content)),
            write_finish(choice.finish, choice.stopped_by),
            token_usage(reply.usage),
            _METRICS,
            written_tier(reply.service_tier),
        )
    )


def written_tier(name: str) -> Tier | None:
    return Tier(name) if name in _TIERS else None


def _add(content: list[Block], part: Part) -> None:
    if isinstance(part, Text):
        if part.citations:
            content.append(Block(citations_content=write_cited(part)))
        elif part.text:
            content.append(Block(text=part.text))
        if part.seal is not None:
            content.append(Block(reasoning_content=ReasoningBlock(redacted_content=text_carrier(part.seal))))
    elif isinstance(part, ToolUse):
        if part.seal is not None:
            content.append(Block(reasoning_content=ReasoningBlock(redacted_content=tool_carrier(part.seal))))
        arguments: Raw = arguments_object(part.arguments)
        content.append(Block(tool_use=ToolUseBlock(part.id, part.name, arguments)))
    elif isinstance(part, Reasoning):
        if not part.is_hidden:
            sealed = None if part.seal is None else write_reasoning_seal(part.seal, part.id)
            content.append(Block(reasoning_content=ReasoningBlock(ReasoningText(part.text, sealed))))
        elif part.seal is not None:
            content.append(Block(reasoning_content=ReasoningBlock(redacted_content=hidden(part.seal, part.id))))
    elif isinstance(part, Refusal) and part.text:
        content.append(Block(text=part.text))
    elif isinstance(part, Media) and (words := words_for(part)):
        content.append(Block(text=words))
