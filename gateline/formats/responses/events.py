"""The events of a stream, as clients of this format get them.

Each is written with its name ahead of its data, as OpenAI writes them. What an event is about stands in `output_index`
and, of a message, `content_index`; `item_id` repeats it.
"""

from __future__ import annotations

from typing import Any

import msgspec

from gateline.formats.responses.output import (
    AnnotationObject,
    Logprob,
    OutputItem,
    OutputText,
    RefusalPart,
    SummaryText,
)
from gateline.formats.responses.resource import Resource

_encode = msgspec.json.Encoder().encode


_NAMES = {
    "Created": "response.created",
    "InProgress": "response.in_progress",
    "Completed": "response.completed",
    "Incomplete": "response.incomplete",
    "Failed": "response.failed",
    "ItemAdded": "response.output_item.added",
    "ItemDone": "response.output_item.done",
    "PartAdded": "response.content_part.added",
    "PartDone": "response.content_part.done",
    "TextPiece": "response.output_text.delta",
    "TextDone": "response.output_text.done",
    "Annotated": "response.output_text.annotation.added",
    "RefusalPiece": "response.refusal.delta",
    "RefusalDone": "response.refusal.done",
    "SummaryAdded": "response.reasoning_summary_part.added",
    "SummaryPartDone": "response.reasoning_summary_part.done",
    "SummaryPiece": "response.reasoning_summary_text.delta",
    "SummaryDone": "response.reasoning_summary_text.done",
    "ArgumentsPiece": "response.function_call_arguments.delta",
    "ArgumentsDone": "response.function_call_arguments.done",
    "ImageDone": "response.image_generation_call.completed",
    "Error": "error",
    "_Event": "",
}


class _Event(msgspec.Struct, tag_field="type", tag=lambda name: _NAMES[name]):
    """`sequence_number` counts the events of one stream."""


class Created(_Event):
    response: Resource
    sequence_number: int


class InProgress(_Event):
    response: Resource
    sequence_number: int


class Completed(_Event):
    response: Resource
    sequence_number: int


class Incomplete(_Event):
    response: Resource
    sequence_number: int


class Failed(_Event):
    response: Resource
    sequence_number: int


class ItemAdded(_Event):
    item: OutputItem
    output_index: int
    sequence_number: int


class ItemDone(_Event):
    item: OutputItem
    output_index: int
    sequence_number: int


class PartAdded(_Event):
    item_id: str
    output_index: int
    content_index: int
    part: OutputText | RefusalPart
    sequence_number: int


class PartDone(_Event):
    item_id: str
    output_index: int
    content_index: int
    part: OutputText | RefusalPart
    sequence_number: int


class TextPiece(_Event):
    item_id: str
    output_index: int
    content_index: int
    delta: str
    logprobs: list[Logprob]
    sequence_number: int


class TextDone(_Event):
    item_id: str
    output_index: int
    content_index: int
    text: str
    logprobs: list[Logprob]
    sequence_number: int


class Annotated(_Event):
    item_id: str
    output_index: int
    content_index: int
    annotation_index: int
    annotation: AnnotationObject
    sequence_number: int


class RefusalPiece(_Event):
    item_id: str
    output_index: int
    content_index: int
    delta: str
    sequence_number: int


class RefusalDone(_Event):
    item_id: str
    output_index: int
    content_index: int
    refusal: str
    sequence_number: int


class SummaryAdded(_Event):
    item_id: str
    output_index: int
    summary_index: int
    part: SummaryText
    sequence_number: int


class SummaryPartDone(_Event):
    item_id: str
    output_index: int
    summary_index: int
    part: SummaryText
    sequence_number: int


class SummaryPiece(_Event):
    item_id: str
    output_index: int
    summary_index: int
    delta: str
    sequence_number: int


class SummaryDone(_Event):
    item_id: str
    output_index: int
    summary_index: int
    text: str
    sequence_number: int


class ArgumentsPiece(_Event):
    item_id: str
    output_index: int
    delta: str
    sequence_number: int


class ArgumentsDone(_Event):
    item_id: str
    output_index: int
    arguments: str
    name: str
    sequence_number: int


class ImageDone(_Event):
    item_id: str
    output_index: int
    sequence_number: int


class ErrorObject(msgspec.Struct):
    type: str
    code: str | None
    message: str
    param: str | None


class Error(_Event):
    """Its fields stand in it twice: at the top, where the published type has them, and in `error`, where OpenAI sends
    them and its SDKs look for them to raise an error."""

    code: str | None
    message: str
    param: str | None
    error: ErrorObject
    sequence_number: int


_HEADS: dict[type, bytes] = {
    kind: b"event: " + _NAMES[kind.__name__].encode() + b"\ndata: " for kind in _Event.__subclasses__()
}


def written(event: Any) -> bytes:
    """One event with its blank line."""
    return b"%b%b\n\n" % (_HEADS[type(event)], _encode(event))
