"""Pictures and sound in answers to clients that get text."""

from __future__ import annotations

from typing import Any

import pytest

from gateline.formats.table import CLIENTS, SERVERS
from gateline.formats.translation import Translation
from gateline.model.call import Operation
from gateline.model.chat import Chat, Choice, Media, Text
from gateline.model.chatreply import Began, ChatReply, Delta, Finished, MediaDelta, TextDelta
from gateline.model.errors import UpstreamError

_TEXT_ONLY: list[Operation] = ["messages", "converse", "cohere.chat", "ollama.chat"]
_ASK = Chat(model="m", turns=[], stream=True)
_PICTURE = Media(kind="image", mime="image/png", data="QUJD")


class _Script:
    """A reader of deltas that were read already."""

    def __init__(self, deltas: list[Delta]) -> None:
        self._deltas = deltas
        self.done = True
        self.error: UpstreamError | None = None

    def feed(self, data: bytes) -> list[Delta]:
        return self._deltas

    def end(self) -> None:
        return None


def _said(operation: Operation, media: Media) -> tuple[str, str]:
    """The text of an answer with `media` behind a word, whole and streamed, as a client reads it."""
    choice = Choice(parts=[Text(text="x"), media], finish="stop")
    whole = SERVERS[operation].write_reply(ChatReply(id="r", model="m", choices=[choice]), _ASK)
    deltas: list[Delta] = [
        Began(id="r", model="m"),
        TextDelta(text="x"),
        MediaDelta(media=media),
        Finished(finish="stop"),
    ]
    writer: Any = SERVERS[operation].writer
    codec = Translation(_Script(deltas), writer(_ASK, "r"))
    streamed = codec.feed(b"-") + codec.last
    reader: Any = CLIENTS[operation].reader
    read = reader("").feed(streamed)
    parts = CLIENTS[operation].read_reply(whole, "").choices[0].parts
    return (
        "".join(part.text for part in parts if isinstance(part, Text)),
        "".join(delta.text for delta in read if isinstance(delta, TextDelta)),
    )


@pytest.mark.parametrize("operation", _TEXT_ONLY)
def test_a_picture_is_said_to_be_missing(operation: Operation) -> None:
    """An answer of nothing else would look empty."""
    note = "x[image omitted: this API has no images in answers]"
    assert _said(operation, _PICTURE) == (note, note)


@pytest.mark.parametrize("operation", _TEXT_ONLY)
def test_spoken_words_are_said(operation: Operation) -> None:
    """And pieces of sound without words are not."""
    assert _said(operation, Media(kind="audio", data="QUJD", transcript="la")) == ("xla", "xla")
    assert _said(operation, Media(kind="audio", data="QUJD")) == ("x", "x")
