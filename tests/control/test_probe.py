"""A key tried with a free call: what is said of each answer, and that it is one request to a checked address."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from gateline.control.probe import Verdict, probe
from gateline.model.snapshot import Provider
from gateline.net.egress import EgressPolicy
from gateline.providers.table import TABLE

KEY = "sk-canary-0123456789"


@contextmanager
def vendor(status: int, body: bytes, kind: str = "application/json") -> Iterator[tuple[int, list[tuple[str, Any]]]]:
    """Its port, and what it was asked: path and headers."""
    asked: list[tuple[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers))
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_port, asked
        finally:
            server.shutdown()
            thread.join()


def tried(port: int, kind: str = "groq", key: str = KEY, host: str = "127.0.0.1", **fields: Any) -> Verdict:
    provider = Provider(kind, kind, "http", host, port, "/v1", key, **fields)
    return probe(provider, TABLE[kind], EgressPolicy())


@pytest.mark.parametrize(
    ("status", "body", "is_good", "words"),
    [
        (200, b'{"data":[]}', True, "ok: it answers, and takes the key"),
        (
            401,
            b'{"error":{"message":"bad key sk-canary-0123456789"}}',
            False,
            "key refused (401: bad key [redacted]): ",
        ),
        (403, b'{"detail":"no"}', False, "key refused (403: no): make a new one"),
        (400, b'{"code":"x","error":"Incorrect API key provided"}', False, "key refused (400: Incorrect API key"),
        (400, b'{"error":"bad"}', False, "it answered 400: bad"),
        (404, b'{"error":"no"}', False, "nothing there (404: no): check base_url"),
        (429, b'{"error":"slow"}', None, "busy (429: slow): the key was not refused"),
        (500, b"<html>", False, "it answered 500: the upstream answered 500"),
        (302, b"", False, "it answered 302"),
    ],
)
def test_each_answer_is_one_line(status: int, body: bytes, is_good: bool | None, words: str) -> None:
    """Good, bad or unknown, with what to do; the key is not in it, and nobody is followed elsewhere."""
    with vendor(status, body) as (port, asked):
        verdict = tried(port)
    assert (verdict.is_good, verdict.words.startswith(words)) == (is_good, True), verdict
    assert "canary" not in verdict.words
    assert "\n" not in verdict.words
    ((path, headers),) = asked
    assert (path, headers["Authorization"]) == ("/v1/models", f"Bearer {KEY}")


@pytest.mark.parametrize(
    ("kind", "path", "header", "options"),
    [
        ("anthropic", "/v1/models?limit=1", "x-api-key", ()),
        ("gemini", "/v1/models?pageSize=1", "x-goog-api-key", ()),
        ("azure", "/v1/openai/models?api-version=v1", "api-key", (("api_version", "v1"),)),
        ("openrouter", "/v1/key", "Authorization", ()),
    ],
)
def test_each_vendor_is_asked_its_own_way(kind: str, path: str, header: str, options: Any) -> None:
    """Where it has a free call that checks the key, with the header it wants the key in."""
    with vendor(200, b"{}") as (port, asked):
        assert tried(port, kind, options=options).is_good
    assert asked[0][0] == path
    assert asked[0][1][header].endswith(KEY)


def test_without_a_key_that_is_said() -> None:
    """A server of one's own may want none; one that does says so."""
    with vendor(200, b"{}") as (port, asked):
        assert tried(port, "vllm", "").words == "ok: it answers, without a key"
    assert asked[0][1]["Authorization"] is None
    with vendor(401, b"{}") as (port, _):
        assert tried(port, "vllm", "").words.endswith("it wants one: add it")


def test_nobody_is_asked_where_nothing_is_free_or_the_address_is_refused() -> None:
    """A name that leads to this machine is not this machine; a signed request is the gateway's to make."""
    with vendor(200, b"{}") as (port, asked):
        assert tried(port, "perplexity").is_good is None
        assert tried(port, "bedrock").is_good is None
        refused = probe(Provider("p", "groq", "http", "localhost.", port), TABLE["groq"], EgressPolicy())
        assert refused.is_good is False
        assert refused.words.startswith("unreachable")
    assert asked == []


def test_what_is_no_web_server_is_told() -> None:
    """By what it did, not by the library's exception."""
    with vendor(200, b"{}") as (port, _):
        provider = Provider("p", "groq", "https", "127.0.0.1", port, "/v1", KEY)
        verdict = probe(provider, TABLE["groq"], EgressPolicy())
    assert verdict.is_good is False
    assert verdict.words.startswith("unreachable (no connection)")
