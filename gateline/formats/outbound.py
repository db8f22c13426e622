"""A chat on its way to any vendor: what all of them refuse is set right here, and no format's writer sees it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

from gateline.formats.contract import Written
from gateline.formats.dialect import Dialect
from gateline.formats.holders import readable
from gateline.formats.sealed import for_sealer
from gateline.formats.tool_names import fitted
from gateline.formats.tool_turns import gathered, told_apart
from gateline.model.chat import Chat, Maker, Media, Part, ToolResult, ToolUse
from gateline.model.vectors import Count

Write = Callable[[Any, str, Dialect], Written]
_replace = msgspec.structs.replace


def outbound(
    write: Write, fits: re.Pattern[str] | None, holds: Callable[[Dialect], Maker], native: Maker = ""
) -> Write:
    """`write` of chats, or of counts of them, as its vendor takes them: `fits` are the names of tools that it takes,
    `holds` says whose files it reads, `native` is as in `Client`."""

    def write_outbound(ask: Any, model: str, dialect: Dialect) -> Written:
        is_count = isinstance(ask, Count)
        chat: Chat = ask.chat if is_count else ask
        sent, dropped = _settled(chat, fits, holds, dialect)
        if native and dialect.sealer:
            sent = _replace(sent, turns=for_sealer(sent.turns, native, dialect.sealer))
        if sent is chat:
            return write(ask, model, dialect)
        written = write(_replace(ask, chat=sent) if is_count else sent, model, dialect)
        return Written(written.body, list(dict.fromkeys([*dropped, *written.dropped])))

    return write_outbound


def _settled(
    chat: Chat, fits: re.Pattern[str] | None, holds: Callable[[Dialect], Maker], dialect: Dialect
) -> tuple[Chat, list[str]]:
    """What vendors take of `chat`, which stays as it is, and the features that this leaves out."""
    turns = chat.turns
    dropped: list[str] = []
    kinds = {type(part) for turn in turns for part in turn.parts}
    if Media in kinds or ToolResult in kinds:
        turns, dropped = readable(turns, holds(dialect))
    if ToolResult in kinds:
        turns = gathered(turns)
    if ToolUse in kinds:
        turns = told_apart(turns)
    renamed: dict[str, str] = {}
    if fits is not None and ToolUse in kinds:
        renamed = fitted([part.name for turn in turns for part in turn.parts if isinstance(part, ToolUse)], fits)
    if fits is not None and chat.tools:  # on tools alone hang their own: an answer's are restored without any turns
        renamed |= fitted([tool.name for tool in chat.tools], fits)
    if renamed:
        return _renamed(_replace(chat, turns=turns), renamed), dropped
    return (chat if turns is chat.turns else _replace(chat, turns=turns)), dropped


def _renamed(chat: Chat, names: dict[str, str]) -> Chat:
    choice = chat.tool_choice
    if choice is not None and choice.names:
        choice = _replace(choice, names=[names.get(name, name) for name in choice.names])
    turns = [_replace(turn, parts=[_renamed_part(part, names) for part in turn.parts]) for turn in chat.turns]
    tools = [_replace(tool, name=names.get(tool.name, tool.name)) for tool in chat.tools]
    return _replace(chat, turns=turns, tools=tools, tool_choice=choice)


def _renamed_part(part: Part, names: dict[str, str]) -> Part:
    if isinstance(part, ToolUse | ToolResult) and part.name in names:
        return _replace(part, name=names[part.name])
    return part
