"""A call in no format, between two of our processes: all that its answer will be written from, so without its turns."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec import Raw

from gateline.formats.contract import Ask
from gateline.model.call import KINDS, Operation
from gateline.model.chat import Chat, Output, Tool
from gateline.model.vectors import Count, Embed, Rerank

_ASKS: dict[str, type[Chat] | type[Embed] | type[Rerank] | type[Count]] = {
    "chat": Chat,
    "embeddings": Embed,
    "rerank": Rerank,
    "count": Count,
}
_encode = msgspec.msgpack.Encoder().encode
_replace = msgspec.structs.replace


def pack(ask: Ask) -> bytes:
    """The bytes of `ask` without what it says: turns, inputs, documents."""
    if isinstance(ask, Chat):
        ask = _with_raws(_replace(ask, turns=[]), _raw)
    elif isinstance(ask, Embed):
        ask = _replace(ask, inputs=[])
    elif isinstance(ask, Rerank):
        # Documents may be asked back with their ranks.
        ask = ask if ask.return_documents else _replace(ask, query="", documents=[])
    else:
        ask = Count(chat=_with_raws(Chat(model=ask.chat.model, turns=[], unmapped=ask.chat.unmapped), _raw))
    return _encode(ask)


def unpack(packed: bytes | memoryview, operation: Operation) -> Ask:
    """What `pack` made of a call of `operation`."""
    ask = msgspec.msgpack.decode(packed, type=_ASKS[KINDS[operation]])
    if isinstance(ask, Count):
        ask.chat = _with_raws(ask.chat, _unraw)
    return _with_raws(ask, _unraw) if isinstance(ask, Chat) else ask


def _raw(raw: Raw) -> Raw:
    return Raw(_encode(bytes(raw)))


def _unraw(raw: Raw) -> Raw:
    return Raw(msgspec.msgpack.decode(raw, type=bytes))


def _with_raws(chat: Chat, turn: Callable[[Raw], Raw]) -> Chat:
    """`chat` with each of its raw values turned: JSON cannot stand in MessagePack as it is."""
    tools: list[Tool] = [_replace(tool, schema=turn(tool.schema)) for tool in chat.tools]
    output: Output | None = None if chat.output is None else _replace(chat.output, schema=turn(chat.output.schema))
    return _replace(chat, tools=tools, output=output, voice=turn(chat.voice))
