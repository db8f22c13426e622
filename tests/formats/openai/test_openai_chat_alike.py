"""What the reader of a chat stream spares itself: events that differ in their text alone, and copies of long ones."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from gateline.formats.openai.chat_reader import ChatReader
from gateline.model.chatreply import Began, Delta, TextDelta
from gateline.model.errors import UpstreamBroken
from tests.formats.openai.chats import piece

LIKELY = {"content": [{"token": "a", "logprob": -1, "bytes": None}]}


def plain(text: str, **more: Any) -> dict[str, Any]:
    return piece({"content": text}, **more)


def compact(*events: dict[str, Any]) -> bytes:
    """As most vendors write them, without a terminator."""
    return b"".join(b"data: " + msgspec.json.encode(event) + b"\n\n" for event in events)


@pytest.mark.parametrize(
    "events",
    [
        [plain("a"), plain("b"), plain("c"), plain('d"\n'), plain("é"), plain(""), plain("e"), plain("f")],
        [plain("a", usage=None), plain("b", usage=None), plain("c", usage=None), piece({}, "stop")],
        [{"x": {"content": "a"}, **plain("a")}, {"x": {"content": "b"}, **plain("a")}] * 2,
        [{"x": {"content": "a"}, **plain("a")}] * 3 + [{"x": {"content": "b"}, **plain("a")}],
        [plain("a"), plain("b"), piece({"reasoning_content": "hm"}), plain("c"), plain("d"), plain("e")],
        [plain("a", choices=[{"delta": {"content": "a"}, "logprobs": LIKELY}])] * 4,
        [plain("a"), plain("b"), {**plain("c"), "usage": {"prompt_tokens": 1, "completion_tokens": 2}}, plain("d")],
        [plain(text, choices=[{"index": 1, "delta": {"content": text}}]) for text in "abcd"],
    ],
)
def test_events_that_are_alike_are_read_as_if_each_were_the_first(events: list[dict[str, Any]]) -> None:
    """Whatever came before an event, and in one piece with it, it tells what it says."""
    alone: list[Delta] = []
    for event in events:
        alone += [delta for delta in ChatReader().feed(compact(event)) if not isinstance(delta, Began)]
    apart, together = ChatReader(), ChatReader()
    told = [delta for event in events for delta in apart.feed(compact(event))]
    assert told[1:] == alone
    assert together.feed(compact(*events)) == told


def test_events_that_are_alike_are_not_read_when_only_their_text_changes() -> None:
    """Three alike, and the next is known by its bytes: bytes that are no UTF-8 are an error there too."""
    reader = ChatReader()
    for text in ("a", "b", "c"):
        reader.feed(compact(plain(text)))
    assert reader._usual is not None
    assert reader.feed(compact(plain("d"))) == [TextDelta(text="d")]
    reader.feed(compact(plain("X")).replace(b"X", b"\xff"))
    assert isinstance(reader.error, UpstreamBroken)
    assert reader.feed(compact(plain("e"))) == []
