"""Ollama's calls and streams for tests, and the official SDK's types that read them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Sequence
from typing import Any

from ollama import ChatResponse, GenerateResponse

from gateline.formats.call import read_call
from gateline.formats.dialect import PLAIN, Dialect
from gateline.formats.ollama.reader import StreamReader
from gateline.formats.ollama.sides import CHAT_CLIENT, CHAT_SERVER, GENERATE_SERVER
from gateline.model.chat import Chat, Choice, Media, Part, Reasoning, Refusal, Text, ToolUse, Turn
from gateline.model.chatreply import (
    Began,
    ChatReply,
    Counted,
    Delta,
    Finished,
    ReasoningDelta,
    ReasoningSealed,
    RefusalDelta,
    TextDelta,
    ToolBegan,
    ToolDelta,
)
from gateline.model.usage import Usage

PNG = "iVBORw0KGgo="
AT = "2026-01-02T03:04:05.123456789Z"
CREATED = 1_767_323_045
HI: list[dict[str, Any]] = [{"role": "user", "content": "hi"}]
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOL = {"type": "function", "function": {"name": "weather", "description": "d", "parameters": SCHEMA}}
COUNTS = {
    "total_duration": 5, "load_duration": 1, "prompt_eval_count": 11, "prompt_eval_duration": 1, "eval_count": 7,
    "eval_duration": 2,
}  # fmt: skip


def read(**fields: Any) -> Chat:
    """A call of `/api/chat`."""
    body = json.dumps({"model": "m", "messages": HI, **fields}).encode()
    chat: Chat = CHAT_SERVER.read(read_call(body, "ollama.chat"), body)
    return chat


def read_prompt(**fields: Any) -> Chat:
    """A call of `/api/generate`."""
    body = json.dumps({"model": "m", **fields}).encode()
    chat: Chat = GENERATE_SERVER.read(read_call(body, "ollama.generate"), body)
    return chat


def user(*parts: Part | str) -> Turn:
    return Turn(role="user", parts=[Text(text=part) if isinstance(part, str) else part for part in parts])


def assistant(*parts: Part | str) -> Turn:
    return Turn(role="assistant", parts=user(*parts).parts)


def asked(*turns: Turn, **fields: Any) -> Chat:
    return Chat(model="m", turns=list(turns) or [user("hi")], **fields)


def write(chat: Chat, model: str = "llama", dialect: Dialect = PLAIN) -> tuple[dict[str, Any], list[str]]:
    written = CHAT_CLIENT.write(chat, model, dialect)
    return json.loads(written.body), list(written.dropped)


def line(said: dict[str, Any] | None = None, **fields: Any) -> bytes:
    """One line of a vendor's stream."""
    message = {"role": "assistant", "content": "", **(said or {})}
    told = {"model": "llama", "created_at": AT, "message": message, "done": False, **fields}
    return json.dumps(told, ensure_ascii=False).encode() + b"\n"


def last(reason: str = "stop", **fields: Any) -> bytes:
    return line(done=True, done_reason=reason, **{**COUNTS, **fields})


def called(name: str, arguments: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"function": {"name": name, "arguments": arguments}, **fields}


def deltas_of(stream: bytes, cuts: Iterable[int] = ()) -> tuple[list[Delta], StreamReader]:
    """The deltas of a stream that came in pieces."""
    reader = StreamReader("sk-secret")
    edges = [0, *sorted(cuts), len(stream)]
    deltas: list[Delta] = []
    for begin, end in itertools.pairwise(edges):
        deltas += reader.feed(stream[begin:end])
    deltas += reader.end()
    return deltas, reader


def streamed(deltas: Sequence[Delta], chat: Chat | None = None) -> bytes:
    """The stream that a client of `/api/chat` gets."""
    assert CHAT_SERVER.writer is not None
    writer = CHAT_SERVER.writer(chat or asked(), "request")
    return writer.write(deltas) + writer.end()


def assemble(stream: bytes) -> dict[str, Any]:
    """What a client makes of a stream: each line as the SDK types it, texts and calls added up, the rest from the last
    line."""
    lines = [ChatResponse.model_validate_json(each, strict=True) for each in stream.splitlines()]
    assert [each.done for each in lines] == [False] * (len(lines) - 1) + [True]
    whole = lines[-1].model_dump(exclude_none=True)
    said = whole["message"] = {"role": "assistant", "content": "".join(each.message.content or "" for each in lines)}
    thinking = "".join(each.message.thinking or "" for each in lines)
    calls = [call.model_dump() for each in lines for call in each.message.tool_calls or ()]
    kept = next((each.message.tool_name for each in lines if each.message.tool_name), None)
    probed = [token.model_dump(exclude_none=True) for each in lines for token in each.logprobs or ()]
    said.update({k: v for k, v in (("thinking", thinking), ("tool_calls", calls), ("tool_name", kept)) if v})
    if probed:
        whole["logprobs"] = probed
    return whole


def whole_reply(reply: ChatReply, chat: Chat | None = None) -> dict[str, Any]:
    """The same answer in one piece, as the SDK types it."""
    body = CHAT_SERVER.write_reply(reply, chat or asked())
    return ChatResponse.model_validate_json(body, strict=True).model_dump(exclude_none=True)


def whole_generated(reply: ChatReply) -> GenerateResponse:
    return GenerateResponse.model_validate_json(GENERATE_SERVER.write_reply(reply, asked()), strict=True)


def deltas_for(reply: ChatReply) -> list[Delta]:
    """A stream that says what `reply` does."""
    deltas: list[Delta] = [Began(id=reply.id, model=reply.model, created=reply.created)]
    for index, choice in enumerate(reply.choices):
        tools = 0
        for at, part in enumerate(choice.parts):
            if isinstance(part, ToolUse):
                deltas += _tool(part, tools, index)
                tools += 1
            else:
                deltas += _part(part, index, is_new=at > 0)
        deltas.append(Finished(finish=choice.finish, choice=index))
    if reply.usage is not None:
        deltas.append(Counted(usage=reply.usage))
    return deltas


def _tool(part: ToolUse, index: int, choice: int) -> list[Delta]:
    began = ToolBegan(index=index, id=part.id, name=part.name, seal=part.seal, choice=choice)
    return [began, *(ToolDelta(index=index, arguments=each, choice=choice) for each in part.arguments)]


def _part(part: Part, choice: int, *, is_new: bool) -> list[Delta]:
    if isinstance(part, Text):
        half = len(part.text) // 2
        return [
            TextDelta(text=part.text[:half], choice=choice, is_new=is_new),
            TextDelta(text=part.text[half:], choice=choice, seal=part.seal),
        ]
    if isinstance(part, Refusal):
        return [RefusalDelta(text=part.text, choice=choice)]
    assert isinstance(part, Reasoning)
    deltas: list[Delta] = []
    if not part.is_hidden:
        half = len(part.text) // 2
        deltas.append(ReasoningDelta(text=part.text[:half], choice=choice, is_new=is_new, id=part.id))
        deltas.append(ReasoningDelta(text=part.text[half:], choice=choice, id=part.id))
    if part.seal is not None:
        deltas.append(ReasoningSealed(seal=part.seal, choice=choice, is_hidden=part.is_hidden, id=part.id))
    return deltas


def answered(*parts: Part | str, finish: Any = "stop", usage: Usage | None = None, **fields: Any) -> ChatReply:
    choice = Choice(parts=assistant(*parts).parts, finish=finish)
    return ChatReply(id="x", model="vendor", choices=[choice], created=CREATED, usage=usage, **fields)


def image() -> Media:
    return Media(kind="image", mime="image/png", data=PNG)
