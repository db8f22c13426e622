"""What a stencil takes for an event of its own, and what not. How a stream uses it is tested with the stream."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateline.formats.openai.stencil import stencil_of

EVENT = b'data: {"choices":[{"delta":{"content":"a"}}],"usage":null}\n\n'
RELAYED = EVENT.replace(b',"usage":null', b"")


@given(st.text(max_size=20))
def test_a_text_passes_exactly_when_it_stands_for_itself(text: str) -> None:
    """A text that JSON writes as it is passes, with the cut made; one that it escapes is left to be read."""
    stencil = stencil_of(EVENT, RELAYED)
    assert stencil is not None
    written = json.dumps(text, ensure_ascii=False).encode("utf-8", "replace")
    event = EVENT.replace(b'"a"', written)
    is_plain = b"\\" not in written
    assert stencil.relay(event) == (RELAYED.replace(b'"a"', written) if is_plain else None)


@pytest.mark.parametrize("raw", [b"\n", b"\r", b"\x00", b"\x1f", b'"', b"\\", b'","b":"', b'"}}],"usage":1,"c":[{"'])
def test_no_text_can_leave_its_string(raw: bytes) -> None:
    """Line ends, control bytes and quotes are no text, wherever they stand in it."""
    stencil = stencil_of(EVENT, RELAYED)
    assert stencil is not None
    for text in (raw, b"x" + raw, raw + b"x"):
        assert stencil.relay(EVENT.replace(b'"a"', b'"' + text + b'"')) is None


def test_before_and_behind_may_not_overlap() -> None:
    """An event too short to hold both ends is another event, though it starts and ends alike."""
    stencil = stencil_of(EVENT, RELAYED)
    assert stencil is not None
    assert stencil.relay(EVENT.replace(b'"a"', b'"')) is None
    assert stencil.relay(b"") is None


@pytest.mark.parametrize(
    ("event", "relayed"),
    [
        (b'data: {"choices":[]}\n\n', b'data: {"choices":[]}\n\n'),
        (b'data: {"content":null}\n\n', b'data: {"content":null}\n\n'),
        (b'data: {"content": "a"}\n\n', b'data: {"content": "a"}\n\n'),
        (b'data: {"a":"\\"content":"b"}\n\n', b'data: {"a":"\\"content":"b"}\n\n'),
        (EVENT.replace(b'"a"', b'"\\n"'), RELAYED.replace(b'"a"', b'"\\n"')),
        (b'data: {"usage":null,"content":"a"}\n\n', b'data: {"content":"a"}\n\n'),
    ],
)
def test_events_without_a_stencil(event: bytes, relayed: bytes) -> None:
    """No text, no plain text, no key that is one, or a cut ahead of the text: such events are read each."""
    assert stencil_of(event, relayed) is None
