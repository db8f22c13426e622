"""Streams that pass untouched, and calls on their way to a vendor that speaks this format."""

from __future__ import annotations

import json

import pytest
from msgspec import Raw

from gateline.formats.call import read_call
from gateline.formats.dialect import PLAIN
from gateline.formats.responses.continued import continued, for_others, input_items
from gateline.formats.responses.passing import for_vendor
from gateline.formats.responses.sides import WATCH
from gateline.formats.responses.watch import ResponseCodec
from gateline.model.call import Call
from gateline.model.errors import UpstreamBroken
from tests.formats.responses.shapes import PARTS, USAGE, events_of, reply_of
from tests.formats.responses.streams import CREATED, completed, event, streamed


def call(**fields: object) -> Call:
    return read_call(json.dumps({"model": "m"} | fields).encode(), "responses")


def relay(stream: bytes, size: int) -> tuple[bytes, ResponseCodec]:
    codec = ResponseCodec("top-secret-1")
    out = b"".join(codec.feed(stream[at : at + size]) for at in range(0, len(stream), size))
    codec.end()
    return out, codec


@pytest.mark.parametrize("name", ["text", "tools", "reasoning"])
def test_every_byte_passes_however_the_stream_was_cut(name: str) -> None:
    """The event that ends it is held back in `last`; usage is read from it."""
    stream = streamed(reply_of(PARTS[name]))
    for size in (1, 5, 1000, len(stream)):
        out, codec = relay(stream, size)
        assert out + codec.last == stream
        assert codec.last.startswith(b"event: response.completed")
        assert (codec.done, codec.visible, codec.error, codec.usage) == (True, True, None, USAGE)


def test_a_stream_is_visible_from_its_first_content_on() -> None:
    """Until then another target may still be asked."""
    codec = ResponseCodec("")
    codec.feed(CREATED + event("response.in_progress") + event("response.output_item.added", item={"type": "message"}))
    codec.feed(event("response.content_part.added") + b": ping\n\n")
    assert not codec.visible
    codec.feed(event("response.output_text.delta", delta="x"))
    assert codec.visible


def test_an_incomplete_response_is_whole() -> None:
    """It ends as the vendor says."""
    last = event("response.incomplete", response={"usage": {"input_tokens": 1, "output_tokens": 2}})
    _, codec = relay(CREATED + last + b"data: [DONE]\n\n", 3)
    assert codec.done
    assert codec.last == last
    assert codec.usage is not None


@pytest.mark.parametrize(
    "failed",
    [
        event("error", error={"code": "c", "message": "Pay, top-secret-1"}),
        event("error", code="c", message="Pay, top-secret-1"),
        event("response.failed", response={"error": {"code": "c", "message": "Pay, top-secret-1"}}),
    ],
)
def test_a_vendors_failure_does_not_pass(failed: bytes) -> None:
    """It is an error of the attempt, in every shape, without the secret."""
    out, codec = relay(CREATED + failed + completed(), 7)
    assert out == CREATED
    assert codec.error is not None
    assert codec.error.reason == "c"
    assert "Pay" in str(codec.error)
    assert "top-secret-1" not in str(codec.error)
    assert not codec.done


def test_a_stream_without_its_end_is_broken() -> None:
    """So is one of what is no JSON."""
    assert isinstance(relay(CREATED, 9)[1].error, UpstreamBroken)
    assert isinstance(relay(CREATED + b"data: <html>\n\n" + completed(), 9)[1].error, UpstreamBroken)
    assert isinstance(relay(CREATED + b"data: [DONE]\n\n", 9)[1].error, UpstreamBroken)


def test_a_broken_stream_ends_in_the_formats_error_event() -> None:
    """Numbered as the next one."""
    codec = ResponseCodec("")
    codec.feed(b'data: {"type":"response.created","sequence_number":4}\n\n')
    codec.end()
    assert codec.error is not None
    failed = codec.fail(codec.error, "req_9")
    found = json.loads(failed.partition(b"\ndata: ")[2])
    assert (found["type"], found["sequence_number"]) == ("error", 5)
    assert "req_9" in found["error"]["message"]
    assert events_of(ResponseCodec("").fail(codec.error, ""))[0]["sequence_number"] == 0


def test_an_event_may_hold_a_picture() -> None:
    """Over a megabyte in one event passes; there is a bound all the same."""
    done = event("response.output_item.done", item={"type": "image_generation_call", "result": "A" * 3_000_000})
    out, codec = relay(CREATED + done + completed(), 65_536)
    assert codec.done
    assert len(out) == len(CREATED + done)
    codec = ResponseCodec("")
    for _ in range(33):
        codec.feed(b"data: " + b"A" * 1_048_576)
    assert isinstance(codec.error, UpstreamBroken)


def test_a_whole_reply_may_report_a_failure() -> None:
    """Status 200 or not."""
    assert WATCH.reported is not None
    found = WATCH.reported(b'{"status":"failed","error":{"code":"server_error","message":"x"}}', "")
    assert found is not None
    assert found.reason == "server_error"
    assert WATCH.reported(b'{"status":"completed","error":null}', "") is None


# --- calls on their way ---


def test_seals_of_other_vendors_never_pass() -> None:
    """What a client sends back of another vendor's reasoning is cut out; everything else stays, byte for byte."""
    items = [
        {"role": "user", "content": "hi"},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gateline.anthropic.Ep"},
        {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "gAAA"},
        {"type": "reasoning", "id": "rs_3", "summary": [], "encrypted_content": "gateline.call.gemini.Zz"},
        {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "web_search_call", "id": "ws_1"},
    ]
    passed, lost = for_vendor(call(input=items, temperature=0.25), "m", PLAIN)
    assert lost == ["input.reasoning.encrypted_content"]
    assert json.loads(bytes(passed.fields["input"])) == [items[0], items[2], items[4], items[5]]
    assert passed.fields["temperature"] == Raw(b"0.25")


def test_a_continued_call_has_the_earlier_turns() -> None:
    """Ahead of its own input; a vendor that has them from there is told of no other response."""
    earlier = [Raw(b'{"role":"user","content":"one"}'), Raw(b'{"type":"message","id":"msg_1","role":"assistant"}')]
    found = continued(call(input="two", previous_response_id="resp_1", temperature=1), earlier)
    body = json.loads(found.body)
    assert [item["role"] for item in body["input"]] == ["user", "assistant", "user"]
    assert (body["previous_response_id"], found.model, body["temperature"]) == ("resp_1", "m", 1)
    assert "previous_response_id" not in for_others(found).fields


def test_a_vendor_that_does_not_hold_the_response_gets_items_it_knows() -> None:
    """No ids of others, no reasoning it cannot open, nothing that the holder's own tools did."""
    earlier = [
        {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": []},
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "gAAA"},
        {"type": "reasoning", "id": "rs_3", "summary": [], "encrypted_content": "gateline.gemini.x"},
        {"type": "file_search_call", "id": "fs_1", "queries": []},
        {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": "{}"},
    ]
    raws = [Raw(json.dumps(item).encode()) for item in earlier]
    passed, _ = for_vendor(for_others(continued(call(input="two"), raws)), "m", PLAIN)
    found = json.loads(bytes(passed.fields["input"]))
    assert found == [
        {"type": "message", "role": "assistant", "content": []},
        {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "gAAA"},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "message", "role": "user", "content": "two"},
    ]


def test_input_that_is_none_has_no_items() -> None:
    """Whoever reads the call says what is wrong with it."""
    assert input_items(None) == []
    assert input_items(Raw(b"5")) == []
    assert input_items(Raw(b"null")) == []
