"""A whole answer of `/api/chat` and of `/api/generate`, in both directions."""

from __future__ import annotations

from hashlib import blake2b

import msgspec
from msgspec import Raw

from gateline.formats.arguments import arguments_object, arguments_text
from gateline.formats.moment import EPOCH, rfc3339, unix_seconds
from gateline.formats.ollama.error import raise_reported
from gateline.formats.ollama.finish import read_finish, write_finish
from gateline.formats.ollama.logprobs import Logprob, read_logprobs, write_logprobs
from gateline.formats.ollama.message import ABSENT, ToolCall, WrittenCall, WrittenFunction
from gateline.formats.ollama.outline import Outline
from gateline.formats.ollama.usage import usage_of_counts
from gateline.formats.omitted import words_for
from gateline.formats.typed import read_vendor
from gateline.model.chat import Chat, Choice, Media, Part, Reasoning, Refusal, Text, ToolUse
from gateline.model.chatreply import ChatReply
from gateline.model.errors import UpstreamBroken
from gateline.model.usage import Usage

VENDOR = "Ollama"


class _Said(msgspec.Struct):
    content: str | None = None
    thinking: str | None = None
    tool_calls: list[ToolCall] | None = None


class Line(msgspec.Struct):
    """A whole reply, or one line of a stream."""

    message: _Said | None = None
    model: str = ""
    created_at: str = ""
    done: bool = False
    done_reason: str | None = None
    error: Raw = ABSENT
    logprobs: list[Logprob] | None = None
    prompt_eval_count: int | None = None
    prompt_eval_cached_count: int | None = None
    eval_count: int | None = None

    def usage(self) -> Usage | None:
        return usage_of_counts(self.prompt_eval_count, self.prompt_eval_cached_count, self.eval_count)


class WrittenSaid(msgspec.Struct, omit_defaults=True):
    role: str
    content: str
    thinking: str = ""
    tool_calls: list[WrittenCall] | None = None
    tool_name: str = ""


class End(msgspec.Struct, omit_defaults=True):
    """What stands beside the last of an answer. How long its parts took is known to nobody here: left out, as Ollama
    leaves out what is zero."""

    done: bool
    done_reason: str
    logprobs: list[Logprob] | None = None
    prompt_eval_count: int | None = None
    prompt_eval_cached_count: int | None = None
    eval_count: int | None = None


class _ChatReply(End, kw_only=True):
    model: str
    created_at: str
    message: WrittenSaid


class _Generated(End, kw_only=True):
    model: str
    created_at: str
    response: str
    thinking: str = ""


decoder = msgspec.json.Decoder(Line)
_encode = msgspec.json.Encoder().encode


def read_reply(body: bytes, secret: str) -> ChatReply:
    """Raises UpstreamBroken for what is no reply, UpstreamError for an error."""
    line = read_vendor(decoder, body, VENDOR)
    raise_reported(line.error, secret)
    said = line.message
    if said is None:
        raise UpstreamBroken("Ollama answered without a message.")
    parts: list[Part] = []
    if said.thinking:
        parts.append(Reasoning(text=said.thinking))
    if said.content:
        parts.append(Text(text=said.content))
    uses = said.tool_calls or ()
    parts += [read_use(call, at, line.created_at) for at, call in enumerate(uses)]
    return ChatReply(
        id=name_of(line.created_at),
        model=line.model,
        created=unix_seconds(line.created_at),
        choices=[
            Choice(
                parts=parts,
                finish=read_finish(line.done_reason, has_tools=bool(uses)),
                logprobs=read_logprobs(line.logprobs) if line.logprobs else None,
            )
        ],
        usage=line.usage(),
    )


def read_use(call: ToolCall, index: int, created_at: str) -> ToolUse:
    name = call.id or f"call_{name_of(f'{created_at}#{index}')}"
    return ToolUse(id=name, name=call.function.name, arguments=arguments_text(call.function.arguments))


def name_of(created_at: str) -> str:
    """Servers name no answers, and older ones no calls; but they say to the nanosecond when they answered, and from
    that a name is made."""
    return blake2b(created_at.encode("utf-8", "replace"), digest_size=12).hexdigest() if created_at else ""


def write_reply(reply: ChatReply, chat: Chat) -> bytes:
    """See `Server.write_reply`. The first answer: Ollama has but one."""
    choice, said = _flat(reply)
    end = end_of(choice, reply.usage)
    return _encode(
        _ChatReply(
            model=chat.model,
            created_at=rfc3339(reply.created) or EPOCH,
            message=said,
            **msgspec.structs.asdict(end),
        )
    )


def write_generated(reply: ChatReply, chat: Chat) -> bytes:
    """The same of `/api/generate`."""
    choice, said = _flat(reply)
    return _encode(
        _Generated(
            model=chat.model,
            created_at=rfc3339(reply.created) or EPOCH,
            response=said.content,
            thinking=said.thinking,
            **msgspec.structs.asdict(end_of(choice, reply.usage)),
        )
    )


def end_of(choice: Choice, usage: Usage | None) -> End:
    end = End(True, write_finish(choice.finish), None if choice.logprobs is None else write_logprobs(choice.logprobs))
    if usage is not None:
        end.prompt_eval_count = usage.input
        end.prompt_eval_cached_count = usage.cached or None
        end.eval_count = usage.output
    return end


def _flat(reply: ChatReply) -> tuple[Choice, WrittenSaid]:
    choice = reply.choices[0] if reply.choices else Choice(parts=[], finish="stop")
    outline = Outline()
    content: list[str] = []
    thinking: list[str] = []
    calls: list[WrittenCall] = []
    for part in choice.parts:
        if isinstance(part, Text):
            outline.say(part.text, part.seal, is_new=True)
            content.append(part.text)
        elif isinstance(part, Reasoning):
            if not part.is_hidden:
                thinking.append(outline.think(part.text, part.id, is_new=True))
            if part.seal is not None:
                outline.seal(part.seal, part.id, is_hidden=part.is_hidden)
        elif isinstance(part, ToolUse):
            outline.call(part.id, part.seal)
            calls.append(write_call(len(calls), part.id, part.name, part.arguments))
        elif isinstance(part, Refusal | Media):
            text = part.text if isinstance(part, Refusal) else words_for(part)
            outline.say(text)
            content.append(text)
    said = WrittenSaid("assistant", "".join(content), "".join(thinking), calls or None, outline.written())
    return choice, said


def write_call(index: int, name: str, tool: str, arguments: str) -> WrittenCall:
    return WrittenCall(name, WrittenFunction(index, tool, arguments_object(arguments)))
