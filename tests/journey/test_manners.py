"""HTTP as sound clients speak it, in its less usual forms: HEAD, CORS, 100-continue, chunks, 1.0, pipelining, h2c."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from tests.journey.gate import Gate, settings
from tests.journey.upstream import Upstream
from tests.journey.wire import Answer, Wire, ask, chat, chat_body, request


@pytest.fixture(scope="module")
def gate(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    config = settings(upstream.url, server={"cors": {"origins": ["https://app.example"]}})
    with Gate(tmp_path_factory.mktemp("gate"), config, workers=2) as running:
        yield running


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/models", 200),
        ("/v1/models/plain", 200),
        ("/v1/models/none", 404),
        ("/livez", 200),
        ("/readyz", 200),
        ("/v1/chat/completions", 405),
        ("/nowhere", 404),
    ],
)
def test_head_is_get_without_the_body(path: str, status: int, gate: Gate) -> None:
    """Same status, the length of what GET would bring, no byte of it: the next answer begins where the head ends."""
    with Wire(gate.port) as wire:
        got = wire.send(request("GET", path, gate.token)).answer()
        head = wire.send(request("HEAD", path, gate.token)).answer(bodiless=True)
        assert (got.status, head.status) == (status, status)
        assert abs(int(head.header("content-length")) - len(got.body)) <= 1  # the method is named in a 405's message
        assert wire.send(request("GET", "/livez")).answer().body == b"ok\n"


def test_a_browser_page_may_call_from_where_the_configuration_says(gate: Gate) -> None:
    """Preflight and answer name the origin; another origin gets no permission, and its call is served all the same."""
    ours, theirs = "Origin: https://app.example", "Origin: https://evil.example"
    wish = ("Access-Control-Request-Method: POST", "Access-Control-Request-Headers: authorization")
    preflight = ask(gate.port, request("OPTIONS", "/v1/chat/completions", "", None, ours, *wish))
    assert preflight.status == 204
    assert preflight.header("access-control-allow-origin") == "https://app.example"
    assert "POST" in preflight.header("access-control-allow-methods")
    assert "authorization" in preflight.header("access-control-allow-headers")
    for data in (chat(gate.token, ours), chat(gate.token, ours, stream=True), chat(gate.token, ours, model="none")):
        answer = ask(gate.port, data)
        assert answer.header("access-control-allow-origin") == "https://app.example"
        assert answer.header("vary") == "origin"
    refused = ask(gate.port, request("OPTIONS", "/v1/chat/completions", "", None, theirs, *wish))
    assert (refused.status, refused.header("access-control-allow-origin")) == (204, "")
    assert ask(gate.port, chat(gate.token, theirs)).header("access-control-allow-origin") == ""


def test_a_browser_page_may_read_why_it_was_refused(gate: Gate) -> None:
    """Refusals before a caller is known carry the permission too, or the page sees only that something failed."""
    ours = "Origin: https://app.example"
    for data, status in (
        (chat("sk-gl-no", ours), 401),
        (request("GET", "/nowhere", "", None, ours), 404),
        (request("DELETE", "/v1/models", "", None, ours), 405),
    ):
        answer = ask(gate.port, data)
        assert (answer.status, answer.header("access-control-allow-origin")) == (status, "https://app.example"), status


def test_the_body_is_asked_for_only_when_it_is_wanted(gate: Gate) -> None:
    """`Expect: 100-continue`: 100 and then the answer; a refusal comes instead of the 100; other expectations: 400."""
    body = chat_body()
    with Wire(gate.port) as wire:
        head = request("POST", "/v1/chat/completions", gate.token, body, "Expect: 100-continue")
        wire.send(head[: -len(body)])
        assert wire.answer().status == 100
        assert wire.send(body).answer().status == 200
        wire.send(head)  # a client may send at once: then nothing is to be asked for
        assert wire.answer().status == 200
        wire.send(head[: -len(body)].replace(gate.token.encode(), b"sk-gl-no"))
        refused = wire.answer()
        assert (refused.status, refused.header("connection")) == (401, "close")
    odd = ask(gate.port, request("POST", "/v1/chat/completions", gate.token, body, "Expect: tea"))
    assert (odd.status, odd.header("connection")) == (400, "close")


def chunked(body: bytes, size: int, tail: bytes = b"0\r\n\r\n") -> bytes:
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + tail


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_a_chunked_body_is_a_body(size: int, gate: Gate) -> None:
    """In chunks of any size, with extensions and trailers, which change nothing, and with a request right behind."""
    head = request("POST", "/v1/chat/completions", gate.token, None, "Transfer-Encoding: chunked")
    trailers = b"0;last=1\r\nAuthorization: Bearer sk-gl-other\r\nContent-Length: 7\r\nHost: elsewhere\r\n\r\n"
    with Wire(gate.port) as wire:
        wire.send(head + chunked(chat_body(), size) + request("GET", "/livez"))
        assert wire.answer().status == 200
        assert wire.answer().body == b"ok\n"
        wire.send(head + chunked(chat_body(), size, trailers) + request("GET", "/livez"))
        assert wire.answer().status == 200
        assert wire.answer().body == b"ok\n"


def test_a_trailer_is_no_credential(gate: Gate) -> None:
    head = request("POST", "/v1/chat/completions", "", None, "Transfer-Encoding: chunked")
    tail = b"0\r\nAuthorization: Bearer %b\r\n\r\n" % gate.token.encode()
    assert ask(gate.port, head + chunked(chat_body(), 50, tail)).status == 401


def test_requests_that_come_byte_by_byte(gate: Gate) -> None:
    with Wire(gate.port) as wire:
        for byte in chat(gate.token):
            wire.send(bytes((byte,)))
        assert wire.answer().status == 200


def test_http_1_0_is_answered_and_ended(gate: Gate) -> None:
    """No Host needed, no chunks sent; whole answers may keep the connection when asked to, streams end it."""
    old = chat(gate.token).replace(b"HTTP/1.1\r\nHost: gateline", b"HTTP/1.0")
    with Wire(gate.port) as wire:
        answer = wire.send(old).answer()
        assert (answer.status, answer.header("transfer-encoding")) == (200, "")
        assert wire.rest() == b""
    stream = chat(gate.token, stream=True).replace(b"HTTP/1.1\r\nHost: gateline", b"HTTP/1.0")
    with Wire(gate.port) as wire:
        answer = wire.send(stream).answer()
        assert (answer.header("transfer-encoding"), answer.header("connection")) == ("", "close")
        assert answer.body.endswith(b"data: [DONE]\n\n")


def test_pipelined_requests_are_answered_in_order(gate: Gate, upstream: Upstream) -> None:
    """Slow ones first: the answers come in the order of the questions, none twice, none behind a close."""
    with Wire(gate.port) as wire:
        slow = chat(gate.token, metadata={"fake": "latency=0.2,tokens=1"})
        quick = [chat(gate.token, max_tokens=count) for count in (2, 3, 4)]
        last = chat(gate.token, "Connection: close", max_tokens=5)
        wire.send(slow + b"".join(quick) + request("GET", "/livez") + last + chat(gate.token, max_tokens=6))
        answers = [wire.answer() for _ in range(6)]
        assert wire.rest() == b""
    counts = [each.json()["usage"]["completion_tokens"] for each in answers if each.body != b"ok\n"]
    assert counts == [1, 2, 3, 4, 5]
    assert answers[4].body == b"ok\n"
    assert not [line for line in upstream.lines() if line.tokens_sent == 6]


def test_an_upgrade_to_h2c_is_ignored_and_its_body_read(gate: Gate) -> None:
    """What every default JDK client sends."""
    lines = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAA")
    with Wire(gate.port) as wire:
        answer = wire.send(chat(gate.token, *lines)).answer()
        assert answer.status == 200
        assert answer.json()["choices"]
        assert wire.send(request("GET", "/livez")).answer().status == 200
        body = chat_body()
        wire.send(chat(gate.token, *lines)[: -len(body)])
        assert wire.send(body).answer().status == 200


def early(gate: Gate, token: str, size: int) -> Answer:
    """Sends a large body without looking up, and only then reads."""
    with Wire(gate.port) as wire:
        wire.send_while_it_takes(request("POST", "/v1/chat/completions", token, b"x" * size))
        return wire.answer()


@pytest.mark.parametrize("size", [100_000, 900_000, 6_000_000])
def test_an_early_answer_is_seen_by_who_is_still_sending(size: int, gate: Gate) -> None:
    """Twenty of twenty, whatever the size of the body that nobody reads."""
    statuses = [early(gate, "sk-gl-no", size).status for _ in range(20)]
    assert statuses == [401] * 20


def test_early_answers_to_many_at_once(gate: Gate) -> None:
    statuses: list[int] = []
    threads = [
        threading.Thread(target=lambda: statuses.append(early(gate, "sk-gl-no", 900_000).status)) for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [401] * 20


def test_a_body_of_many_megabytes_passes_both_ways(gate: Gate, upstream: Upstream) -> None:
    """Below the limit size is no mistake: 20 MiB in, 20 MiB out, usage known from its tail."""
    answer = ask(gate.port, chat(gate.token, filler="x" * 20_000_000, metadata={"fake": "huge=20000000"}))
    assert answer.status == 200
    assert len(answer.body) > 20_000_000
    assert upstream.heard()["body_bytes"] > 20_000_000
    row = gate.record(answer.id)
    assert (row["usage_source"], row["bytes_in"] > 20_000_000, row["bytes_out"] > 20_000_000) == ("provider", 1, 1)
