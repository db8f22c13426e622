"""The neutral reply as the whole chat reply a client gets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from gateline.formats.data_url import data_url
from gateline.formats.openai.finish import write_finish
from gateline.formats.openai.logprobs import Logprobs, write_logprobs
from gateline.formats.openai.message import FunctionCall
from gateline.formats.openai.reasoning_details import Detail, write_details
from gateline.formats.openai.usage import UsageObject, usage_object
from gateline.model.chat import Chat, Choice, Citation, Media, Part, Reasoning, Refusal, Text, ToolUse
from gateline.model.chatreply import ChatReply

_encode = msgspec.json.Encoder().encode

BETWEEN_THOUGHTS = "\n\n"
_PREFIX = "chatcmpl-"


class UrlCitation(msgspec.Struct):
    url: str
    title: str
    start_index: int
    end_index: int


class Annotation(msgspec.Struct, tag_field="type", tag="url_citation"):
    url_citation: UrlCitation


class CalledTool(msgspec.Struct):
    """`type` is always `function`; the index stands in streams only."""

    id: str
    function: FunctionCall
    type: Literal["function"] = "function"


class Spoken(msgspec.Struct):
    id: str
    data: str
    transcript: str
    expires_at: int = 0


class _Address(msgspec.Struct):
    url: str


class Picture(msgspec.Struct, tag_field="type", tag="image_url"):
    """OpenRouter's place for a picture that a model made."""

    image_url: _Address
    index: int


class _Message(msgspec.Struct, omit_defaults=True):
    role: str
    content: str | None
    refusal: str | None
    annotations: list[Annotation] | None = None
    reasoning_content: str | None = None
    reasoning_details: list[Detail] | None = None
    audio: Spoken | None = None
    images: list[Picture] | None = None
    tool_calls: list[CalledTool] | None = None


class _Answer(msgspec.Struct):
    index: int
    message: _Message
    logprobs: Logprobs | None
    finish_reason: str


class _Reply(msgspec.Struct, omit_defaults=True):
    id: str
    object: str
    created: int
    model: str
    choices: list[_Answer]
    usage: UsageObject | None = None
    service_tier: str | None = None
    system_fingerprint: str | None = None


def write_reply(reply: ChatReply, chat: Chat) -> bytes:
    """See `Server.write_reply`."""
    name = answer_id(reply.id)
    return _encode(
        _Reply(
            name,
            "chat.completion",
            reply.created,
            chat.model,
            [_answer(at, choice, name) for at, choice in enumerate(reply.choices)],
            None if reply.usage is None else usage_object(reply.usage),
            known_tier(reply.service_tier),
            reply.fingerprint or None,
        )
    )


def answer_id(name: str, otherwise: str = "") -> str:
    return name if name.startswith("chatcmpl") else _PREFIX + (name or otherwise)


def known_tier(tier: str) -> str | None:
    """None for what OpenAI's types do not know."""
    return tier if tier in {"auto", "default", "flex", "scale", "priority", "fast"} else None


def picture(media: Media, index: int) -> Picture:
    return Picture(_Address(data_url(media, "image/png") if media.data else media.url), index)


def annotation(found: Citation, offset: int) -> Annotation:
    """`offset` is where its text part begins in the message's content."""
    start = offset + (found.start or 0)
    end = start if found.end is None else offset + found.end
    return Annotation(UrlCitation(found.url, found.title or found.document, start, end))


def _answer(index: int, choice: Choice, name: str) -> _Answer:
    message = _Message("assistant", None, None)
    _fill(message, choice.parts, name, index)
    return _Answer(
        index,
        message,
        write_logprobs(choice.logprobs),
        write_finish(choice.finish, has_refusal=message.refusal is not None),
    )


def _fill(message: _Message, parts: Sequence[Part], name: str, choice: int) -> None:
    texts: list[str] = []
    thoughts: list[str] = []
    calls: list[CalledTool] = []
    annotations: list[Annotation] = []
    pictures: list[Picture] = []
    has_details = False
    length = 0
    for part in parts:
        if isinstance(part, Text):
            annotations += [annotation(citation, length) for citation in part.citations]
            texts.append(part.text)
            length += len(part.text)
            has_details = has_details or part.seal is not None
        elif isinstance(part, ToolUse):
            calls.append(
                CalledTool(part.id or f"call_{name}_{len(calls)}", FunctionCall(part.name, part.arguments or "{}"))
            )
            has_details = has_details or part.seal is not None
        elif isinstance(part, Reasoning):
            if part.text:
                thoughts.append(part.text)
            has_details = True
        elif isinstance(part, Refusal):
            message.refusal = (message.refusal or "") + part.text
        elif isinstance(part, Media):
            if part.kind == "image":
                pictures.append(picture(part, len(pictures)))
            elif part.kind == "audio":
                message.audio = Spoken(part.file_id or f"audio_{name}_{choice}", part.data, part.transcript)
    if texts:
        message.content = "".join(texts)
    if thoughts:
        message.reasoning_content = BETWEEN_THOUGHTS.join(thoughts)
    message.annotations = annotations or None
    message.images = pictures or None
    message.tool_calls = calls or None
    if has_details:
        message.reasoning_details = write_details(parts) or None
