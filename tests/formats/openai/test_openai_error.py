from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.shared import ErrorObject

from gateline.formats.openai.error import write_error, write_stream_error
from gateline.model.errors import BadRequest, GatewayError, Internal, ModelNotFound, RateLimited, UpstreamRefused
from gateline.wire.sse import EventSplitter, event_data


def every_error(tree: type[GatewayError] = GatewayError) -> Iterator[type[GatewayError]]:
    yield tree
    for branch in tree.__subclasses__():
        yield from every_error(branch)


@pytest.mark.parametrize("kind", list(every_error()))
def test_every_error_is_the_vendors_error_object(kind: type[GatewayError]) -> None:
    """Each error of the tree reads back as the vendor's own type, whole and in a stream."""
    if kind is UpstreamRefused:
        error: GatewayError = UpstreamRefused("what to do", 400, param="model")
    else:
        error = kind("what to do", param="model")
    ErrorObject.model_validate(json.loads(write_error(error))["error"])
    event = write_stream_error(error)
    assert EventSplitter().feed(event) == [event]
    assert b"[DONE]" not in event
    data = event_data(event)
    assert data is not None
    assert json.loads(data)["error"]["message"] == str(error)


def test_the_request_id_is_in_server_errors() -> None:
    """A person who pastes a server error pastes its request id; the caller's own mistakes do not need one."""
    assert "req-1" in json.loads(write_error(Internal("a defect"), "req-1"))["error"]["message"]
    assert "req-1" not in json.loads(write_error(ModelNotFound("no such model"), "req-1"))["error"]["message"]


@given(st.text(st.characters()), st.text(st.characters()))
def test_no_text_breaks_out(message: str, param: str) -> None:
    """Any text, lone surrogates and line ends too, stays one JSON string in one event."""
    error = BadRequest(message, param=param)
    assert json.loads(write_error(error))["error"]["type"] == "invalid_request_error"
    assert len(EventSplitter().feed(write_stream_error(error))) == 1


def test_our_own_limit_carries_its_wait() -> None:
    """An error keeps its wait in seconds for the head, not in its body."""
    assert RateLimited("slow down", retry_after=2.0).retry_after == 2.0
    assert set(json.loads(write_error(RateLimited("slow down")))["error"]) == {"message", "type", "param", "code"}
