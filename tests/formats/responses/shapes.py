"""What a response must look like, by the official types and by the Open Responses schema; and answers to try it on."""

from __future__ import annotations

import json
from typing import Any

from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from gateline.model.chat import (
    Choice,
    Citation,
    Finish,
    Media,
    Part,
    Reasoning,
    Refusal,
    Seal,
    Text,
    Tokens,
    ToolUse,
)
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

# `required` of ResponseResource, openresponses.org.
REQUIRED = {
    "id", "object", "created_at", "completed_at", "status", "incomplete_details", "model", "previous_response_id",
    "instructions", "output", "error", "tools", "tool_choice", "truncation", "parallel_tool_calls", "text", "top_p",
    "presence_penalty", "frequency_penalty", "top_logprobs", "temperature", "reasoning", "user", "usage",
    "max_output_tokens", "max_tool_calls", "store", "background", "service_tier", "metadata", "safety_identifier",
    "prompt_cache_key",
}  # fmt: skip
# Those of them that may be null there.
NULLABLE = {
    "completed_at", "incomplete_details", "previous_response_id", "instructions", "error", "reasoning", "user", "usage",
    "max_output_tokens", "max_tool_calls", "safety_identifier", "prompt_cache_key",
}  # fmt: skip

_EVENTS: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
_RESPONSE = TypeAdapter(Response)


def check_response(response: dict[str, Any]) -> None:
    _RESPONSE.validate_python(response, strict=True)
    assert set(response) >= REQUIRED
    assert {name for name in REQUIRED if response[name] is None} <= NULLABLE


def events_of(stream: bytes) -> list[dict[str, Any]]:
    """The events of a stream, each of them checked."""
    events = []
    for number, event in enumerate(stream.split(b"\n\n")[:-1]):
        name, _, data = event.partition(b"\ndata: ")
        found = json.loads(data)
        assert name == b"event: " + found["type"].encode()
        assert found["sequence_number"] == number
        _EVENTS.validate_python(found, strict=True)
        if "response" in found:
            check_response(found["response"])
        events.append(found)
    return events


USAGE = Usage(100, 50, 40, 20, 10)
PARTS: dict[str, list[Part]] = {
    "text": [Text(text="Hello, wörld")],
    "two texts": [Text(text="one"), Text(text="two")],
    "tools": [
        ToolUse(id="call_1", name="weather", arguments='{"city":"Bonn"}'),
        ToolUse(id="toolu_2", name="time", arguments=""),
    ],
    "text and tool": [Text(text="Let me see."), ToolUse(id="call_1", name="weather", arguments='{"a": 1}')],
    "refusal": [Refusal(text="I will not.")],
    "text and refusal": [Text(text="Well."), Refusal(text="No.")],
    "reasoning": [Reasoning(text="Hm.", seal=Seal("openai", "gAAAA=="), id="rs_1"), Text(text="Yes.")],
    "hidden reasoning": [Reasoning(seal=Seal("anthropic", "EpQB"), is_hidden=True), Text(text="Yes.")],
    "signed reasoning": [Reasoning(text="Hm.", seal=Seal("anthropic", "EpQB+/=")), Text(text="Yes.")],
    "two reasonings": [
        Reasoning(text="Hm.", seal=Seal("anthropic", "a")),
        Reasoning(text="So.", seal=Seal("anthropic", "b")),
        Text(text="Yes."),
    ],
    "sealed tool": [
        ToolUse(id="c1", name="f", arguments="{}", seal=Seal("gemini", "AbCd==")),
        ToolUse(id="c2", name="g", arguments='{"x":[]}'),
    ],
    "sealed text": [Text(text="Sealed.", seal=Seal("gemini", "xyz")), Text(text="Behind.")],
    "citations": [
        Text(
            text="The sky is blue.",
            citations=[Citation(url="https://sky.example/a", title="Sky", start=4, end=7)],
        )
    ],
    "image": [Text(text="Here:"), Media(kind="image", mime="image/png", data="iVBORw0KGgo=")],
}


def reply_of(parts: list[Part], finish: Finish | None = None, logprobs: list[Tokens] | None = None) -> ChatReply:
    if finish is None:
        finish = "tool" if any(isinstance(part, ToolUse) for part in parts) else "stop"
        finish = "refusal" if any(isinstance(part, Refusal) for part in parts) else finish
    choice = Choice(parts=parts, finish=finish, logprobs=logprobs)
    return ChatReply(id="resp_abc", model="vendor-model", choices=[choice], created=1_700_000_000, usage=USAGE)


def deltas_of(reply: ChatReply, size: int = 3) -> list[Delta]:
    """The reply as a stream, text in pieces of `size`."""
    deltas: list[Delta] = [Began(id=reply.id, model=reply.model, created=reply.created)]
    tools = 0
    texts = 0
    choice = reply.choices[0]
    for part in choice.parts:
        if isinstance(part, Text):
            pieces = _cut(part.text, size)
            for number, piece in enumerate(pieces):
                is_new = number == 0 and texts > 0
                logprobs = choice.logprobs if number == 0 and texts == 0 else None
                deltas.append(TextDelta(text=piece, is_new=is_new, logprobs=logprobs))
            texts += 1
            deltas += [Cited(citation=citation) for citation in part.citations]
            if part.seal is not None:
                deltas.append(TextDelta(text="", seal=part.seal))
        elif isinstance(part, ToolUse):
            deltas.append(ToolBegan(index=tools, id=part.id, name=part.name, seal=part.seal))
            deltas += [ToolDelta(index=tools, arguments=piece) for piece in _cut(part.arguments, size) if piece]
            tools += 1
        elif isinstance(part, Reasoning):
            if part.text:
                for number, piece in enumerate(_cut(part.text, size)):
                    deltas.append(ReasoningDelta(text=piece, is_new=number == 0, id=part.id))
            if part.seal is not None:
                deltas.append(ReasoningSealed(seal=part.seal, is_hidden=part.is_hidden, id=part.id))
        elif isinstance(part, Refusal):
            deltas += [RefusalDelta(text=piece) for piece in _cut(part.text, size)]
        elif isinstance(part, Media):
            deltas.append(MediaDelta(media=part))
    deltas.append(Finished(finish=choice.finish))
    if reply.usage is not None:
        deltas.append(Counted(usage=reply.usage))
    return deltas


def _cut(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)] or [""]
