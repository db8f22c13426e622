"""Turns as `contents` for a Gemini model.

What the API answers with 400 and is kept from it here: empty parts and contents, two contents of one role in a row,
function responses that do not come first behind their calls, signatures of other makers.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import Raw

from gateline.formats.arguments import arguments_object
from gateline.formats.gemini.content import Content, FunctionCall, FunctionResponse, Part
from gateline.formats.gemini.media import write_media
from gateline.formats.gemini.thinking import generation
from gateline.formats.typed import UNREAD
from gateline.model.chat import Chat, Media, Reasoning, Refusal, Seal, Text, ToolResult, ToolUse, Turn
from gateline.model.chat import Part as ChatPart

# For calls of the current turn that no Gemini made: ai.google.dev/gemini-api/docs/thought-signatures, its FAQ. Gemini 3
# answers 400 when the first call of a step has no signature; those beside it have none of their own.
UNSIGNED = "skip_thought_signature_validator"

_IN_RESPONSES = frozenset({"image/png", "image/jpeg", "image/webp", "application/pdf", "text/plain"})
_decode_object = msgspec.json.Decoder(dict[str, Raw]).decode
_encode = msgspec.json.Encoder().encode


class Response(msgspec.Struct, omit_defaults=True):
    output: Raw | None = None
    error: Raw | None = None


class ContentWriter:
    """Writes one chat's turns. `dropped` collects the features that could not be carried."""

    __slots__ = ("_fetches", "_generation", "_names", "dropped")

    def __init__(self, model: str) -> None:
        self._generation = generation(model)
        self._fetches = self._generation >= (2, 5) or self._generation == (0, 0)
        self._names: dict[str, str] = {}  # of the calls so far, by id
        self.dropped: dict[str, None] = {}

    def write(self, chat: Chat) -> tuple[list[Content], Content | None]:
        """The contents and the system instruction."""
        system: list[Part] = []
        contents: list[Content] = []
        for turn in chat.turns:
            if turn.name:
                self.dropped["name"] = None
            if turn.role in {"system", "developer"}:
                if any(content.role == "model" for content in contents):
                    self.dropped["system_place"] = None
                system += [Part(text=part.text) for part in self._texts(turn)]
                continue
            role = "model" if turn.role == "assistant" else "user"
            parts = [written for part in turn.parts for written in self._part(part)]
            if contents and contents[-1].role == role:
                contents[-1].parts += parts
            elif parts:
                contents.append(Content(parts, role))
        for content in contents:
            if content.role == "user":
                # Stable: responses first, all else as it came.
                content.parts.sort(key=lambda part: part.function_response is None)
        if self._generation >= (3, 0):
            _sign_calls(contents)
        if not contents and system:  # a model answers to a user
            return [Content(system, "user")], None
        return contents, Content(system) if system else None

    def _texts(self, turn: Turn) -> Iterator[Text]:
        for part in turn.parts:
            if isinstance(part, Text) and part.text:
                self._note_cache(part)
                yield part

    def _part(self, part: ChatPart) -> Iterator[Part]:
        if isinstance(part, Text):
            yield from self._text(part)
        elif isinstance(part, ToolUse):
            self._note_cache(part)
            self._names[part.id] = part.name
            call = FunctionCall(part.name, arguments_object(part.arguments), part.id or None)
            yield Part(function_call=call, thought_signature=self._signature(part.seal))
        elif isinstance(part, ToolResult):
            yield from self._result(part)
        elif isinstance(part, Media):
            yield from self._media(part)
        elif isinstance(part, Reasoning):
            yield from self._reasoning(part)
        elif isinstance(part, Refusal) and part.text:
            yield Part(text=part.text)

    def _text(self, part: Text) -> Iterator[Part]:
        self._note_cache(part)
        if part.citations:
            self.dropped["citations"] = None
        signature = self._signature(part.seal)
        if part.text or signature is not None:
            yield Part(text=part.text, thought_signature=signature)

    def _reasoning(self, part: Reasoning) -> Iterator[Part]:
        """Thoughts go back only with their signature: without, they are summaries that Gemini has no use for."""
        signature = self._signature(part.seal)
        if signature is None:
            if part.text or part.seal is None:
                self.dropped["reasoning"] = None
        elif part.text:
            yield Part(text=part.text, thought=True, thought_signature=signature)
        else:
            yield Part(text="", thought_signature=signature)

    def _media(self, part: Media) -> Iterator[Part]:
        self._note_cache(part)
        written = write_media(part, fetches=self._fetches)
        if written is None:
            self.dropped[part.kind] = None
        else:
            yield written

    def _result(self, result: ToolResult) -> Iterator[Part]:
        """Media inside a response is for Gemini 3 (ai.google.dev/gemini-api/docs/function-calling, "Multimodal function
        responses"); elsewhere it stands behind."""
        self._note_cache(result)
        name = result.name or self._names.get(result.id, "") or result.id
        texts: list[str] = []
        inner: list[Part] = []
        beside: list[Part] = []
        for part in result.parts:
            if isinstance(part, Text):
                texts.append(part.text)
                continue
            for written in self._media(part):
                blob = written.inline_data
                if self._generation >= (3, 0) and blob is not None and blob.mime_type in _IN_RESPONSES:
                    inner.append(written)
                else:
                    beside.append(written)
        value = _value("\n".join(texts))
        response = Response(error=value) if result.is_error else Response(output=value)
        yield Part(function_response=FunctionResponse(name, Raw(_encode(response)), result.id or None, inner or None))
        yield from beside

    def _signature(self, seal: Seal | None) -> str | None:
        if seal is None:
            return None
        if seal.maker != "gemini":
            self.dropped["seal"] = None
            return None
        return seal.data

    def _note_cache(self, part: Text | Media | ToolUse | ToolResult) -> None:
        if part.cache:
            self.dropped["cache"] = None


def _sign_calls(contents: list[Content]) -> None:
    """The first call of every step of the current turn, which began no earlier than with the last thing that the user
    said and no tool. One signature too many, where both came at once, does no harm."""
    start = 0
    for at, content in enumerate(contents):
        if content.role == "user" and all(part.function_response is None for part in content.parts):
            start = at
    for content in contents[start:]:
        if content.role == "model":
            first = next((part for part in content.parts if part.function_call is not None), None)
            if first is not None and first.thought_signature is None:
                first.thought_signature = UNSIGNED


def _value(text: str) -> Raw:
    """An object as it is, so that the model sees fields and no escapes; anything else as a string."""
    if text[:1] == "{":
        raw = text.encode("utf-8", "replace")
        try:
            _decode_object(raw)
            msgspec.json.decode(raw)  # the pass over the fields skips strings
        except UNREAD:
            pass
        else:
            return Raw(raw)
    return Raw(_encode(text.encode("utf-8", "replace").decode()))
