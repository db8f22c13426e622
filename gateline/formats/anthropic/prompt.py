"""The turns of a conversation as Anthropic takes them.

Its rules: instructions stand beside the turns, for some models also behind a user's that an answer or nothing follows;
neighbours of one role are one turn; results come first in the turn behind their tool uses; a text is more than white
space; a tool use's id is made of few characters (platform.claude.com/docs, "Messages", "Mid-conversation system
messages" and "Tool use"). Whatever breaks them is answered with 400.
"""

from __future__ import annotations

import re

import msgspec

from gateline.formats.anthropic.block import (
    DocumentBlock,
    ImageBlock,
    RedactedBlock,
    TextBlock,
    ThinkingBlock,
    ToolResultBlock,
    ToolUseBlock,
    WrittenBlock,
    write_cache,
)
from gateline.formats.anthropic.media import write_media
from gateline.formats.arguments import arguments_object
from gateline.model.chat import Media, Part, Reasoning, Refusal, Text, ToolResult, ToolUse, Turn

_ID = re.compile(r"[a-zA-Z0-9_-]+")
_UNFIT = re.compile(r"[^a-zA-Z0-9_-]")


class Message(msgspec.Struct):
    role: str
    content: list[WrittenBlock]


class Prompt:
    """`dropped` are the features that no block could carry, each once, in order. `instructs`: the model takes
    instructions between turns."""

    __slots__ = ("_instructs", "_waiting", "dropped", "messages", "system")

    def __init__(self, turns: list[Turn], *, instructs: bool = False) -> None:
        self._instructs = instructs
        self._waiting: list[TextBlock] = []  # instructions that came between turns
        self.system: list[TextBlock] = []
        self.messages: list[Message] = []
        self.dropped: dict[str, None] = {}
        for turn in turns:
            self._add(turn)
        self._place()
        for message in self.messages:
            if message.role == "user" and any(isinstance(block, ToolResultBlock) for block in message.content[1:]):
                message.content.sort(key=_is_no_result)
        if not self.messages and self.system:  # a call without a turn is refused, and some clients send only this
            self.messages.append(Message("user", list(self.system)))
            self.system = []

    @property
    def ends_in_answer(self) -> bool:
        """Whether the model is to go on with an answer that the client began."""
        return bool(self.messages) and self.messages[-1].role == "assistant"

    def drop_last(self) -> None:
        """Leaves out the beginning of an answer."""
        self.messages.pop()

    def trim_last(self) -> None:
        """The beginning of an answer must not end in white space."""
        last = self.messages[-1].content[-1]
        if isinstance(last, TextBlock):
            last.text = last.text.rstrip()

    @property
    def lacks_thinking(self) -> bool:
        """Whether the model called tools in the turn it is in, and what it thought before is not there: it was another
        model, or the client did not keep it. Thinking by budget is then refused."""
        first: Message | None = None
        for message in reversed(self.messages):
            if message.role == "user":
                if not isinstance(message.content[0], ToolResultBlock):
                    break
            elif any(isinstance(block, ToolUseBlock) for block in message.content):
                first = message
        return first is not None and not isinstance(first.content[0], ThinkingBlock | RedactedBlock)

    @property
    def used_tools(self) -> list[str]:
        """Names of the tools that were called, each once."""
        blocks = (block for message in self.messages for block in message.content)
        return list(dict.fromkeys(block.name for block in blocks if isinstance(block, ToolUseBlock)))

    def _add(self, turn: Turn) -> None:
        if turn.name:
            self.dropped["name"] = None
        if turn.role in {"system", "developer"}:
            into = self._waiting if self.messages else self.system
            into += [
                TextBlock(part.text, None, write_cache(part.cache))
                for part in turn.parts
                if isinstance(part, Text) and not _is_blank(part.text)
            ]
            return
        role = "assistant" if turn.role == "assistant" else "user"
        blocks = [block for part in turn.parts if (block := self._block(part, role)) is not None]
        if not blocks:
            return
        if role == "assistant":
            self._place()
        if self.messages and self.messages[-1].role == role:
            self.messages[-1].content += blocks
        else:
            self.messages.append(Message(role, blocks))

    def _place(self) -> None:
        """Instructions between turns stand behind all that the user said there; where they cannot, they join those
        ahead of all turns."""
        if not self._waiting:
            return
        if self._instructs and self.messages[-1].role == "user":
            self.messages.append(Message("system", list(self._waiting)))
        else:
            self.system += self._waiting
            if any(message.role == "assistant" for message in self.messages):  # else nothing was said before them
                self.dropped["system_place"] = None
        self._waiting = []

    def _block(self, part: Part, role: str) -> WrittenBlock | None:
        if isinstance(part, Text):
            return self._text(part)
        if isinstance(part, ToolUse):
            if part.seal is not None:
                self.dropped["seal"] = None
            use = arguments_object(part.arguments)
            return ToolUseBlock(_fit_id(part.id), part.name, use, write_cache(part.cache))
        if isinstance(part, ToolResult):
            return self._tool_result(part)
        if isinstance(part, Reasoning):
            return self._reasoning(part)
        if isinstance(part, Refusal):
            return None if _is_blank(part.text) else TextBlock(part.text)
        return self._media(part, role)

    def _text(self, part: Text) -> TextBlock | None:
        if part.seal is not None:
            self.dropped["seal"] = None
        if part.citations:
            self.dropped["citations"] = None
        return None if _is_blank(part.text) else TextBlock(part.text, None, write_cache(part.cache))

    def _reasoning(self, part: Reasoning) -> WrittenBlock | None:
        seal = part.seal
        if seal is None or seal.maker != "anthropic":
            self.dropped["reasoning"] = None
            if seal is not None:
                self.dropped["seal"] = None
            return None
        return RedactedBlock(seal.data) if part.is_hidden else ThinkingBlock(part.text, seal.data)

    def _media(self, part: Media, role: str) -> WrittenBlock | None:
        block = write_media(part) if role == "user" else None
        if block is not None:
            return block
        if part.transcript and role == "assistant":
            return TextBlock(part.transcript)
        self.dropped[part.kind] = None
        return None

    def _tool_result(self, part: ToolResult) -> ToolResultBlock:
        content: list[TextBlock | ImageBlock | DocumentBlock] = []
        life = part.cache
        for inner in part.parts:
            block = self._text(inner) if isinstance(inner, Text) else write_media(inner)
            if block is not None:
                content.append(block)
                if block.cache_control is not None:  # marks stand on whole results
                    block.cache_control = None
                    life = life or inner.cache
            elif isinstance(inner, Media):
                self.dropped["tool_media"] = None
        return ToolResultBlock(_fit_id(part.id), content or None, part.is_error or None, write_cache(life))


def _is_no_result(block: WrittenBlock) -> bool:
    return not isinstance(block, ToolResultBlock)


def _is_blank(text: str) -> bool:
    return not text or text.isspace()


def _fit_id(name: str) -> str:
    """Another vendor's id of a tool use, in the characters that this one allows; the same every time."""
    return name if _ID.fullmatch(name) else _UNFIT.sub(lambda match: f"_{ord(match[0]):x}_", name) or "_"
