"""Every vendor's stream as every client's, without a socket: however it is cut, it is the whole answer, and what is cut
off is never one. Each event parses as the vendor's own library has it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from gateline.formats.table import CLIENTS, SERVERS
from gateline.formats.translation import Translation
from gateline.model.call import Operation
from gateline.model.errors import UpstreamBroken
from tests.contract.assembled import READINGS
from tests.contract.played import Played, play
from tests.contract.scene import ANSWERED, TWO_TURNS
from tests.contract.shown import Failed
from tests.contract.vendors import VENDORS

SCENES = {**ANSWERED, **TWO_TURNS}
_CUTS = 250  # of a stream into two: at every byte of a small one
_CUT_OFF = ("text", "text and tools", "reasoning over two turns")


@cache
def played(vendor: str, scene: str) -> Played:
    return play(VENDORS[vendor], SCENES[scene])


def translate(vendor: str, server: Operation, show: Played, pieces: Iterator[bytes]) -> tuple[Translation, bytes]:
    """The codec when no more came, and all it wrote."""
    reader, writer = CLIENTS[VENDORS[vendor].operation].reader, SERVERS[server].writer
    assert reader is not None
    assert writer is not None
    codec = Translation(reader("secret"), writer(show.chat, "req_1"))
    written = b"".join(codec.feed(piece) for piece in pieces)
    codec.end()
    return codec, written


def cuts(data: bytes, seed: int) -> Iterator[list[bytes]]:
    """`data` in one piece and at random places."""
    yield [data]
    chance = random.Random(seed)
    for count in (2, 7, 40):
        places = sorted(chance.sample(range(1, len(data)), count))
        yield [data[begin:end] for begin, end in zip([0, *places], [*places, len(data)], strict=True)]


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("server", READINGS)
def test_a_stream_is_the_whole_answer(server: Operation, vendor: str, scene: str) -> None:
    """The object that the client's library puts together from the events is the one it has of the whole reply."""
    show = played(vendor, scene)
    reading = READINGS[server]
    reply = CLIENTS[VENDORS[vendor].operation].read_reply(show.whole, "")
    whole = reading.whole(SERVERS[server].write_reply(reply, show.chat))
    data = b"".join(piece.data for piece in show.pieces)
    for pieces in cuts(data, len(scene)):
        codec, written = translate(vendor, server, show, iter(pieces))
        assert codec.error is None
        assert codec.done
        assert codec.visible or "refusal" in scene
        streamed = reading.stream(written + codec.last)
        if vendor == "bedrock" and server == "responses":
            # Bedrock names no answer: each gets names of its own
            streamed.reply, whole.reply = _nameless(streamed.reply), _nameless(whole.reply)
        assert streamed == whole


def _nameless(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**item, "id": ""} for item in items]


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("vendor", VENDORS)
def test_no_cut_shows(vendor: str, scene: str) -> None:
    """Byte by byte a stream is the same, and so it is cut in two anywhere."""
    show = played(vendor, scene)
    data = b"".join(piece.data for piece in show.pieces)
    reading = READINGS["messages"]
    codec, written = translate(vendor, "messages", show, (data[at : at + 1] for at in range(len(data))))
    whole, once = translate(vendor, "messages", show, iter([data]))
    assert reading.stream(written + codec.last) == reading.stream(once + whole.last)
    for at in range(1, len(data), max(len(data) // _CUTS, 1)):
        codec, _ = translate(vendor, "messages", show, iter([data[:at], data[at:]]))
        assert (codec.done, codec.error, codec.usage) == (True, None, whole.usage)


@pytest.mark.parametrize("scene", _CUT_OFF)
@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("server", READINGS)
def test_what_is_cut_off_is_never_whole(server: Operation, vendor: str, scene: str) -> None:
    """Ended behind any event but its last, a stream is broken; and the client's library says so."""
    show = played(vendor, scene)
    last = next(at for at, piece in enumerate(show.pieces) if piece.done)
    for count in range(last + 1):
        codec, written = translate(vendor, server, show, (piece.data for piece in show.pieces[:count]))
        assert isinstance(codec.error, UpstreamBroken)
        assert not codec.done
        assert codec.last == b""
        with pytest.raises(Failed):
            READINGS[server].stream(written + codec.fail(codec.error, "req_1"))
