"""What a translated stream holds while it runs."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest

from gateline.formats.call import read_call
from gateline.formats.contract import Codec
from gateline.formats.responses import writer
from gateline.formats.table import CLIENTS, SERVERS
from gateline.formats.translation import Translation
from gateline.model.call import Operation
from gateline.model.errors import UpstreamBroken

_SHORT, _LONG = 80_000, 240_000  # events
_AT_ONCE = 40
_BODIES: dict[Operation, dict[str, Any]] = {
    "messages": {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]},
    "generate_content": {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]},
    "responses": {"model": "m", "input": "hi"},
}


def codec(operation: Operation) -> Codec:
    server, client = SERVERS[operation], CLIENTS["chat.completions"]
    assert server.writer is not None
    assert client.reader is not None
    body = json.dumps(_BODIES[operation]).encode()
    chat = server.read(read_call(body, operation, "m", True), body)
    return Translation(client.reader(""), server.writer(chat, "req_1"))


def event(text: str, **more: Any) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None, **more}
    chunk = {"id": "c", "created": 1, "model": "x", "choices": [choice]}
    return b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n"


def held(operation: Operation, events: int) -> int:
    """The most bytes that were held at once, by a stream of so many events."""
    stream, piece = codec(operation), (event(" one") + event(" two")) * (_AT_ONCE // 2)
    tracemalloc.start()
    try:
        for _ in range(events // _AT_ONCE):
            assert stream.feed(piece)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("operation", ["messages", "generate_content"])
def test_the_memory_of_a_stream_does_not_depend_on_its_length(operation: Operation) -> None:
    """240,000 events hold no more than 80,000 do."""
    assert held(operation, _LONG) < held(operation, _SHORT) + 4_096


def test_a_stream_that_ends_in_its_whole_text_holds_that_and_no_more() -> None:
    """The Responses API repeats the answer at its end: of 240,000 events their text is held, not the events."""
    assert held("responses", _LONG) < 4 * len(" one") * _LONG


def test_a_text_that_is_held_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer longer than any is, is an error, and nothing follows it."""
    monkeypatch.setattr(writer, "_MOST", 40)
    stream = codec("responses")
    for _ in range(10):
        assert stream.feed(event(" one"))
    assert stream.feed(event(" two") + b"data: [DONE]\n\n") == b""
    assert isinstance(stream.error, UpstreamBroken)
    assert (stream.done, stream.last, stream.feed(event("x"))) == (False, b"", b"")
