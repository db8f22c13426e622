"""Turns as the messages of a call to Ollama.

A message has one text and its pictures; each result of a tool is a message of its own, and says whose it is. Reasoning
goes back as text, whoever thought it: Ollama's models have no seals.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from gateline.formats.arguments import arguments_object
from gateline.formats.ollama.media import file_text, write_image
from gateline.formats.ollama.message import WrittenCall, WrittenFunction, WrittenMessage
from gateline.formats.omitted import words_instead
from gateline.model.chat import Media, Part, Reasoning, Refusal, Text, ToolResult, ToolUse, Turn

_BREAK = "\n\n"


class Prompt:
    """`dropped` are the features that no message could carry, each once, in order."""

    __slots__ = ("_names", "_refused", "dropped", "messages")

    def __init__(self, turns: Sequence[Turn], refused: Collection[str] = ()) -> None:
        self._refused = refused
        self._names: dict[str, str] = {}  # of tools, by the id of their use
        self.messages: list[WrittenMessage] = []
        self.dropped: dict[str, None] = {}
        for turn in turns:
            if turn.name:
                self.dropped["name"] = None
            if turn.role == "assistant":
                self._answer(turn.parts)
            elif turn.role == "user":
                self._ask(turn.parts)
            else:
                text, _ = self._content(turn.parts)
                if text:
                    self.messages.append(WrittenMessage("system", text))

    def _ask(self, parts: Sequence[Part]) -> None:
        rest: list[Part] = []
        for part in parts:
            if isinstance(part, ToolResult):
                self._result(part)
            else:
                rest.append(part)
        if rest:
            text, images = self._content(rest)
            if text or images or len(rest) == len(parts):
                self.messages.append(WrittenMessage("user", text, images=images or None))

    def _result(self, part: ToolResult) -> None:
        if part.is_error:
            self.dropped["tool_error"] = None
        if part.cache:
            self.dropped["cache"] = None
        text, images = self._content(part.parts, "tool_media")
        name = part.name or self._names.get(part.id, "")
        self.messages.append(WrittenMessage("tool", text, images=images or None, tool_name=name, tool_call_id=part.id))

    def _answer(self, parts: Sequence[Part]) -> None:
        said: list[str] = []
        thought: list[str] = []
        calls: list[WrittenCall] = []
        for part in parts:
            if isinstance(part, Text | Reasoning | ToolUse) and part.seal is not None:
                self.dropped["seal"] = None
            if isinstance(part, Text):
                self._note(part)
                said.append(part.text)
            elif isinstance(part, Refusal):
                said.append(part.text)
            elif isinstance(part, Reasoning):
                if "reasoning" in self._refused:
                    self.dropped["reasoning"] = None
                elif part.text:
                    thought.append(part.text)
            elif isinstance(part, ToolUse):
                if part.cache:
                    self.dropped["cache"] = None
                self._names[part.id] = part.name
                function = WrittenFunction(len(calls), part.name, arguments_object(part.arguments))
                calls.append(WrittenCall(part.id, function))
            elif isinstance(part, Media):
                if part.transcript:
                    said.append(part.transcript)
                else:
                    self.dropped[part.kind] = None
        if said or thought or calls:
            message = WrittenMessage("assistant", "".join(said), _BREAK.join(thought), tool_calls=calls or None)
            self.messages.append(message)

    def _content(self, parts: Sequence[Part], feature: str = "") -> tuple[str, list[str]]:
        """The text and the pictures of `parts`; whatever else they hold is dropped, as `feature` or as what it is,
        and named in the text where nothing is left."""
        texts: list[str] = []
        images: list[str] = []
        omitted: list[str] = []
        for part in parts:
            if isinstance(part, Text):
                self._note(part)
                texts.append(part.text)
            elif isinstance(part, Media):
                if part.cache:
                    self.dropped["cache"] = None
                name = feature or part.kind
                image = write_image(part)
                note = file_text(part) if image is None else None
                if name in self._refused or (image is None and note is None):
                    self.dropped[name] = None
                    omitted.append(words_instead(part))
                elif image is not None:
                    images.append(image)
                elif note is not None:
                    texts.append(note)
        text = _BREAK.join(texts)
        return text if text or images else _BREAK.join(omitted), images

    def _note(self, part: Text) -> None:
        if part.cache:
            self.dropped["cache"] = None
        if part.citations:
            self.dropped["citations"] = None
