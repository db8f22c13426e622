"""Turns as the input items of a call to a vendor."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from gateline.formats.data_url import data_url
from gateline.formats.dialect import Dialect
from gateline.model.chat import Media, Part, Reasoning, Refusal, Text, ToolResult, ToolUse, Turn

_LONGEST_ID = 64  # characters of a `call_id`: OpenAI answers a longer one with 400
_EXTENSIONS = {"application/pdf": "pdf", "text/plain": "txt", "text/csv": "csv", "text/html": "html"}


class _InputText(msgspec.Struct, tag="input_text"):
    text: str


class _OutputText(msgspec.Struct, tag="output_text"):
    text: str


class _Refusal(msgspec.Struct, tag="refusal"):
    refusal: str


class _Image(msgspec.Struct, tag="input_image", omit_defaults=True):
    detail: str
    image_url: str | None = None
    file_id: str | None = None


class _File(msgspec.Struct, tag="input_file", omit_defaults=True):
    filename: str | None = None
    file_data: str | None = None
    file_url: str | None = None
    file_id: str | None = None


class _Message(msgspec.Struct, tag="message"):
    role: str
    content: str | list[Any]


class _Call(msgspec.Struct, tag="function_call"):
    call_id: str
    name: str
    arguments: str


class _CallOutput(msgspec.Struct, tag="function_call_output"):
    call_id: str
    output: str | list[Any]


class _SummaryText(msgspec.Struct, tag="summary_text"):
    text: str


class _Reasoning(msgspec.Struct, tag="reasoning", omit_defaults=True):
    summary: list[_SummaryText]
    encrypted_content: str
    id: str | None = None


class InputWriter:
    """`dropped` are the features that had to be left out of `items`; `has_seals`: some reasoning goes back."""

    def __init__(self, dialect: Dialect) -> None:
        self.items: list[Any] = []
        self.dropped: list[str] = []
        self.has_seals = False
        self._has_developer = dialect.has_developer
        self._refuses = dialect.refuses
        self._content: list[Any] = []

    def instructions(self, turn: Turn) -> str | None:
        """What a chat's first turn says to the model, if that is what it is; None leaves it to `write`."""
        texts = [part for part in turn.parts if isinstance(part, Text)]
        if turn.role != "system" or turn.name or len(texts) != len(turn.parts):
            return None
        for text in texts:
            self._note_text(text)
        return "\n\n".join([text.text for text in texts]) or None

    def write(self, turn: Turn) -> None:
        if turn.name:
            self._drop("name")
        if turn.role == "assistant":
            self._write_answer(turn.parts)
            return
        role: str = turn.role
        if role == "developer" and not self._has_developer:
            role = "system"
            self._drop("developer")
        for part in turn.parts:
            if isinstance(part, ToolResult):
                self._close(role)
                self.items.append(self._result(part))
            elif isinstance(part, Text):
                self._content.append(self._text(part))
            elif isinstance(part, Media):
                self._add(self._media(part))
        self._close(role)

    def _write_answer(self, parts: list[Part]) -> None:
        for part in parts:
            if isinstance(part, Text):
                self._note_text(part)
                if part.text:
                    self._content.append(_OutputText(part.text))
            elif isinstance(part, Refusal):
                self._content.append(_Refusal(part.text))
            elif isinstance(part, ToolUse):
                self._close("assistant")
                self._note(part)
                self.items.append(_Call(call_id(part.id), part.name, part.arguments or "{}"))
            elif isinstance(part, Reasoning):
                self._reason(part)
            elif isinstance(part, Media):
                self._drop(part.kind)  # what a model made has no place in an input but by its vendor's id
        self._close("assistant")
        while self.items and isinstance(self.items[-1], _Reasoning):
            # "provided without its required following item": an answer that was cut off while it was thought.
            self.items.pop()
            self._drop("reasoning")

    def _reason(self, part: Reasoning) -> None:
        if part.seal is None or part.seal.maker != "openai" or "seal" in self._refuses:
            self._drop("reasoning" if part.text else "seal")
            if part.text and part.seal is not None:
                self._drop("seal")
            return
        self._close("assistant")
        self.has_seals = True
        summary = [_SummaryText(part.text)] if part.text else []
        self.items.append(_Reasoning(summary, part.seal.data, part.id if part.id.startswith("rs_") else None))

    def _result(self, result: ToolResult) -> _CallOutput:
        if result.is_error:
            self._drop("tool_error")
        if result.cache:
            self._drop("cache")
        if all(isinstance(part, Text) for part in result.parts):
            text = "\n".join([part.text for part in result.parts if isinstance(part, Text)])
            return _CallOutput(call_id(result.id), text)
        content: list[Any] = []
        for part in result.parts:
            found = self._text(part) if isinstance(part, Text) else self._media(part)
            if found is not None:
                content.append(found)
        return _CallOutput(call_id(result.id), content)

    def _text(self, part: Text) -> _InputText:
        self._note_text(part)
        return _InputText(part.text)

    def _note_text(self, part: Text) -> None:
        if part.citations:
            self._drop("citations")
        self._note(part)

    def _note(self, part: Text | ToolUse) -> None:
        if part.seal is not None:
            self._drop("seal")
        if part.cache:
            self._drop("cache")

    def _media(self, part: Media) -> _Image | _File | None:
        """None for what this format has no place for."""
        if part.cache:
            self._drop("cache")
        if part.kind not in {"image", "file"} or part.kind in self._refuses:
            self._drop(part.kind)
            return None
        if part.kind == "image":
            url = data_url(part, "image/png") if part.data else part.url or None
            return _Image(part.detail or "auto", url, None if url else part.file_id)
        if part.data:
            mime = part.mime or "application/pdf"
            name = part.name or f"file.{_EXTENSIONS.get(mime, 'pdf')}"
            return _File(name, f"data:{mime};base64,{part.data}")
        return _File(file_url=part.url) if part.url else _File(file_id=part.file_id)

    def _add(self, content: Any) -> None:
        if content is not None:
            self._content.append(content)

    def _close(self, role: str) -> None:
        """The content parts so far become a message; one of nothing but one text is written as a string."""
        content = self._content
        if not content:
            return
        self._content = []
        if len(content) == 1 and isinstance(content[0], _InputText | _OutputText):
            self.items.append(_Message(role, content[0].text))
        else:
            self.items.append(_Message(role, content))

    def _drop(self, feature: str) -> None:
        if feature not in self.dropped:
            self.dropped.append(feature)


def call_id(identifier: str) -> str:
    """The id of a call as every vendor takes it: those of some are longer than OpenAI allows."""
    if len(identifier) <= _LONGEST_ID:
        return identifier
    return "call_" + hashlib.sha256(identifier.encode("utf-8", "replace")).hexdigest()[:48]
