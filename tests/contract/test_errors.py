"""A vendor's failure reaches every client: same status, the client's own shape, the vendor's words, the wait it asks.

Each row of the table, with its vendor's own error bodies, each status, asked by a client of each of three formats,
streaming and not.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateline.model.feed import Beat
from gateline.model.snapshot import Model, Provider, Retry, Target
from gateline.providers.table import TABLE
from tests.contract.vendor_errors import BUSY, SAID, SECRET, STATUSES, WAIT, Failure, wording
from tests.gateway.rig import TOKEN, Gate, snapshot, status
from tests.net.transport import FakeTransport, on_loop

VENDORS = [kind for kind in TABLE if kind != "local"]
_OPENAI_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_ANTHROPIC_TYPES = {
    400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error",
    408: "timeout_error", 413: "request_too_large", 429: "rate_limit_error", 500: "api_error", 503: "api_error",
    529: "overloaded_error",
}  # fmt: skip
_GEMINI_STATUSES = {
    400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED", 413: "INVALID_ARGUMENT", 429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE",
    529: "UNAVAILABLE",
}  # fmt: skip


def vendor(kind: str) -> Provider:
    row = TABLE[kind]
    options = (*((name, "x1") for name in row.options), ("location_prefix", "x1-"))
    return Provider(kind, kind, "http", "127.0.0.1", 9000, "/v1", SECRET, options=options)


def gate_of(kind: str, folder: Path) -> Gate:
    served = Model("m", (Target(vendor(kind), "there", 1, 2, None),), (), 1)
    return Gate(folder, snapshot(served, retry=Retry(attempts=1, base=0.01, cap=0.02)))


async def later(gate: Gate) -> None:
    """Keys that were refused, and targets that asked to wait, are used again."""
    await gate.tick(3600)
    gate.keys._receive(Beat(1))


def post(path: str, body: dict[str, Any], *lines: str) -> bytes:
    raw = json.dumps(body).encode()
    head = [f"POST {path} HTTP/1.1", "Host: a", *lines, "Content-Type: application/json"]
    return "\r\n".join([*head, f"Content-Length: {len(raw)}", "", ""]).encode() + raw


def calls(kind: str) -> Iterator[tuple[str, bytes]]:
    """Family and request, for what this vendor can be asked for in each family."""
    speaks = TABLE[kind].speaks
    bearer, gemini_key = f"Authorization: Bearer {TOKEN}", f"x-goog-api-key: {TOKEN}"
    if speaks[0] in {"embeddings", "rerank"}:
        yield "openai", post("/v1/embeddings", {"model": "m", "input": "x"}, bearer)
        yield "gemini", post("/v1beta/models/m:embedContent", {"content": {"parts": [{"text": "x"}]}}, gemini_key)
        return
    user = [{"role": "user", "content": "x"}]
    for stream in (False, True):
        yield "openai", post("/v1/chat/completions", {"model": "m", "messages": user, "stream": stream}, bearer)
        body = {"model": "m", "messages": user, "max_tokens": 9, "stream": stream}
        yield "anthropic", post("/v1/messages", body, f"x-api-key: {TOKEN}")
        verb = "streamGenerateContent?alt=sse" if stream else "generateContent"
        yield "gemini", post(f"/v1beta/models/m:{verb}", {"contents": [{"parts": [{"text": "x"}]}]}, gemini_key)


def http(code: int, failure: Failure) -> bytes:
    head = [f"HTTP/1.1 {code} Some Words", "Connection: close", f"Content-Type: {failure.content_type}", *failure.lines]
    return "\r\n".join([*head, f"Content-Length: {len(failure.body)}", "", ""]).encode() + failure.body


@pytest.mark.parametrize("kind", VENDORS)
@on_loop
async def test_every_failure_of_every_vendor_arrives(kind: str, tmp_path: Path) -> None:
    """With the vendor's status and words, in the client's shape and by its type; the key that was echoed is cut out."""
    gate = gate_of(kind, tmp_path)
    for code in STATUSES:
        failure = wording(kind)(code)
        for family, request in calls(kind):
            client, upstream = await gate.asked(request)
            upstream.reply(http(code, failure))
            await gate.settle()
            where = f"{kind} {code} {family}"
            assert status(client) == code, (where, client.out)
            check(family, code, failure, client, where)
            record = gate.journal.records[-1]
            assert (record.status, record.attempts[0].status, record.usage) == (code, code, None), where
            assert not gate.defects
            await later(gate)


def check(family: str, code: int, failure: Failure, client: FakeTransport, where: str) -> None:
    head, _, raw = bytes(client.out).partition(b"\r\n\r\n")
    assert SECRET.encode() not in client.out, where
    assert (b"\r\nretry-after: %d\r\n" % WAIT in head + b"\r\n") == (code in BUSY), where
    assert (b"retry-after" in head) == (code in BUSY), where
    body = json.loads(raw)
    error = body["error"]
    assert SAID in error["message"], (where, error)
    if family == "openai":
        default = _OPENAI_TYPES.get(code, "invalid_request_error" if code < 500 else "server_error")
        named = "upstream_key_refused" if code == 401 else failure.code  # a caller's own key is another matter
        assert (error["type"], error["code"]) == (failure.type or default, named), (where, error)
        assert set(error) == {"message", "type", "param", "code"}
    elif family == "anthropic":
        assert (body["type"], error["type"]) == ("error", _ANTHROPIC_TYPES[code]), (where, error)
    else:
        assert (error["code"], error["status"]) == (code, _GEMINI_STATUSES[code]), (where, error)


@pytest.mark.parametrize("kind", ["openai", "anthropic", "gemini"])
@on_loop
async def test_a_page_of_some_proxy_is_not_shown(kind: str, tmp_path: Path) -> None:
    """The status arrives, and a sentence that says it; the HTML does not."""
    gate = gate_of(kind, tmp_path)
    page = Failure(b"<html><title>nginx sk-canary-page</title></html>", content_type="text/html")
    for family, request in calls(kind):
        client, upstream = await gate.asked(request)
        upstream.reply(http(503, page))
        await gate.settle()
        assert status(client) == 503, family
        message = json.loads(bytes(client.out).partition(b"\r\n\r\n")[2])["error"]["message"]
        assert message.startswith("the upstream answered 503"), family
        assert b"html" not in client.out
        await later(gate)
