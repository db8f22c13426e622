"""A provider's own API behind the gateway: identity and ledger as ever, bytes as they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateline.gateway.passthrough import joined, leads_up
from gateline.model.errors import UpstreamUnreachable
from gateline.model.snapshot import Snapshot
from tests.gateway.rig import LAST, TOKEN, Gate, chunk, error, get, provider, reply, snapshot, status
from tests.net.transport import on_loop


def opened(**fields: object) -> Snapshot:
    return snapshot(open_providers=(provider("up"),), **fields)


@on_loop
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_a_request_passes_as_it_is(tmp_path: Path, method: str) -> None:
    """Method, path, query and body go on, the caller's key does not; any status and body come back, on record."""
    gate = Gate(tmp_path, opened())
    body = b"\x00not json\xff"
    head = f"{method} /passthrough/up/files/f-1?purpose=x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\n"
    client, upstream = await gate.asked(head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    sent = upstream.transport.out
    assert sent.startswith(method.encode() + b" /v1/files/f-1?purpose=x HTTP/1.1\r\n")
    assert sent.endswith(b"\r\n\r\n" + body)
    assert TOKEN.encode() not in sent
    assert b"Authorization: Bearer sk-of-up\r\n" in sent
    upstream.reply(reply(b"plain", status="404 Not Found").replace(b"application/json", b"text/plain"))
    await gate.settle()
    assert status(client) == 404
    assert client.out.endswith(b"\r\n\r\nplain")
    record = gate.record
    assert (record.operation, record.target, record.status, record.usage) == ("passthrough", "up/*", 404, None)


@on_loop
async def test_it_is_shut_unless_opened(tmp_path: Path) -> None:
    """A provider must be opened by the configuration, and the key must not be limited to models."""
    gate = Gate(tmp_path / "shut")
    assert status(await gate.ask(get("/passthrough/up/files"))) == 404
    gate = Gate(tmp_path / "limited", opened(), models=("m",))
    refused = await gate.ask(get("/passthrough/up/files"))
    assert (status(refused), error(refused)["code"]) == (403, "key_is_limited")


UPWARDS = [
    "..", "a/..", "./a", "a/%2e%2e/b", "a/%252e%252E/b", "a\\..", "a/..;x", "%2e",
    "a/%25252e%25252e/b", "a/%2525252e%2525252e/b",  # escapes of escapes
    "a/..%00/b", "a/..%20/b", "a/%20../b", "a/..%23/b", "a/..%3f/b", "a%0d%0ab",  # cut short by who decodes them
    "a/%c0%ae%c0%ae/b", "a/%ff", "a/%ef%bc%8e%ef%bc%8e/b", "a/%e2%80%a5/b", "a%ef%bc%8f..",  # what some took for dots
    "/evil.example/x", "%2fevil.example", "\\evil.example", "%5cevil.example",  # a host, where the base URL ends in one
]  # fmt: skip


@pytest.mark.parametrize("path", UPWARDS)
@on_loop
async def test_no_path_leads_upwards(path: str, tmp_path: Path) -> None:
    """However it is written: the base URL is the whole of what was opened."""
    gate = Gate(tmp_path, opened())
    refused = await gate.ask(get(f"/passthrough/up/{path}"))
    assert (status(refused), gate.connector.opened) == (400, [])


@given(st.lists(st.text("ab.-_", min_size=1), min_size=1, max_size=4))
def test_dots_within_names_are_names(segments: list[str]) -> None:
    """Only a whole segment leads anywhere."""
    assert leads_up("/".join(segments)) is any(segment in {".", ".."} for segment in segments)


@on_loop
async def test_a_key_in_the_query_stays_here(tmp_path: Path) -> None:
    """Where it stands for the caller it must not go on."""
    gate = Gate(tmp_path, opened())
    request = f"GET /passthrough/up/x?a=1&key={TOKEN}&b=2 HTTP/1.1\r\nHost: a\r\n\r\n"
    _, upstream = await gate.asked(request.encode())
    assert upstream.transport.out.startswith(b"GET /v1/x?a=1&b=2 HTTP/1.1\r\n")


@on_loop
async def test_a_percent_sign_is_a_percent_sign(tmp_path: Path) -> None:
    """What is harmless goes on as it is written."""
    gate = Gate(tmp_path, opened())
    _, upstream = await gate.asked(get("/passthrough/up/a%2Fb/100%25/caf%C3%A9;v=1?x=%2e%2e&y=/../"))
    assert upstream.transport.out.startswith(b"GET /v1/a%2Fb/100%25/caf%C3%A9;v=1?x=%2e%2e&y=/../ HTTP/1.1\r\n")


@pytest.mark.parametrize("method", ["CONNECT", "TRACE", "HEAD"])
@on_loop
async def test_other_methods_stay_here(tmp_path: Path, method: str) -> None:
    """Only those that the gateway can frame an answer to."""
    gate = Gate(tmp_path, opened())
    client = await gate.ask(get("/passthrough/up/files", method=method))
    assert client.out.startswith(b"HTTP/1.1 4")
    assert not gate.connector.opened


@on_loop
async def test_only_known_headers_go_on(tmp_path: Path) -> None:
    """None that chooses another account, another host, another method or another client address."""
    gate = Gate(tmp_path, opened())
    lines = [
        "Cookie: a=b", "OpenAI-Organization: org-2", "OpenAI-Project: p", "X-Goog-User-Project: p",
        "X-HTTP-Method-Override: DELETE", "X-Forwarded-For: 10.0.0.1", "X-Forwarded-Host: evil", "Forwarded: for=a",
        "X-Original-URL: /admin", "Idempotency-Key: k", "Range: bytes=0-1", "Proxy-Authorization: Basic YTpi",
        "Accept: application/json",
    ]  # fmt: skip
    _, upstream = await gate.asked(get("/passthrough/up/files", *lines))
    names = [line.partition(b":")[0].lower() for line in upstream.transport.out.split(b"\r\n")[1:] if line]
    assert sorted(names) == [
        b"accept", b"accept-encoding", b"authorization", b"content-length", b"host", b"user-agent", b"x-request-id",
    ]  # fmt: skip


@on_loop
async def test_a_redirect_is_not_followed_nor_shown(tmp_path: Path) -> None:
    """Where it leads may be anywhere, and may hold a signature: the client sees its status only."""
    gate = Gate(tmp_path, opened())
    client, upstream = await gate.asked(get("/passthrough/up/files/1/content"))
    upstream.reply(reply(b"", "Location: http://169.254.169.254/", "Set-Cookie: a=b", status="302 Found"))
    await gate.settle()
    assert status(client) == 302
    assert b"169.254" not in client.out
    assert b"cookie" not in client.out.lower()
    assert len(gate.connector.opened) == 1


ECHO = b'{"headers":{"Authorization":"Bearer sk-of-up"}}'
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("code", ["200 OK", "401 No"])
@on_loop
async def test_a_server_that_answers_with_what_it_was_sent_tells_no_credential(tmp_path: Path, code: str) -> None:
    """Whole, the same length as before."""
    gate = Gate(tmp_path, opened())
    client, upstream = await gate.asked(get("/passthrough/up/echo"))
    upstream.reply(reply(ECHO, status=code))
    await gate.settle()
    assert client.out.endswith(ECHO.replace(b"sk-of-up", b"*" * 8))


@pytest.mark.parametrize("large", [False, True])
@on_loop
async def test_nor_in_pieces(tmp_path: Path, large: bool) -> None:
    """Cut in the midst of it, in a stream or in what is relayed as it comes."""
    gate = Gate(tmp_path, opened())
    client, upstream = await gate.asked(get("/passthrough/up/echo"))
    head = STREAM.replace(b"text/event-stream", b"application/octet-stream") if large else STREAM
    filler = b"x" * (2 * 1_048_576 if large else 10)
    upstream.reply(head + chunk(filler) + chunk(b"Bearer sk-o"))
    await gate.settle()
    assert client.out.endswith(b"Bearer \r\n")
    upstream.reply(chunk(b"f-up!") + chunk(b"sk-of") + LAST)
    await gate.settle()
    assert b"sk-of-up" not in client.out
    assert b"*" * 8 + b"!" in client.out
    assert client.out.endswith(b"sk-of\r\n" + LAST)  # what only begins like it is shown in the end


@on_loop
async def test_a_stream_that_breaks_off_does_not_look_whole(tmp_path: Path) -> None:
    """In a format that nobody knows only a reset can say so."""
    gate = Gate(tmp_path, opened())
    client, upstream = await gate.asked(get("/passthrough/up/events"))
    upstream.reply(STREAM + chunk(b"data: 1\n\n"))
    await gate.settle()
    upstream.lose()
    await gate.settle()
    assert not client.out.endswith(LAST)
    assert "abort" in client.events
    assert gate.record.error == "upstream_broken"


def post(path: str) -> bytes:
    return get(path, "Content-Length: 2", method="POST") + b"{}"


@pytest.mark.parametrize(("request_of", "tries"), [(get, 2), (post, 1)])
@on_loop
async def test_only_questions_are_asked_twice(tmp_path: Path, request_of: Callable[[str], bytes], tries: int) -> None:
    """What a vendor was told to do may be done, though its answer was lost."""
    gate = Gate(tmp_path, opened())
    client, upstream = await gate.asked(request_of("/passthrough/up/jobs"))
    upstream.reply(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{")
    upstream.lose()
    await gate.settle()
    await gate.tick(1)
    assert len(gate.connector.opened) == tries
    if tries == 1:
        assert (status(client), gate.record.error) == (502, "upstream_broken")
    else:
        gate.connector.opened[-1].reply(reply(b"{}"))
        await gate.settle()
        assert (status(client), len(gate.record.attempts)) == (200, 2)


@pytest.mark.parametrize("is_reused", [False, True])
@on_loop
async def test_a_deed_whose_connection_ended_is_not_done_again(tmp_path: Path, is_reused: bool) -> None:
    """Once it was sent nobody knows, even where the connection may have been closed before; questions are repeated."""
    gate = Gate(tmp_path, opened())
    if is_reused:
        _, upstream = await gate.asked(get("/passthrough/up/x"))
        upstream.reply(reply(b"{}"))
        await gate.settle()
    client, upstream = await gate.asked(post("/passthrough/up/jobs"))
    upstream.lose()
    await gate.settle()
    await gate.tick(1)
    assert sum(each.transport.out.count(b"POST ") for each in gate.connector.opened) == 1
    assert status(client) == 502
    assert len(gate.journal.records[-1].attempts) == 1


@on_loop
async def test_a_deed_that_was_never_sent_is_tried_again(tmp_path: Path) -> None:
    """No connection, no deed."""
    gate = Gate(tmp_path, opened())
    gate.connector.failures["up"] = UpstreamUnreachable("down")
    client = await gate.ask(post("/passthrough/up/jobs"))
    gate.connector.failures.clear()
    await gate.tick(1)
    gate.connector.opened[-1].reply(reply(b"{}"))
    await gate.settle()
    assert (status(client), len(gate.record.attempts)) == (200, 2)


@pytest.mark.parametrize(
    ("base", "rest", "path"),
    [
        ("/v1", "files/v1", "/v1/files/v1"),
        ("/v1", "v1/messages", "/v1/messages"),
        ("/v1", "v1", "/v1"),
        ("/v1beta", "v1/models/m:generateContent", "/v1/models/m:generateContent"),
        ("/v1beta", "v1beta/models/m:generateContent", "/v1beta/models/m:generateContent"),
        ("/openai/v1", "openai/v1/files", "/openai/v1/files"),
        ("/openai/v1", "v1/files", "/openai/v1/files"),
        ("/tenant-a/v1", "v2/files", "/tenant-a/v1/v2/files"),
        ("/v1", "v1evil/x", "/v1/v1evil/x"),
        ("/openai/v1", "openai/files", "/openai/v1/openai/files"),
        ("/api", "api/tags", "/api/api/tags"),
        ("", "v1/chat", "/v1/chat"),
    ],
)
def test_a_version_stands_once(base: str, rest: str, path: str) -> None:
    """Where both the base URL and a library bring one, the library's; anything else is appended as it came."""
    assert joined(base, rest) == path
