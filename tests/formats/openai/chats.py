"""Chats and replies for the tests of OpenAI's format, and the official SDK's view of what is written."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from typing import Any

from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from gateline.formats.call import read_call
from gateline.formats.openai.chat_body import read_chat
from gateline.formats.openai.chat_reader import ChatReader
from gateline.formats.openai.chat_writer import DONE, ChatWriter
from gateline.model.chat import Chat, Choice, Media, Part, Reasoning, Refusal, Text, ToolUse, Turn
from gateline.model.chatreply import (
    Began,
    ChatReply,
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
from gateline.model.usage import Usage
from gateline.wire.sse import EventSplitter, event_data


def asked(**fields: Any) -> Chat:
    """The neutral call of a client's body."""
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hi"}], **fields}).encode()
    return read_chat(read_call(body, "chat.completions"), body)


def plain(**fields: Any) -> Chat:
    """A neutral call with one turn."""
    return Chat(**{"model": "m", "turns": [Turn(role="user", parts=[Text(text="hi")])], **fields})


def deltas_of(reply: ChatReply) -> list[Delta]:
    """The stream that says what `reply` says, texts in pieces."""
    deltas: list[Delta] = [Began(id=reply.id, model=reply.model, created=reply.created, fingerprint=reply.fingerprint)]
    for at, choice in enumerate(reply.choices):
        deltas += _choice(choice, at)
    if reply.usage is not None:
        deltas.append(Counted(usage=reply.usage))
    return deltas


def _choice(choice: Choice, at: int) -> Iterator[Delta]:
    tools = 0
    last: object = None
    for part in choice.parts:
        if isinstance(part, Text):
            for first, text in _pieces(part.text):
                yield TextDelta(text=text, choice=at, is_new=first and isinstance(last, Text))
            for citation in part.citations:
                yield Cited(citation=citation, choice=at)
            if part.seal is not None:
                yield TextDelta(text="", choice=at, seal=part.seal)
        elif isinstance(part, Reasoning):
            for first, text in _pieces(part.text):
                yield ReasoningDelta(text=text, choice=at, is_new=first and isinstance(last, Reasoning))
            if part.seal is not None:
                yield ReasoningSealed(seal=part.seal, choice=at, is_hidden=part.is_hidden, id=part.id)
        elif isinstance(part, ToolUse):
            yield ToolBegan(index=tools, id=part.id, name=part.name, choice=at, seal=part.seal)
            for _, text in _pieces(part.arguments):
                yield ToolDelta(index=tools, arguments=text, choice=at)
            tools += 1
        elif isinstance(part, Refusal):
            for _, text in _pieces(part.text):
                yield RefusalDelta(text=text, choice=at)
        elif isinstance(part, Media):
            yield MediaDelta(media=part, choice=at)
        last = part
    yield Finished(finish=choice.finish, choice=at)


def _pieces(text: str) -> list[tuple[bool, str]]:
    half = len(text) // 2
    pieces = [piece for piece in (text[:half], text[half:]) if piece]
    return [(at == 0, piece) for at, piece in enumerate(pieces)]


def streamed(deltas: Sequence[Delta], chat: Chat) -> bytes:
    """What a client of `chat` gets, each delta written by itself."""
    writer = ChatWriter(chat, "req-1")
    return b"".join(writer.write([delta]) for delta in deltas) + writer.end()


def chunks(stream: bytes) -> list[ChatCompletionChunk]:
    """The stream's events, as the official type. It must end in `[DONE]`."""
    assert stream.endswith(DONE)
    datas = [event_data(event) for event in EventSplitter().feed(stream)]
    return [ChatCompletionChunk.model_validate_json(data, strict=True) for data in datas[:-1] if data is not None]


def assembled(stream: bytes) -> dict[str, Any]:
    """What the official SDK puts together from a stream, as it dumps it."""
    state: ChatCompletionStreamState[None] = ChatCompletionStreamState()
    for chunk in chunks(stream):
        state.handle_chunk(chunk)
    return state.current_completion_snapshot.model_dump(exclude_none=True)


def whole(body: bytes) -> dict[str, Any]:
    """A whole reply, as the official SDK dumps it."""
    return ChatCompletion.model_validate_json(body, strict=True).model_dump(exclude_none=True)


def read_stream(stream: bytes, cuts: Sequence[int] = ()) -> tuple[list[Delta], ChatReader]:
    reader = ChatReader("")
    edges = [0, *cuts, len(stream)]
    deltas: list[Delta] = []
    for start, end in itertools.pairwise(edges):
        deltas += reader.feed(stream[start:end])
    reader.end()
    return deltas, reader


def sse(*events: object) -> bytes:
    """A vendor's stream of these objects, with its terminator."""
    return b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events) + DONE


def piece(delta: dict[str, Any], finish: str | None = None, **more: Any) -> dict[str, Any]:
    """One chunk of a vendor's stream."""
    return {
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 7, "model": "gpt",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more,
    }  # fmt: skip


def folded(deltas: Sequence[Delta]) -> ChatReply:
    """The reply that a stream's deltas say: the same parts as `read_reply` finds, texts put together."""
    reply = ChatReply(id="", model="", choices=[])
    for delta in deltas:
        if isinstance(delta, Began):
            reply.id, reply.model, reply.created, reply.fingerprint = (
                delta.id, delta.model, delta.created, delta.fingerprint,
            )  # fmt: skip
        elif isinstance(delta, Counted):
            reply.usage = delta.usage
        else:
            while len(reply.choices) <= delta.choice:
                reply.choices.append(Choice(parts=[], finish="stop"))
            _fold(reply.choices[delta.choice], delta)
    return reply


def _fold(choice: Choice, delta: Any) -> None:
    parts = choice.parts
    last = parts[-1] if parts else None
    if isinstance(delta, TextDelta):
        if isinstance(last, Text) and not delta.is_new:
            last.text += delta.text
        else:
            parts.append(Text(text=delta.text))
        if delta.logprobs is not None:
            choice.logprobs = (choice.logprobs or []) + delta.logprobs
    elif isinstance(delta, ReasoningDelta | ReasoningSealed):
        _fold_reasoning(parts, delta)
    elif isinstance(delta, ToolBegan):
        parts.append(ToolUse(id=delta.id, name=delta.name, seal=delta.seal))
    elif isinstance(delta, ToolDelta):
        [part for part in parts if isinstance(part, ToolUse)][delta.index].arguments += delta.arguments
    elif isinstance(delta, RefusalDelta):
        if isinstance(last, Refusal):
            last.text += delta.text
        else:
            parts.append(Refusal(text=delta.text))
    elif isinstance(delta, Cited):
        text = next(part for part in reversed(parts) if isinstance(part, Text))
        text.citations = [*text.citations, delta.citation]
    elif isinstance(delta, MediaDelta):
        parts.append(delta.media)
    elif isinstance(delta, Finished):
        choice.finish = delta.finish


def _fold_reasoning(parts: list[Part], delta: ReasoningDelta | ReasoningSealed) -> None:
    last = parts[-1] if parts else None
    is_open = isinstance(last, Reasoning) and last.seal is None
    if isinstance(delta, ReasoningDelta):
        if isinstance(last, Reasoning) and is_open and not delta.is_new:
            last.text += delta.text
        else:
            parts.append(Reasoning(text=delta.text))
    elif isinstance(last, Reasoning) and is_open and not delta.is_hidden:
        last.seal, last.id = delta.seal, delta.id
    else:
        parts.append(Reasoning(seal=delta.seal, is_hidden=delta.is_hidden, id=delta.id))


USAGE = Usage(input=9, output=5, cached=4, reasoning=2)
