"""The turns of a conversation as Cohere takes them.

A tool's result is a message of its own; what the model said ahead of a tool's use is its plan
(docs.cohere.com, "Tool use"). The last message is a user's or a tool's.
"""

from __future__ import annotations

import msgspec

from gateline.formats.arguments import arguments_object
from gateline.formats.cohere.media import write_media
from gateline.formats.cohere.message import Content, Function, ToolCall
from gateline.model.chat import Media, Part, Reasoning, Refusal, Text, ToolResult, ToolUse, Turn


class Message(msgspec.Struct, omit_defaults=True):
    role: str
    content: str | list[Content] | None = None
    tool_calls: list[ToolCall] | None = None
    tool_plan: str | None = None
    tool_call_id: str | None = None


class Prompt:
    """`dropped` are the features that no message could carry, each once, in order. `thinks`: the model reasons, and
    takes its thoughts back."""

    __slots__ = ("_thinks", "dropped", "messages")

    def __init__(self, turns: list[Turn], *, thinks: bool) -> None:
        self._thinks = thinks
        self.messages: list[Message] = []
        self.dropped: dict[str, None] = {}
        for turn in turns:
            self._add(turn)
        if self.messages and self.messages[-1].role == "assistant":
            self.messages.pop()
            self.dropped["prefill"] = None

    def _add(self, turn: Turn) -> None:
        if turn.name:
            self.dropped["name"] = None
        if turn.role == "assistant":
            self._answer(turn.parts)
            return
        content: list[Content] = []
        for part in turn.parts:
            if isinstance(part, ToolResult):
                self.messages.append(self._result(part))
            else:
                self._put(content, part)
        if content:
            role = "user" if turn.role == "user" else "system"
            self.messages.append(Message(role, _plain(content)))

    def _answer(self, parts: list[Part]) -> None:
        content: list[Content] = []
        uses: list[ToolCall] = []
        for part in parts:
            if isinstance(part, ToolUse):
                self._note(part)
                arguments = bytes(arguments_object(part.arguments)).decode()
                uses.append(ToolCall(part.id, "function", Function(part.name, arguments)))
            else:
                self._put(content, part)
        message = Message("assistant")
        if uses:
            message.tool_calls = uses
            plan = "\n\n".join(item.text for item in content if item.text)
            message.tool_plan = plan or None
            content = [item for item in content if item.type != "text"]
        if content:
            message.content = _plain(content)
        if content or uses:
            self.messages.append(message)

    def _put(self, content: list[Content], part: Part) -> None:
        """Adds a part that is neither a tool's use nor its result."""
        self._note(part)
        if isinstance(part, Text | Refusal):
            if part.text:
                content.append(Content("text", text=part.text))
        elif isinstance(part, Media):
            item = write_media(part) or (Content("text", text=part.transcript) if part.transcript else None)
            if item is None:
                self.dropped[part.kind] = None
            else:
                content.append(item)
        elif isinstance(part, Reasoning):
            if self._thinks and part.seal is None and part.text:
                content.append(Content("thinking", thinking=part.text))
            else:
                self.dropped["reasoning"] = None

    def _note(self, part: Part) -> None:
        """What no part of Cohere's has."""
        if isinstance(part, Text | Reasoning | ToolUse) and part.seal is not None:
            self.dropped["seal"] = None
        if isinstance(part, Text) and part.citations:
            self.dropped["citations"] = None
        if not isinstance(part, Reasoning | Refusal) and part.cache:
            self.dropped["cache"] = None

    def _result(self, part: ToolResult) -> Message:
        self._note(part)
        if part.is_error:
            self.dropped["tool_error"] = None
        content: list[Content] = []
        for inner in part.parts:
            self._note(inner)
            item = write_media(inner) if isinstance(inner, Media) else Content("text", text=inner.text)
            if item is not None and item.type == "text":
                content.append(item)
            else:
                self.dropped["tool_media"] = None
        return Message("tool", _plain(content) if content else "", tool_call_id=part.id)


def _plain(content: list[Content]) -> str | list[Content]:
    if len(content) == 1 and content[0].text is not None:
        return content[0].text
    return content
