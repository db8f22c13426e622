"""A client's bytes, whole or as a stream, as its vendor's own library reads them, with the library's types enforced."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import anthropic.types
import botocore.loaders
import botocore.model
import botocore.validate
import cohere
import ollama
import openai
from anthropic.lib.streaming._messages import accumulate_event
from cohere.v2.types.v2chat_stream_response import V2ChatStreamResponse
from google.genai import types
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import BaseModel, TypeAdapter

from gateline.model.call import Operation
from gateline.wire.eventstream import MessageSplitter
from gateline.wire.sse import EventSplitter, event_data
from tests.contract.sdk import (
    anthropic_messages,
    botocore_converse,
    cohere_chat,
    google_genai,
    ollama_chat,
    openai_chat,
    openai_responses,
)
from tests.contract.shown import Failed, Shown

# What no type of the library names, by the format, and why the format's clients know it all the same.
EXTRA: dict[Operation, frozenset[str]] = {
    "chat.completions": frozenset({"reasoning_content", "reasoning_details", "format", "signature", "data"}),
    # Cohere's own events have what its library's type of the first one leaves out
    "cohere.chat": frozenset({"signature", "content", "tool_plan", "tool_calls", "citations", "reasoning_tokens"}),
    # OpenAI's own objects have them, and so does the Open Responses schema
    "responses": frozenset({"presence_penalty", "frequency_penalty", "store", "error", "name"}),
}


@dataclass(frozen=True, slots=True)
class Reading:
    """`whole` and `stream` raise Failed for what the library shows as an error, ValidationError for what it would not
    have."""

    whole: Callable[[bytes], Shown]
    stream: Callable[[bytes], Shown]


def _reading(whole: Callable[[bytes], Shown], stream: Callable[[bytes], Shown]) -> Reading:
    return Reading(lambda data: _bare(whole(data)), lambda data: _bare(stream(data)))


def _bare(shown: Shown) -> Shown:
    return replace(shown, reply=_without_blanks(shown.reply))


def _without_blanks(value: Any) -> Any:
    """Without nulls and empty lists, which mean the same as nothing, and without what only a library's parser adds."""
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json", exclude={"parsed_output"})
    if isinstance(value, list):
        return [_without_blanks(each) for each in value]
    if isinstance(value, dict):
        return {name: _without_blanks(each) for name, each in value.items() if each is not None and each != []}
    return value


