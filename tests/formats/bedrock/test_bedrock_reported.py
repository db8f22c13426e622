"""Bedrock's failures that call themselves a success."""

from __future__ import annotations

from gateline.formats.bedrock.reply import reported
from gateline.formats.bedrock.watch import StreamCodec
from gateline.formats.table import WATCHES
from gateline.model.call import Call
from gateline.model.errors import UpstreamBroken
from gateline.wire.eventstream import write_message


def _event(kind: str, payload: bytes) -> bytes:
    return write_message({":event-type": kind, ":message-type": "event"}, payload)


def test_a_message_without_output_is_an_error() -> None:
    """AWS's error body in a reply of status 200 is told from an answer, whose message is inside its output."""
    body = b'{"message":"it broke"}'
    assert str(reported(body, "")) == "it broke"
    assert WATCHES["converse"].error_key in body
    assert reported(b'{"output":{"message":{"role":"assistant","content":[]}},"stopReason":"end_turn"}', "") is None


def test_a_malformed_event_does_not_pass() -> None:
    """Nor does it once the client has seen something."""
    codec = StreamCodec(Call("converse", "m", {}))
    seen = _event("contentBlockDelta", b'{"contentBlockIndex":0,"delta":{"text":"hi"}}')
    assert codec.feed(seen) == seen
    assert codec.visible
    assert codec.feed(_event("contentBlockDelta", b'{"contentBlockIndex":0,"delta":{"te')) == b""
    assert isinstance(codec.error, UpstreamBroken)
