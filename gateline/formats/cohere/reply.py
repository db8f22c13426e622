"""A whole answer of Cohere's chat, in both directions."""

from __future__ import annotations

import msgspec

from gateline.formats.arguments import arguments_object
from gateline.formats.cohere.citation import read_citations, write_citation
from gateline.formats.cohere.error import event_error, reported
from gateline.formats.cohere.finish import read_finish, write_finish
from gateline.formats.cohere.logprobs import read_logprobs, write_logprobs
from gateline.formats.cohere.message import (
    Content,
    Function,
    LogprobItem,
    QuotedCitation,
    ToolCall,
    read_signature,
    write_signature,
)
from gateline.formats.cohere.request import read_arguments
from gateline.formats.cohere.usage import UsageObject, WrittenUsage, usage_object
from gateline.formats.omitted import words_for
from gateline.formats.typed import UNREAD, read_vendor
from gateline.model.chat import Chat, Choice, Media, Part, Reasoning, Refusal, Text, ToolUse
from gateline.model.chatreply import ChatReply
from gateline.model.errors import UpstreamBroken


class _Message(msgspec.Struct, omit_defaults=True):
    content: list[Content] | str | None = None
    tool_plan: str | None = None
    tool_calls: list[ToolCall] | None = None
    citations: list[QuotedCitation] | None = None


class _Answer(msgspec.Struct):
    message: _Message
    id: str = ""
    finish_reason: str = ""
    usage: UsageObject | None = None
    logprobs: list[LogprobItem] | None = None


class _WrittenMessage(msgspec.Struct, omit_defaults=True):
    """As it is written: what the SDK requires, null or not, has no default."""

    role: str
    content: list[Content] | None = None
    tool_calls: list[ToolCall] | None = None
    citations: list[QuotedCitation] | None = None


class _Written(msgspec.Struct, omit_defaults=True):
    id: str
    message: _WrittenMessage
    finish_reason: str
    usage: WrittenUsage | None = None
    logprobs: list[LogprobItem] | None = None


_decoder = msgspec.json.Decoder(_Answer)
_encode = msgspec.json.Encoder().encode


def read_reply(body: bytes, secret: str) -> ChatReply:
    """Raises UpstreamBroken for what is no reply, UpstreamError for an error."""
    try:
        answer = read_vendor(_decoder, body, "Cohere")
    except UpstreamBroken:
        failed = reported(body, secret) or _message_only(body, secret)
        if failed is not None:
            raise failed from None
        raise
    message = answer.message
    parts: list[Part] = []
    texts: dict[int, Text] = {}
    content = [Content("text", text=message.content)] if isinstance(message.content, str) else message.content or []
    for at, item in enumerate(content):
        if item.type == "thinking" and item.thinking:
            parts.append(Reasoning(text=item.thinking, seal=read_signature(item.signature)))
        elif item.type == "text" and item.text:
            texts[at] = Text(text=item.text, seal=read_signature(item.signature))
            parts.append(texts[at])
    for quoted in message.citations or ():
        text = texts.get(quoted.content_index or 0) or next(iter(texts.values()), None)
        if text is not None and quoted.type in {None, "TEXT_CONTENT"}:
            text.citations = [*text.citations, *read_citations(quoted)]
    if message.tool_plan:
        parts.append(Text(text=message.tool_plan))
    for called in message.tool_calls or ():
        function = called.function or Function()
        arguments = read_arguments(function.arguments)
        seal = read_signature(called.signature)
        parts.append(ToolUse(id=called.id, name=function.name or "", arguments=arguments, seal=seal))
    logprobs = None if answer.logprobs is None else read_logprobs(answer.logprobs)
    return ChatReply(
        id=answer.id,
        model="",
        choices=[Choice(parts=parts, finish=read_finish(answer.finish_reason), logprobs=logprobs)],
        usage=None if answer.usage is None else answer.usage.counts(),
    )


def _message_only(body: bytes, secret: str) -> Exception | None:
    """`{"message": "..."}` is an error of Cohere's."""
    try:
        found = msgspec.json.decode(body, type=dict[str, object])
    except UNREAD:
        return None
    return event_error(found, secret) if isinstance(found.get("message"), str) else None


def write_reply(reply: ChatReply, chat: Chat) -> bytes:
    """The first answer: Cohere has but one."""
    choice = reply.choices[0] if reply.choices else Choice(parts=[], finish="stop")
    content: list[Content] = []
    uses: list[ToolCall] = []
    cited: list[QuotedCitation] = []
    for part in choice.parts:
        if isinstance(part, ToolUse):
            function = Function(part.name, bytes(arguments_object(part.arguments)).decode())
            uses.append(ToolCall(part.id, "function", function, write_signature(part.seal)))
        elif isinstance(part, Text) and (part.text or part.seal is not None):
            cited += [write_citation(citation, part.text, len(content)) for citation in part.citations]
            content.append(Content("text", text=part.text, signature=write_signature(part.seal)))
        elif isinstance(part, Reasoning) and (part.text or part.seal is not None):
            content.append(Content("thinking", thinking=part.text, signature=write_signature(part.seal)))
        elif isinstance(part, Refusal) and part.text:
            content.append(Content("text", text=part.text))
        elif isinstance(part, Media) and (words := words_for(part)):
            content.append(Content("text", text=words))
    return _encode(
        _Written(
            reply.id,
            _WrittenMessage("assistant", content or None, uses or None, cited or None),
            write_finish(choice.finish, choice.stopped_by),
            usage_object(reply.usage),
            None if choice.logprobs is None else write_logprobs(choice.logprobs),
        )
    )
