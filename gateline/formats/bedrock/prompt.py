"""The turns of a conversation as Converse takes them.

Its rules: instructions stand beside the turns; the first turn is a user's, neighbours of one role are one turn; results
come first in the turn behind their tool uses; no text is blank; beside a document stands a text
(docs.aws.amazon.com, "Message"). Whatever breaks them is answered with 400.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Any

import msgspec

from gateline.formats.arguments import arguments_object
from gateline.formats.bedrock.block import (
    Block,
    ReasoningBlock,
    ReasoningText,
    ToolResultBlock,
    ToolUseBlock,
    write_cache,
)
from gateline.formats.bedrock.media import write_media
from gateline.formats.bedrock.models import Traits
from gateline.formats.bedrock.seals import hidden
from gateline.model.chat import CacheLife, Media, Part, Reasoning, Refusal, Text, ToolResult, ToolUse, Turn

_UNFIT = re.compile(r"[^a-zA-Z0-9_.:-]")
_LONGEST_ID = 64
_MARKS = 4  # the most cache points that the vendor takes


class Message(msgspec.Struct):
    role: str
    content: list[Block]


class Prompt:
    """`dropped` are the features that no block could carry, each once, in order."""

    __slots__ = ("_able", "_names", "dropped", "messages", "system")

    def __init__(self, turns: list[Turn], able: Traits) -> None:
        self._able = able
        self._names: set[str] = set()  # of documents
        self.system: list[Block] = []
        self.messages: list[Message] = []
        self.dropped: dict[str, None] = {}
        for turn in turns:
            self._add(turn)
        self._settle()

    @property
    def ends_in_answer(self) -> bool:
        """Whether the model is to go on with an answer that the client began."""
        return self.messages[-1].role == "assistant"

    def drop_last(self) -> None:
        """Leaves out the beginning of an answer."""
        self.messages.pop()

    def trim_last(self) -> None:
        """The beginning of an answer must not end in white space."""
        last = self.messages[-1].content[-1]
        if last.text is not None:
            last.text = last.text.rstrip()

    @property
    def lacks_thinking(self) -> bool:
        """Whether the model called tools in the turn it is in, and what it thought before is not there: it was another
        model, or the client did not keep it. Claude's thinking by budget is then refused."""
        first: Message | None = None
        for message in reversed(self.messages):
            if message.role == "user":
                if message.content[0].tool_result is None:
                    break
            elif any(block.tool_use is not None for block in message.content):
                first = message
        return first is not None and first.content[0].reasoning_content is None

    @property
    def used_tools(self) -> list[str]:
        """Names of the tools that were called, each once."""
        uses = (block.tool_use for message in self.messages for block in message.content)
        return list(dict.fromkeys(use.name for use in uses if use is not None))

    def bound_marks(self, tools: list[Any]) -> None:
        """The last marks keep the longest prompts, so that the first give way: those of tools stand ahead of all."""
        lists: list[list[Any]] = [tools, self.system, *(message.content for message in self.messages)]
        marked = [(blocks, block) for blocks in lists for block in blocks if block.cache_point is not None]
        for blocks, block in marked[:-_MARKS]:
            blocks[:] = [other for other in blocks if other is not block]
            self.dropped["cache"] = None

    def _settle(self) -> None:
        if not self.messages and self.system:  # a call without a turn is refused, and some clients send only this
            self.messages.append(Message("user", [block for block in self.system if block.text is not None]))
            self.system = []
        if not self.messages or self.messages[0].role != "user":
            self.messages.insert(0, Message("user", [Block(text=".")]))
        for message in self.messages:
            content = message.content
            if message.role == "user" and any(block.tool_result is not None for block in content[1:]):
                content.sort(key=_is_no_result)
            if any(block.document is not None for block in content) and all(block.text is None for block in content):
                content.append(Block(text="."))

    def _add(self, turn: Turn) -> None:
        if turn.name:
            self.dropped["name"] = None
        if turn.role in {"system", "developer"}:
            if any(message.role == "assistant" for message in self.messages):
                self.dropped["system_place"] = None
            for part in turn.parts:
                if isinstance(part, Text) and not _is_blank(part.text):
                    self.system.append(Block(text=part.text))
                    self._mark(self.system, part.cache)
            return
        role = "assistant" if turn.role == "assistant" else "user"
        blocks: list[Block] = []
        for part in turn.parts:
            block = self._block(part, role)
            if block is not None:
                blocks.append(block)
                self._mark(blocks, _life(part))
        if not blocks:
            return
        if self.messages and self.messages[-1].role == role:
            self.messages[-1].content += blocks
        else:
            self.messages.append(Message(role, blocks))

    def _mark(self, blocks: list[Block], life: CacheLife) -> None:
        if not life:
            return
        if self._able.caches:
            blocks.append(Block(cache_point=write_cache(life)))
        else:
            self.dropped["cache"] = None

    def _block(self, part: Part, role: str) -> Block | None:
        if isinstance(part, Text):
            return self._text(part)
        if isinstance(part, ToolUse):
            if part.seal is not None:
                self.dropped["seal"] = None
            use = arguments_object(part.arguments)
            return Block(tool_use=ToolUseBlock(_fit_id(part.id), part.name, use))
        if isinstance(part, ToolResult):
            return self._tool_result(part)
        if isinstance(part, Reasoning):
            return self._reasoning(part)
        if isinstance(part, Refusal):
            return None if _is_blank(part.text) else Block(text=part.text)
        return self._media(part, role)

    def _text(self, part: Text) -> Block | None:
        if part.seal is not None:
            self.dropped["seal"] = None
        if part.citations:
            self.dropped["citations"] = None
        return None if _is_blank(part.text) else Block(text=part.text)

    def _reasoning(self, part: Reasoning) -> Block | None:
        seal = part.seal
        if seal is None or seal.maker != "anthropic" or not self._able.seals:
            self.dropped["reasoning"] = None
            if seal is not None:
                self.dropped["seal"] = None
            return None
        if part.is_hidden:
            return Block(reasoning_content=ReasoningBlock(redacted_content=hidden(seal)))
        return Block(reasoning_content=ReasoningBlock(ReasoningText(part.text, seal.data)))

    def _media(self, part: Media, role: str) -> Block | None:
        block = write_media(part, self._names) if role == "user" else None
        if block is not None:
            return block
        if part.transcript and role == "assistant":
            return Block(text=part.transcript)
        self.dropped[part.kind] = None
        return None

    def _tool_result(self, part: ToolResult) -> Block:
        content: list[Block] = []
        for inner in part.parts:
            if isinstance(inner, Text):
                block = self._text(inner)
            else:
                block = write_media(inner, self._names) if inner.kind in self._able.results else None
                if block is None:
                    self.dropped["tool_media"] = None
            if block is not None:
                content.append(block)
        if part.is_error and not self._able.marks:
            self.dropped["tool_error"] = None
        status = "error" if part.is_error and self._able.marks else None
        return Block(tool_result=ToolResultBlock(_fit_id(part.id), content or [Block(text="(empty)")], status))


def _life(part: Part) -> CacheLife:
    """How long the prompt up to here is to be kept. Marks stand behind whole results."""
    if isinstance(part, Reasoning | Refusal):
        return ""
    if isinstance(part, ToolResult) and not part.cache:
        return next((inner.cache for inner in part.parts if inner.cache), "")
    return part.cache


def _is_no_result(block: Block) -> bool:
    return block.tool_result is None


def _is_blank(text: str) -> bool:
    return not text or text.isspace()


def _fit_id(name: str) -> str:
    """Another vendor's id of a tool use, in the characters and the length that this one allows; the same every time."""
    fit = _UNFIT.sub(lambda match: f"_{ord(match[0]):x}_", name) or "_"
    if len(fit) <= _LONGEST_ID:
        return fit
    return f"{fit[:31]}_{blake2b(name.encode('utf-8', 'replace'), digest_size=16).hexdigest()}"
