"""Secrets and private words, marked, on every path that works or fails: they are found only where they belong."""

from __future__ import annotations

import json
import stat
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.journey.gate import Gate, settings
from tests.journey.processes import children
from tests.journey.upstream import Upstream
from tests.journey.wire import Answer, ask, chat, request

PROVIDER_KEY = "zq7-canary-provider-credential"  # like no vendor's key: nothing but its value gives it away
PROMPT = "canary-prompt-text"
JSON_KEY = "canary_json_key"
HEADER = "X-Canary-Header-Name"
VALUE = "canary-header-value"
QUERY = "canary-query-value"
MODEL = "canary-model-name"
USER = "canary-user"
COOKIE = "canary-upstream-cookie"


class Parrot(BaseHTTPRequestHandler):
    """An upstream that repeats in its answer the credential it was given, in every way that vendors have."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        said = self.headers["Authorization"]
        way = self.path.split("/")[1]
        status, kind, body = 200, "application/json", ""
        shown = {"message": f"Bad key {said}", "type": said, "code": PROVIDER_KEY, "param": PROVIDER_KEY}
        error = json.dumps({"error": shown})
        if way.startswith("s"):
            status, body = int(way[1:]), error
        elif way == "text":
            status, kind, body = 400, "text/plain", f"Bad key {said}"
        elif way == "html":
            status, kind, body = 502, "text/html", f"<p>{said}</p>"
        elif way == "whole":
            body = error
        else:
            kind = "text/event-stream"
            first = 'data: {"choices":[{"delta":{"content":"x"}}]}\n\n'
            body = (first if way == "late" else "") + f"data: {error}\n\n"
        self.send_response(status, f"Bad {PROVIDER_KEY}")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Set-Cookie", COOKIE)
        self.send_header("X-Echo", said)
        self.send_header("OpenAI-Organization", PROVIDER_KEY)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in the base class
        pass


@pytest.fixture(scope="module")
def parrot() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Parrot) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


WAYS = ("s400", "s401", "s403", "s404", "s429", "s500", "text", "html", "whole", "early", "late")


def asked(gate: Gate, wrong: str) -> list[Answer]:
    """What calls that work and calls that fail are answered, each with all the marks that it can carry."""
    lines = (f"{HEADER}: {VALUE}", f"Cookie: {VALUE}")
    said_by_all = {"user": USER, "messages": [{"role": "user", "content": PROMPT}]}
    private: dict[str, Any] = {JSON_KEY: PROMPT, "metadata": {JSON_KEY: PROMPT}, **said_by_all}
    answers = [
        ask(gate.port, chat(token, *lines, model=model, stream=stream, **private))
        for model in ("plain", "gone", MODEL, *WAYS)
        for stream in (False, True)
        for token in (gate.token, wrong)
    ]
    answers += [
        ask(gate.port, chat(gate.token, *lines, stream=True, **{**private, "metadata": {"fake": fault}}))
        for fault in ("reset", "cut,after=4", "bad_json", "garbage", "status=401")
    ]
    answers += [
        ask(gate.port, request("GET", f"/v1/models?api_key={QUERY}", gate.token, None, *lines)),
        ask(gate.port, request("GET", f"/v1/models/plain?api_key={QUERY}", wrong, None, *lines)),
        ask(gate.port, chat(gate.token, f"x-api-key: {wrong}", **private)),
        ask(gate.port, chat(gate.token, **private)[:-1] + b"!"),
        ask(gate.port, request("POST", "/v1/chat/completions", gate.token, PROMPT.encode())),
        ask(gate.port, chat(gate.token, **{**private, "stream": PROMPT})),
        ask(gate.port, chat(gate.token, filler=PROMPT * 10_000)),
        ask(gate.port, request("GET", "/livez", gate.token, None, f"{HEADER} : {VALUE}")),
        ask(gate.port, chat(gate.token, *[f"{HEADER}-{number}: {VALUE}" for number in range(120)])),
    ]
    return answers


def test_marked_words_are_found_only_where_they_belong(parrot: str, upstream: Upstream, tmp_path: Path) -> None:
    kind = {"kind": "openai-compatible", "api_key": PROVIDER_KEY}
    providers = {way: {**kind, "base_url": f"{parrot}/{way}"} for way in WAYS}
    config = settings(
        upstream.url,
        providers={
            **providers,
            "up": {**kind, "base_url": upstream.url},
            "gone": {**kind, "base_url": "http://127.0.0.1:9"},
        },
        models={way: {"targets": [{"provider": way, "model": "m"}]} for way in (*WAYS, "gone")},
        logging={"access": str(tmp_path / "access.log"), "level": "debug"},
        server={"body_bytes": "64KiB"},
    )
    with Gate(tmp_path / "gate", config, workers=2) as gate:
        gate.settle()
        wrong = gate.token[:-1] + "!"
        answers = asked(gate, wrong)
        assert {answer.status for answer in answers} >= {200, 400, 401, 403, 404, 413, 429, 431, 500, 502}
        rows = gate.records()
        metrics = gate.metrics_text()
        status = str(gate.status())
        running = " ".join(each.command for each in children(gate.pid)) + gate.command("keys", "list").stdout
        token, provider_key = gate.token, PROVIDER_KEY
    said = b"\n".join(str((answer.headers, answer.body)).encode() for answer in answers)
    told = b"\n".join([metrics.encode(), status.encode(), running.encode(), str(rows).encode()])
    printed = gate.out.read_bytes() + gate.err.read_bytes() + (tmp_path / "access.log").read_bytes()
    assert len(rows) >= 30
    assert printed.count(b"\n") > len(rows)
    for word in (provider_key, token, wrong, PROMPT, JSON_KEY, VALUE, HEADER, QUERY, COOKIE, USER):
        assert word.encode() not in printed, f"{word} was printed or logged"
        assert word.encode() not in told, f"{word} is in metrics, ledger, status or a command line"
        for answer in answers:
            assert word not in str((answer.headers, answer.body)), f"{word} was sent back: {answer}"
    assert MODEL.encode() in said, "a model that does not exist is named to whoever asked for it"
    assert MODEL.encode() not in printed + told
    for path in [path for path in gate.data.root.rglob("*") if path.is_file()]:
        data = path.read_bytes()
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, f"{path} can be read by others"
        for word in (token, token.removeprefix("sk-gl-"), wrong, PROMPT, JSON_KEY, VALUE, QUERY, COOKIE, MODEL, USER):
            assert word.encode() not in data, f"{word} is in {path}"
        assert path == gate.data.snapshot or provider_key.encode() not in data, f"the provider's key is in {path}"
    assert stat.S_IMODE((tmp_path / "access.log").stat().st_mode) == 0o600