def _events(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Name and data of each server-sent event; every byte belongs to one."""
    splitter = EventSplitter()
    for event in splitter.feed(data):
        name = next((line[7:].decode() for line in event.splitlines() if line.startswith(b"event: ")), "")
        found = event_data(event)
        if found is not None:
            yield name, found
    assert not splitter.rest().strip()


def _check_extra(value: Any, allowed: frozenset[str]) -> None:
    """Fails for a field that no type has."""
    if isinstance(value, BaseModel):
        extra = set(value.model_extra or {}) - allowed
        assert not extra, f"{type(value).__name__} has no {extra}"
        for name in type(value).model_fields:
            _check_extra(getattr(value, name, None), allowed)
    elif isinstance(value, list):
        for each in value:
            _check_extra(each, allowed)


@cache
def _adapter(model: Any) -> TypeAdapter[Any]:
    return TypeAdapter(model)


def _typed(model: Any, data: bytes, operation: Operation) -> Any:
    made = _adapter(model).validate_json(data)
    _check_extra(made, EXTRA.get(operation, frozenset()))
    return made


# --- OpenAI -----------------------------------------------------------------------------------------------------------


def _chat_whole(data: bytes) -> Shown:
    return openai_chat.show(_typed(ChatCompletion, data, "chat.completions"))


def _chat_stream(data: bytes) -> Shown:
    state: ChatCompletionStreamState[Any] = ChatCompletionStreamState()
    events = [event for _, event in _events(data)]
    for event in events:
        if event == b"[DONE]":
            break
        if "error" in json.loads(event):
            raise Failed(None, event.decode())
        chunk = _typed(ChatCompletionChunk, event, "chat.completions")
        # the library's state raises for these ends; its snapshot is what a caller of `create` has
        with suppress(openai.LengthFinishReasonError, openai.ContentFilterFinishReasonError):
            state.handle_chunk(chunk)
    if events[-1] != b"[DONE]":
        raise Failed(None, "no [DONE]")
    shown = openai_chat.show(state.current_completion_snapshot)
    for call in shown.reply.get("tool_calls") or []:
        del call["index"]  # which only a stream has
    return shown


def _response_whole(data: bytes) -> Shown:
    return openai_responses.show(_typed(Response, data, "responses"))


def _response_stream(data: bytes) -> Shown:
    final: Response | None = None
    grown: dict[tuple[str, int], str] = {}
    for number, (name, event) in enumerate(_events(data)):
        made = _typed(ResponseStreamEvent, event, "responses")
        assert (made.type, made.sequence_number) == (name, number)
        if made.type in {"response.failed", "error"}:
            raise Failed(None, event.decode())
        if made.type.endswith(".delta"):
            place = (made.type, made.output_index)
            grown[place] = grown.get(place, "") + made.delta
        if made.type in {"response.completed", "response.incomplete"}:
            final = made.response
    if final is None:
        raise Failed(None, "no response at the end")
    openai_responses.check_pieces(final, grown)
    return openai_responses.show(final)


# --- the others -------------------------------------------------------------------------------------------------------


def _message_whole(data: bytes) -> Shown:
    return anthropic_messages.show(_typed(anthropic.types.Message, data, "messages"))


def _message_stream(data: bytes) -> Shown:
    message: Any = None
    buffers: dict[int, bytes] = {}
    kind = ""
    for name, event in _events(data):
        kind = json.loads(event)["type"]
        assert kind == name
        if kind == "error":
            raise Failed(None, event.decode())
        if kind != "ping":
            made = _typed(anthropic.types.RawMessageStreamEvent, event, "messages")
            message = accumulate_event(event=made, current_snapshot=message, json_bufs=buffers)
    if kind != "message_stop":
        raise Failed(None, "no message_stop")
    return anthropic_messages.show(message)


def _content_whole(data: bytes) -> Shown:
    return _joined(google_genai.show([types.GenerateContentResponse.model_validate_json(data)]))


def _content_stream(data: bytes) -> Shown:
    pieces = []
    for _, event in _events(data):
        if "error" in json.loads(event):
            raise Failed(None, event.decode())
        pieces.append(types.GenerateContentResponse.model_validate_json(event))
    return _joined(google_genai.show(pieces))


def _joined(shown: Shown) -> Shown:
    """With the pieces of a text as one part, as a whole answer has it."""
    parts: list[dict[str, Any]] = []
    for part in shown.reply.parts:
        made = part.model_dump(exclude_none=True)
        last = parts[-1] if parts else {}
        is_text = "text" in made and "text" in last and made.get("thought") == last.get("thought")
        if is_text and "thought_signature" not in last:
            last["text"] += made["text"]
            last.update({"thought_signature": made["thought_signature"]} if "thought_signature" in made else {})
        elif made != {"text": ""}:
            parts.append(made)
    return replace(shown, reply=parts)


def _ollama_whole(data: bytes) -> Shown:
    return ollama_chat.show([ollama.ChatResponse.model_validate_json(data)])


def _ollama_stream(data: bytes) -> Shown:
    lines = data.splitlines()
    for line in lines:
        if "error" in json.loads(line):
            raise Failed(None, line.decode())
    return ollama_chat.show([ollama.ChatResponse.model_validate_json(line) for line in lines])


def _cohere_whole(data: bytes) -> Shown:
    made = _typed(cohere.V2ChatResponse, data, "cohere.chat")
    return cohere_chat.show(made.message.model_dump(mode="json", exclude_unset=True), made.finish_reason, made.usage)


def _cohere_stream(data: bytes) -> Shown:
    message: dict[str, Any] = {"role": "assistant"}
    ended: Any = None
    for name, event in _events(data):
        if event == b"[DONE]":
            break
        made = _typed(V2ChatStreamResponse, event, "cohere.chat")
        assert made.type == name
        if name == "message-end":
            ended = made.delta
        else:
            cohere_chat.grow(message, made.model_dump(mode="json", exclude_unset=True))
    if ended is None or ended.finish_reason in {"ERROR", "TIMEOUT"}:
        raise Failed(None, str(ended))
    return cohere_chat.show(message, ended.finish_reason, ended.usage)


_MODEL = botocore.model.ServiceModel(
    botocore.loaders.Loader().load_service_model("bedrock-runtime", "service-2"), "bedrock-runtime"
)


def _checked(value: dict[str, Any], shape: Any) -> dict[str, Any]:
    """`value` with its bytes decoded, as AWS's model of the service has it: nothing missing, nothing else."""
    found = _decoded(value, shape)
    report = botocore.validate.ParamValidator().validate(found, shape)
    assert not report.has_errors(), report.generate_report()
    return dict(found)


def _decoded(value: Any, shape: Any) -> Any:
    if shape.type_name == "blob":
        return b64decode(value)
    if shape.type_name == "list":
        return [_decoded(each, shape.member) for each in value]
    if shape.type_name == "structure" and not getattr(shape, "is_document_type", False):
        return {
            name: _decoded(each, shape.members[name]) if name in shape.members else each for name, each in value.items()
        }
    return value


def _converse_whole(data: bytes) -> Shown:
    made = _checked(json.loads(data), _MODEL.operation_model("Converse").output_shape)
    return botocore_converse.show(made["output"]["message"], made["stopReason"], made["usage"])


def _converse_stream(data: bytes) -> Shown:
    shape = _MODEL.operation_model("ConverseStream").output_shape.members["stream"]
    events = []
    splitter = MessageSplitter()
    for message in splitter.feed(data):
        headers = dict(message.headers)
        if headers.get(":message-type") != "event":
            raise Failed(None, bytes(message.payload).decode())
        kind = str(headers[":event-type"])
        told = json.loads(bytes(message.payload))
        told.pop("p", None)  # padding, which AWS's own model does not name
        events.append({kind: _checked(told, shape.members[kind])})
    return botocore_converse.from_events(events)


READINGS: dict[Operation, Reading] = {
    "chat.completions": _reading(_chat_whole, _chat_stream),
    "responses": _reading(_response_whole, _response_stream),
    "messages": _reading(_message_whole, _message_stream),
    "generate_content": _reading(_content_whole, _content_stream),
    "converse": _reading(_converse_whole, _converse_stream),
    "cohere.chat": _reading(_cohere_whole, _cohere_stream),
    "ollama.chat": _reading(_ollama_whole, _ollama_stream),
}
