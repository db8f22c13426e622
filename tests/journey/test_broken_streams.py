"""Faults after the first visible byte: the client is told in the stream, and so is the ledger."""

from __future__ import annotations

import json
from collections.abc import Iterator

import openai
import pytest

from tests.journey.gate import Gate, settings
from tests.journey.invoice import compare
from tests.journey.upstream import Upstream
from tests.journey.wire import Wire, ask, chat, request

FAULTS = {
    "reset,after=5": "upstream_broken",
    "close,after=5": "upstream_broken",
    "cut,after=5": "upstream_broken",
    "stall,after=5": "upstream_timeout",
    "garbage,after=5": "upstream_broken",
    "bad_chunk,after=5": "upstream_broken",
    "bad_json,after=5": "upstream_broken",
    "error_event,after=5": "fake_error",
    "no_done": "upstream_broken",
    "reset,after=5,gzip": "upstream_broken",
}


@pytest.fixture(scope="module")
def gate(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    provider = {
        "kind": "openai-compatible",
        "base_url": upstream.url,
        "timeouts": {"first_byte": "5s", "idle": "400ms", "total": "2s"},
    }
    config = settings(
        upstream.url,
        providers={"hasty": provider},
        models={
            "guarded": {"targets": [{"provider": "hasty", "model": "m"}], "fallbacks": ["plain"]},
            "alone": {"targets": [{"provider": "hasty", "model": "m"}]},
        },
    )
    with Gate(tmp_path_factory.mktemp("gate"), config) as running:
        yield running
        compare(running.records(), upstream.lines())


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_stream_that_breaks_ends_in_an_error(fault: str, path: str, gate: Gate) -> None:
    """What had come stays; then one error event in OpenAI's form; no `[DONE]`; no other target is asked."""
    body = {"model": "guarded", "prompt": "hi", "messages": [{"role": "user", "content": "hi"}], "stream": True}
    wish = json.dumps({**body, "metadata": {"fake": f"{fault},tps=200"}}).encode()
    with Wire(gate.port) as wire:
        answer = wire.send(request("POST", path, gate.token, wish)).answer()
        assert answer.status == 200
        *events, last, nothing = answer.body.split(b"\n\n")
        assert nothing == b""
        assert len(events) >= 3
        assert all("error" not in json.loads(event.removeprefix(b"data: ")) for event in events)
        error = json.loads(last.removeprefix(b"data: "))["error"]
        assert (error["code"], error["type"]) == (FAULTS[fault], "upstream_error")
        assert b"[DONE]" not in answer.body
        assert wire.send(request("GET", "/livez")).answer().status == 200, "the framing is whole"
    row = gate.record(answer.id)
    assert (row["status"], row["error"], row["client_gone"], row["stream"]) == (200, FAULTS[fault], 0, 1)
    assert [attempt["error"] for attempt in row["attempts"]] == [FAULTS[fault]]


def test_the_official_client_raises(gate: Gate) -> None:
    """A broken stream is an exception of the SDK, with our message in it."""
    with openai.OpenAI(api_key=gate.token, base_url=gate.url, max_retries=0) as client:
        stream = client.chat.completions.create(
            model="plain", messages=[], stream=True, metadata={"fake": "cut,after=5"}
        )
        with pytest.raises(openai.APIError, match=r"broke off|before its reply was whole"):
            list(stream)


@pytest.mark.parametrize("fault", ["reset,after=1", "close,after=1", "stall,after=1"])
def test_a_large_plain_answer_that_breaks_is_cut(fault: str, gate: Gate) -> None:
    """A body over 1 MiB is passed on as it comes: when it breaks only a broken connection can say so."""
    wish = chat(gate.token, model="alone", max_tokens=400_000, metadata={"fake": f"tokens=400000,{fault}"})
    with Wire(gate.port) as wire:
        status, headers = wire.send(wish).head()
        assert status == 200
        with pytest.raises((ConnectionResetError, EOFError)):
            wire.read(int(dict(headers)["content-length"]))
    row = gate.record(dict(headers)["x-request-id"])
    assert row["error"] in {"upstream_broken", "upstream_timeout"}
    assert row["usage_source"] == "none"


@pytest.mark.parametrize("stream", [True, False])
def test_an_answer_without_end_is_ended(stream: bool, gate: Gate) -> None:
    """The provider's total deadline ends it, told as the answer's form allows."""
    with Wire(gate.port) as wire:
        wire.send(
            chat(
                gate.token,
                model="alone",
                stream=stream,
                metadata={"fake": "tps=40,tokens=1000000" if stream else "endless"},
            )
        )
        status, headers = wire.head()
        assert status == 200
        if stream:
            body = b"".join(iter(wire.chunk, b""))
            assert b'"code":"upstream_timeout"' in body
            assert b"[DONE]" not in body
        else:
            with pytest.raises((ConnectionResetError, EOFError)):
                all(iter(wire.chunk, b""))
    assert gate.record(dict(headers)["x-request-id"])["error"] == "upstream_timeout"


def test_an_event_passes_when_its_last_byte_has_come(gate: Gate, upstream: Upstream) -> None:
    """The client has the sixth event while the upstream is still silent before the seventh."""
    with Wire(gate.port) as wire:
        wire.send(chat(gate.token, stream=True, metadata={"fake": "stall,after=6"}))
        _, headers = wire.head()
        seen = b""
        while seen.count(b"\n\n") < 6:
            seen += wire.chunk()
        assert upstream.events(dict(headers)["x-request-id"])[-1] == "fault"


def test_a_stream_that_comes_byte_by_byte_is_the_same_stream(gate: Gate) -> None:
    quick = ask(gate.port, chat(gate.token, stream=True, max_tokens=3))
    slow = ask(gate.port, chat(gate.token, stream=True, max_tokens=3, metadata={"fake": "drip=0.0005"}))
    coded = ask(gate.port, chat(gate.token, stream=True, max_tokens=3, metadata={"fake": "gzip"}))
    assert plain(quick.body) == plain(slow.body) == plain(coded.body)


def plain(body: bytes) -> list[object]:
    """The stream's deltas."""
    events = [event.removeprefix(b"data: ") for event in body.split(b"\n\n")]
    return [json.loads(event)["choices"][0]["delta"] for event in events if event.startswith(b"{")] + [events[-2:]]
