"""Messages of a client into turns.

A result says which tool it is from, but the official client keeps no ids of calls: results are told by `tool_call_id`
where there is one, else by the tool's name, else by their order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from gateline.formats.arguments import arguments_text
from gateline.formats.ollama.media import read_image
from gateline.formats.ollama.message import Message, ToolCall
from gateline.formats.ollama.outline import read_outline
from gateline.formats.waiting import Waiting
from gateline.model.chat import Media, Part, Reasoning, Role, Text, ToolResult, ToolUse, Turn
from gateline.model.errors import BadRequest

_ROLES: dict[str, Role] = {"system": "system", "user": "user", "assistant": "assistant"}


class _Calls:
    """The tool uses so far; `open` are those of the last answer that no result has come for."""

    __slots__ = ("_made", "open")

    def __init__(self) -> None:
        self._made = 0
        self.open = Waiting()

    def name(self, call: ToolCall) -> str:
        """Letters and digits, nine of them: what the strictest vendor takes for an id."""
        self._made += 1
        return call.id or f"call{self._made:05d}"

    def answered(self, message: Message) -> ToolUse | None:
        """Whose result `message` is."""
        name = message.tool_name or message.name
        found = self.open.take_id(message.tool_call_id) if message.tool_call_id else None
        return found or self.open.take_name(name or "")


def read_turns(messages: Sequence[Message]) -> list[Turn]:
    """Raises BadRequest, naming the message."""
    turns: list[Turn] = []
    calls = _Calls()
    was_result = False
    for at, message in enumerate(messages):
        role = message.role.lower()
        if role == "tool":
            result = _result(message, f"messages[{at}]", calls)
            if was_result:
                turns[-1].parts.append(result)
            else:
                turns.append(Turn(role="user", parts=[result]))
        else:
            known = _ROLES.get(role)
            if known is None:
                _refuse(f"messages[{at}].role", f"{message.role[:64]!a} is no role")
            parts = _answer(message, f"messages[{at}]", calls) if known == "assistant" else _said(message)
            if parts:
                turns.append(Turn(role=known, parts=parts))
        was_result = role == "tool"
    return turns


def _said(message: Message) -> list[Part]:
    parts: list[Part] = [read_image(image) for image in message.images or ()]
    if message.content or not parts:
        parts.insert(0, Text(text=message.content or ""))
    return parts


def _answer(message: Message, place: str, calls: _Calls) -> list[Part]:
    """Thinking first, then what was said, then the tools that were called: in the order they came about."""
    content, thinking = message.content or "", message.thinking or ""
    uses = [
        ToolUse(
            id=calls.name(call),
            name=call.function.name,
            arguments=_arguments(call, f"{place}.tool_calls[{index}].function.arguments"),
        )
        for index, call in enumerate(message.tool_calls or ())
    ]
    parts = read_outline(message.tool_name, content, thinking, uses) if message.tool_name else None
    if parts is None:
        parts = [Reasoning(text=thinking)] if thinking else []
        if content:
            parts.append(Text(text=content))
        parts += uses
    parts += [read_image(image) for image in message.images or ()]
    calls.open = Waiting()
    for part in parts:
        if isinstance(part, ToolUse):
            calls.open.add(part)
    return parts


def _arguments(call: ToolCall, place: str) -> str:
    text = arguments_text(call.function.arguments)
    if text and text[0] != "{":
        _refuse(place, "an object is required", "invalid_type")
    return text


def _result(message: Message, place: str, calls: _Calls) -> ToolResult:
    use = calls.answered(message)
    if use is None:
        _refuse(f"{place}.tool_name", "no call of this tool is waiting for a result")
    parts: list[Text | Media] = [Text(text=message.content)] if message.content else []
    parts += [read_image(image) for image in message.images or ()]
    return ToolResult(id=use.id, name=use.name, parts=parts)


def _refuse(place: str, reason: str, code: str = "invalid_value") -> NoReturn:
    raise BadRequest(f"invalid value for `{place}`: {reason}", param=place, code=code)
