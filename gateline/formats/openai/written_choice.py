"""One answer of a chat stream as the client gets it: what its next chunks have to know of those before.

A list in a delta is joined by the SDKs by the `index` of its entries, and strings of one entry are put together: each
string but text is told once.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator

import msgspec

from gateline.formats.openai.answer import BETWEEN_THOUGHTS, Annotation, Picture, annotation, picture
from gateline.formats.openai.message import FunctionCall
from gateline.formats.openai.reasoning_details import (
    TEXT_SEAL,
    Detail,
    encrypted_detail,
    is_signature,
    signature_detail,
    words_detail,
)
from gateline.model.chat import Media
from gateline.model.chatreply import (
    Cited,
    Delta,
    MediaDelta,
    ReasoningDelta,
    ReasoningSealed,
    RefusalDelta,
    TextDelta,
    ToolBegan,
    ToolDelta,
)

_MOST_CITATIONS = 1000

_TEXT_ROLE = b'{"role":"assistant","content":"","refusal":null}'


class _Arguments(msgspec.Struct):
    arguments: str


class _ToolPiece(msgspec.Struct, omit_defaults=True):
    index: int
    function: FunctionCall | _Arguments
    id: str | None = None
    type: str | None = None


class _Sound(msgspec.Struct, omit_defaults=True):
    id: str | None = None
    data: str | None = None
    transcript: str | None = None
    expires_at: int | None = None


class ChunkDelta(msgspec.Struct, omit_defaults=True):
    role: str | None = None
    content: str | msgspec.UnsetType | None = msgspec.UNSET
    refusal: str | msgspec.UnsetType | None = msgspec.UNSET
    reasoning_content: str | None = None
    reasoning_details: list[Detail] | None = None
    tool_calls: list[_ToolPiece] | None = None
    audio: _Sound | None = None
    images: list[Picture] | None = None
    annotations: list[Annotation] | None = None


class WrittenChoice:
    """`opening` begins its chunks, up to the delta."""

    __slots__ = (
        "_annotations", "_details", "_index", "_is_told", "_length", "_pictures", "_rest_of_sound", "_sound", "_start",
        "_thought", "_was_thought", "_without_arguments", "has_refusal", "opening",
    )  # fmt: skip

    def __init__(self, index: int) -> None:
        self._index = index
        self.opening = b'"choices":[{"index":%d,"delta":' % index
        self.has_refusal = False
        self._is_told = False  # the role is
        self._length = 0  # of the content so far, in characters
        self._start = 0  # where its open part begins
        self._details = 0
        self._thought = -1  # the entry of the open block of reasoning
        self._was_thought = False
        self._without_arguments: set[int] = set()
        self._annotations: list[Annotation] = []
        self._pictures = 0
        self._sound = False
        self._rest_of_sound = b""

    def begin_text(self, delta: TextDelta) -> bytes:
        """Counts the text. What goes ahead of it: the role, the first time."""
        self._thought = -1
        if delta.is_new:
            self._start = self._length
        self._length += len(delta.text)
        if self._is_told:
            return b""
        self._is_told = True
        return _TEXT_ROLE

    def chunks(self, delta: Delta, name: str) -> Iterator[ChunkDelta]:
        """The chunks of anything but text and its end. `name` is the answer's id."""
        if isinstance(delta, Cited):
            # The SDKs join lists by index, which annotations have none of: all go in one chunk.
            if len(self._annotations) < _MOST_CITATIONS:
                self._annotations.append(annotation(delta.citation, self._start))
            return
        if not self._is_told:
            self._is_told = True
            yield ChunkDelta(role="assistant", content="" if isinstance(delta, TextDelta) else None, refusal=None)
        yield from self._pieces(delta, name)

    def finish(self) -> Iterable[ChunkDelta]:
        """What has to be told before the answer's end."""
        if not self._is_told:
            yield ChunkDelta(role="assistant", content=None, refusal=None)
        if self._without_arguments:
            yield ChunkDelta(
                tool_calls=[_ToolPiece(index, _Arguments("{}")) for index in sorted(self._without_arguments)]
            )
        if self._rest_of_sound:
            yield ChunkDelta(audio=_Sound(data=base64.b64encode(self._rest_of_sound).decode()))
        if self._annotations:
            yield ChunkDelta(annotations=self._annotations)

    def _pieces(self, delta: Delta, name: str) -> Iterator[ChunkDelta]:
        if isinstance(delta, ToolDelta):
            if delta.arguments:
                self._without_arguments.discard(delta.index)
                yield ChunkDelta(tool_calls=[_ToolPiece(delta.index, _Arguments(delta.arguments))])
        elif isinstance(delta, ReasoningDelta):
            yield self._reasoning(delta)
        elif isinstance(delta, ReasoningSealed):
            yield ChunkDelta(reasoning_details=[self._sealed(delta)])
        elif isinstance(delta, ToolBegan):
            yield self._tool(delta, name)
        elif isinstance(delta, TextDelta):
            self.begin_text(delta)
            details = [] if delta.seal is None else [encrypted_detail(delta.seal, TEXT_SEAL, self._next_detail())]
            yield ChunkDelta(content=delta.text, reasoning_details=details)
        elif isinstance(delta, RefusalDelta):
            self.has_refusal = True
            yield ChunkDelta(refusal=delta.text)
        elif isinstance(delta, MediaDelta):
            yield from self._media(delta.media, name)

    def _next_detail(self) -> int:
        self._details += 1
        return self._details - 1

    def _reasoning(self, delta: ReasoningDelta) -> ChunkDelta:
        text = delta.text
        if delta.is_new or self._thought < 0:
            if self._was_thought:
                text = BETWEEN_THOUGHTS + text
            self._thought = self._next_detail()
        self._was_thought = True
        return ChunkDelta(reasoning_content=text, reasoning_details=[words_detail(delta.text, self._thought)])

    def _sealed(self, delta: ReasoningSealed) -> Detail:
        seal = delta.seal
        if is_signature(seal, delta.is_hidden):
            index = self._next_detail() if self._thought < 0 else self._thought
            detail = signature_detail(seal, index)
        else:
            detail = encrypted_detail(seal, delta.id, self._next_detail())
        self._thought = -1
        return detail

    def _tool(self, delta: ToolBegan, name: str) -> ChunkDelta:
        self._thought = -1
        self._without_arguments.add(delta.index)
        called = delta.id or f"call_{name}_{delta.index}"
        chunk = ChunkDelta(tool_calls=[_ToolPiece(delta.index, FunctionCall(delta.name, ""), called, "function")])
        if delta.seal is not None:
            chunk.reasoning_details = [encrypted_detail(delta.seal, called, self._next_detail())]
        return chunk

    def _media(self, media: Media, name: str) -> Iterator[ChunkDelta]:
        if media.kind == "image":
            self._pictures += 1
            yield ChunkDelta(images=[picture(media, self._pictures - 1)])
        elif media.kind == "audio":
            sound = _Sound(data=self._joinable(media.data) or None, transcript=media.transcript or None)
            if not self._sound:
                self._sound = True
                sound.id = media.file_id or f"audio_{name}_{self._index}"
                sound.transcript = media.transcript
                sound.expires_at = 0
            yield ChunkDelta(audio=sound)

    def _joinable(self, data: str) -> str:
        """Clients put the base64 of pieces end to end: that is sound only where pieces are of whole groups."""
        if not self._rest_of_sound and not data.endswith("="):
            return data
        try:
            sound = self._rest_of_sound + base64.b64decode(data)
        except ValueError:
            return ""  # no sound to anybody
        whole = len(sound) - len(sound) % 3
        self._rest_of_sound = sound[whole:]
        return base64.b64encode(sound[:whole]).decode()
