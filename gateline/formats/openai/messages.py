"""Turns as a vendor's messages, and what they could not carry.

Content that is text alone goes as a string: every vendor reads that, and some nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from gateline.formats.dialect import Dialect
from gateline.formats.openai.media import write_media
from gateline.formats.openai.message import (
    CacheControl,
    ContentPart,
    ExtraContent,
    FunctionCall,
    Google,
    Message,
    ToolCall,
)
from gateline.formats.openai.reasoning_details import NATIVE, write_details
from gateline.model.chat import CacheLife, Maker, Media, Part, Reasoning, Refusal, Text, ToolResult, ToolUse, Turn

# DeepSeek and Moonshot refuse a turn that called tools without any (api-docs.deepseek.com/guides/thinking_mode), even
# where another model or no thinking made it; an empty one counts as none.
_NO_REASONING = " "
_BETWEEN = "\n\n"  # paragraphs, where texts that stood apart become one
_LONGEST_ID = 40
_PLAIN = frozenset({"user", "system"})  # whose text needs nothing but its role
_MAKERS: dict[str, Maker] = {"anthropic": "anthropic", "google": "gemini", "openai": NATIVE}


def write_cache(life: CacheLife) -> CacheControl:
    return CacheControl("ephemeral", "1h" if life == "1h" else None)


class MessageWriter:
    """Writes the messages of one call for a vendor. `dropped` are features it could not carry."""

    __slots__ = ("_dialect", "_maker", "_messages", "dropped")

    def __init__(self, model: str, dialect: Dialect) -> None:
        self._dialect = dialect
        self._maker: Maker | None = None
        if dialect.seals == "extra_content":
            self._maker = "gemini"
        elif dialect.seals:
            self._maker = _MAKERS.get(model.lstrip("~").partition("/")[0])
        self._messages: list[Message] = []
        self.dropped: dict[str, None] = {}

    def write(self, turns: Iterable[Turn]) -> list[Message]:
        messages = self._messages
        for turn in turns:
            role, parts = turn.role, turn.parts
            part = parts[0] if len(parts) == 1 else None
            if isinstance(part, Text) and not part.cache and not turn.name and role in _PLAIN:  # as most are
                messages.append(Message(role, part.text))
                continue
            start = len(messages)
            if role == "assistant":
                self._assistant(parts)
            elif role == "user":
                self._user(parts)
            else:
                self._instructions(turn)
            if turn.name:
                self._name(turn.name, messages[start:])
        return messages

    def _name(self, name: str, messages: Sequence[Message]) -> None:
        if "name" in self._dialect.refuses:
            self.dropped["name"] = None
            return
        for message in messages:
            if message.role != "tool":
                message.name = name

    def _instructions(self, turn: Turn) -> None:
        role = turn.role
        if role == "developer" and not self._dialect.has_developer:
            self.dropped["developer"] = None
            role = "system"
        texts = [part for part in turn.parts if isinstance(part, Text)]
        if texts:
            self._messages.append(Message(role, self._content(texts)))

    def _user(self, parts: Sequence[Part]) -> None:
        """What tools answered comes first: it has to stand right behind their calls. Pictures in it come after all of
        it, since only a user's message may hold any."""
        seen: list[Text | Media] = []
        rest: list[Text | Media] = []
        for part in parts:
            if isinstance(part, ToolResult):
                self._result(part, seen)
            elif isinstance(part, Text | Media):
                rest.append(part)
        if seen or rest:
            content = self._content(seen + rest)
            if content or not seen:
                self._messages.append(Message("user", content))

    def _result(self, part: ToolResult, seen: list[Text | Media]) -> None:
        if part.is_error:
            self.dropped["tool_error"] = None
        if part.cache:
            self._cache(part.cache)
        texts: list[Text | Media] = []
        for inner in part.parts:
            if isinstance(inner, Text):
                texts.append(inner)
            elif "tool_media" in self._dialect.refuses:
                self.dropped["tool_media"] = None
            else:
                seen.append(inner)
        self._messages.append(Message("tool", self._content(texts), tool_call_id=self._tool_id(part.id)))

    def _assistant(self, parts: Sequence[Part]) -> None:
        message = Message("assistant", None)
        texts: list[str] = []
        calls: list[ToolCall] = []
        reasoning: list[Reasoning] = []
        for part in parts:
            if isinstance(part, Text):
                texts.append(part.text)
                self._said(part)
            elif isinstance(part, ToolUse):
                calls.append(self._call(part))
            elif isinstance(part, Reasoning):
                reasoning.append(part)
            elif isinstance(part, Refusal):
                self._refusal(part, message, texts)
            elif isinstance(part, Media):
                self._spoken(part, texts)
        if texts:
            message.content = "".join(texts)
        if calls:
            message.tool_calls = calls
        if self._dialect.seals == "reasoning_details" and self._maker is not None:
            message.reasoning_details = write_details(parts, self._maker) or None
        if reasoning:
            self._reasoning(reasoning, message)
        if calls and self._dialect.replays_reasoning and message.reasoning_content is None:
            message.reasoning_content = _NO_REASONING
        if message.content is not None or message.tool_calls or message.refusal or message.reasoning_details:
            self._messages.append(message)

    def _said(self, part: Text) -> None:
        if part.citations:
            self.dropped["citations"] = None
        if part.seal is not None:
            self.dropped["seal"] = None
        if part.cache:
            self.dropped["cache"] = None

    def _refusal(self, part: Refusal, message: Message, texts: list[str]) -> None:
        """OpenAI has a field for it; to others it is what the model said."""
        if self._dialect.has_developer:
            message.refusal = (message.refusal or "") + part.text
        else:
            texts.append(part.text)

    def _spoken(self, part: Media, texts: list[str]) -> None:
        """An earlier spoken answer is known to the vendor by an id that expires; its words are not."""
        self.dropped[part.kind] = None
        if part.transcript:
            texts.append(part.transcript)

    def _call(self, part: ToolUse) -> ToolCall:
        call = ToolCall(self._tool_id(part.id), "function", FunctionCall(part.name, part.arguments or "{}"))
        if part.cache:
            self.dropped["cache"] = None
        seal = part.seal
        if seal is not None:
            if seal.maker != self._maker:
                self.dropped["seal"] = None
            elif self._dialect.seals == "extra_content":
                call.extra_content = ExtraContent(Google(seal.data))
        return call

    def _tool_id(self, name: str) -> str:
        """OpenAI refuses ids over 40 characters, as others may have made: the same short one for each of them."""
        if len(name) <= _LONGEST_ID or not self._dialect.has_developer:
            return name
        return "call_" + hashlib.blake2b(name.encode(), digest_size=16).hexdigest()

    def _reasoning(self, reasoning: Sequence[Reasoning], message: Message) -> None:
        kept = self._maker if self._dialect.seals == "reasoning_details" else None
        told: list[str] = []
        for part in reasoning:
            is_kept = part.seal is not None and part.seal.maker == kept
            if part.seal is not None and not is_kept:
                self.dropped["seal"] = None
            if part.text and not is_kept:
                told.append(part.text)
        if not told:
            return
        if self._dialect.replays_reasoning:
            message.reasoning_content = _BETWEEN.join(told)
        else:
            self.dropped["reasoning"] = None

    def _content(self, parts: Sequence[Text | Media]) -> str | list[ContentPart]:
        takes_cache = self._dialect.cache_control
        if not takes_cache or not any(part.cache for part in parts):
            texts = [part.text for part in parts if isinstance(part, Text)]
            if len(texts) == len(parts):
                for part in parts:
                    self._cache(part.cache)
                return texts[0] if len(texts) == 1 else _BETWEEN.join(texts)
        written: list[ContentPart] = []
        for part in parts:
            content = ContentPart("text", text=part.text) if isinstance(part, Text) else self._media(part)
            if content is not None:
                written.append(content)
                content.cache_control = self._cache(part.cache)
        return written

    def _media(self, part: Media) -> ContentPart | None:
        content = None if part.kind in self._dialect.refuses else write_media(part)
        if content is None:
            self.dropped[part.kind] = None
        return content

    def _cache(self, life: CacheLife) -> CacheControl | None:
        if not life:
            return None
        if not self._dialect.cache_control:
            self.dropped["cache"] = None
            return None
        return write_cache(life)
