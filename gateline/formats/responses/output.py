"""Output items as clients of this format get them, and the parts of an answer as such items."""

from __future__ import annotations

from typing import Literal

import msgspec

from gateline.formats.responses.items import carry_for_call, carry_for_text, sealed
from gateline.model.chat import Choice, Citation, Media, Part, Reasoning, Refusal, Text, Tokens, ToolUse

Status = Literal["in_progress", "completed", "incomplete"]


class TopLogprob(msgspec.Struct):
    token: str
    bytes: list[int]
    logprob: float


class Logprob(msgspec.Struct):
    token: str
    bytes: list[int]
    logprob: float
    top_logprobs: list[TopLogprob]


class UrlCitation(msgspec.Struct, tag="url_citation"):
    end_index: int
    start_index: int
    title: str
    url: str


class FileCitation(msgspec.Struct, tag="file_citation"):
    file_id: str
    filename: str
    index: int


AnnotationObject = UrlCitation | FileCitation


class OutputText(msgspec.Struct, tag="output_text"):
    text: str
    annotations: list[AnnotationObject] = []
    logprobs: list[Logprob] = []


class RefusalPart(msgspec.Struct, tag="refusal"):
    refusal: str


class SummaryText(msgspec.Struct, tag="summary_text"):
    text: str


class MessageItem(msgspec.Struct, tag="message"):
    id: str
    status: Status
    content: list[OutputText | RefusalPart]
    role: Literal["assistant"] = "assistant"


class CallItem(msgspec.Struct, tag="function_call"):
    """`id` is the item's, `call_id` what a tool's output refers to."""

    id: str
    status: Status
    arguments: str
    call_id: str
    name: str


class ReasoningItem(msgspec.Struct, tag="reasoning", omit_defaults=True):
    id: str
    summary: list[SummaryText]
    encrypted_content: str = ""


class ImageItem(msgspec.Struct, tag="image_generation_call", omit_defaults=True):
    id: str
    status: Literal["in_progress", "completed"]
    result: str | None
    output_format: str = ""


OutputItem = MessageItem | CallItem | ReasoningItem | ImageItem


def logprobs(tokens: list[Tokens] | None) -> list[Logprob]:
    return [
        Logprob(
            token.token,
            _bytes(token),
            token.logprob,
            [TopLogprob(top.token, _bytes(top), top.logprob) for top in token.top],
        )
        for token in tokens or ()
    ]


def _bytes(token: Tokens) -> list[int]:
    return list(token.token.encode("utf-8", "replace")) if token.bytes is None else token.bytes


def annotation(citation: Citation, length: int) -> AnnotationObject:
    """A citation that does not say where it belongs is about the whole text, `length` characters long."""
    start = citation.start or 0
    if citation.url or not (citation.document or citation.title):
        end = length if citation.end is None else citation.end
        return UrlCitation(end, start, citation.title, citation.url)
    return FileCitation(citation.document, citation.title or citation.document, start)


def text_part(text: Text, tokens: list[Tokens] | None) -> OutputText:
    if not text.citations and not tokens:
        return OutputText(text.text)
    length = len(text.text)
    return OutputText(text.text, [annotation(found, length) for found in text.citations], logprobs(tokens))


def image_item(media: Media, item_id: str) -> ImageItem:
    return ImageItem(item_id, "completed", media.data or media.url, media.mime.partition("/")[2])


def reasoning_id(makers: str) -> str:
    """The id that its maker gave to reasoning, where it has this format's shape: it goes back to it with the seal."""
    return makers if makers.startswith("rs_") else ""


def spoken(media: Media) -> str:
    """What is shown of a part that is no text. This format has no place for sound: its transcript is shown."""
    return media.transcript


class Output:
    """The items of one answer. Ids are made from the response's: `suffix` is what is behind its `resp_`."""

    def __init__(self, suffix: str) -> None:
        self.items: list[OutputItem] = []
        self._suffix = suffix
        self._message: MessageItem | None = None

    def item_id(self, prefix: str) -> str:
        return f"{prefix}_{self._suffix}_{len(self.items)}"

    def fill(self, choice: Choice) -> None:
        tokens = choice.logprobs
        for part in choice.parts:
            if isinstance(part, Text):
                self._content(text_part(part, tokens))
                tokens = None
                if part.seal is not None:
                    self._carry(carry_for_text(part.seal))
            elif isinstance(part, Refusal):
                self._content(RefusalPart(part.text))
            else:
                self._other(part)
        if choice.finish in {"length", "filter"} and self.items:
            last = self.items[-1]
            if isinstance(last, MessageItem | CallItem):
                last.status = "incomplete"

    def _other(self, part: Part) -> None:
        if isinstance(part, ToolUse):
            if part.seal is not None:
                self._carry(carry_for_call(part.seal))
            self._add(CallItem(self.item_id("fc"), "completed", part.arguments or "{}", part.id, part.name))
        elif isinstance(part, Reasoning) and (part.text or part.seal is not None):
            summary = [SummaryText(part.text)] if part.text else []
            identifier = reasoning_id(part.id) or self.item_id("rs")
            self._add(ReasoningItem(identifier, summary, "" if part.seal is None else sealed(part.seal)))
        elif isinstance(part, Media):
            if part.kind == "image":
                self._add(image_item(part, self.item_id("ig")))
            elif spoken(part):
                self._content(OutputText(spoken(part)))

    def _content(self, content: OutputText | RefusalPart) -> None:
        if self._message is None:
            self._message = message = MessageItem(self.item_id("msg"), "completed", [])
            self.items.append(message)
        self._message.content.append(content)

    def _carry(self, content: str) -> None:
        self._add(ReasoningItem(self.item_id("rs"), [], content))

    def _add(self, item: OutputItem) -> None:
        self._message = None
        self.items.append(item)
