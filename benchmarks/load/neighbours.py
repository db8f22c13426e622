"""What a huge call does to the others: a prompt of a million tokens, an image of 10 MB, a reply of 10 MB, passed on and
translated, while small calls go through the same worker one after the other."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPConnection
from threading import Event, Thread
from typing import Any

from benchmarks.harness.bench import Bench, FigureFailed, cores
from benchmarks.harness.gateway import MODEL, Gateway, configuration, gateline
from benchmarks.harness.generator import fast_fake
from benchmarks.harness.report import Result, Row
from benchmarks.harness.wrk import chat_body

REACH = 20.0  # milliseconds
_TOKENS = 1_000_000
_IMAGE = 10_000_000  # bytes, before base64
_REPLY = 10_000_000  # bytes
_LARGE = "large"  # a provider and a model that answers with so many
_PIECE = 65_536
_TIMES = 10
_CALM = 2.0  # seconds of small calls alone


@dataclass(frozen=True, slots=True)
class Kind:
    name: str
    path: str
    body: bytes
    reply: int = 0  # bytes, where that is what is huge


def measure(bench: Bench) -> Result:
    where = cores()
    times = 3 if bench.quick else _TIMES
    with (
        fast_fake(bench, where.load, "--reply-bytes", "600") as up,
        fast_fake(bench, where.load, "--reply-bytes", str(_REPLY)) as large,
        gateline(bench, where.tested, _with_large(configuration(up), large)) as gateway,
    ):
        alone = _worst(gateway, lambda: time.sleep(_CALM))
        rows: list[Row] = []
        notes: list[str] = []
        for kind in _kinds():
            worst = _worst(gateway, lambda kind=kind: _send(gateway, kind, times))  # type: ignore[misc]
            added = max(worst - alone, 0.0)
            rows.append(
                Row(
                    f"{kind.name}: slows another call by at most",
                    f"≤ {REACH:.0f} ms",
                    f"{added:.1f} ms (slowest {worst:.1f} ms, {alone:.1f} ms without it)",
                    added <= REACH,
                )
            )
            notes.append(f"{kind.name}: {(kind.reply or len(kind.body)) / 1e6:.1f} MB, {times} times.")
    return Result("Neighbours of huge calls", rows, [" ".join(notes)])


def _with_large(config: dict[str, Any], url: str) -> dict[str, Any]:
    config["providers"][_LARGE] = {"kind": "openai-compatible", "base_url": f"{url}/v1", "api_key": "bench"}
    config["models"][_LARGE] = {"targets": [{"provider": _LARGE, "model": _LARGE}]}
    return config


def _kinds() -> list[Kind]:
    prompt = "word " * _TOKENS
    data = base64.b64encode(bytes(range(256)) * (_IMAGE // 256)).decode()
    chat = {"model": MODEL, "messages": [{"role": "user", "content": prompt}]}
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}
    source = {"type": "base64", "media_type": "image/png", "data": data}
    image = {"model": MODEL, "messages": [{"role": "user", "content": [picture]}]}
    messages = {"model": MODEL, "max_tokens": 64, "messages": [{"role": "user", "content": prompt}]}
    shown = {**messages, "messages": [{"role": "user", "content": [{"type": "image", "source": source}]}]}
    short = {"model": _LARGE, "max_tokens": 64, "messages": [{"role": "user", "content": "Say something long."}]}
    openai, anthropic = "/v1/chat/completions", "/v1/messages"
    return [
        Kind("a prompt of 1 million tokens, passed on", openai, json.dumps(chat).encode()),
        Kind("a prompt of 1 million tokens, translated", anthropic, json.dumps(messages).encode()),
        Kind("an image of 10 MB, passed on", openai, json.dumps(image).encode()),
        Kind("an image of 10 MB, translated", anthropic, json.dumps(shown).encode()),
        Kind("a reply of 10 MB, passed on", openai, json.dumps(short).encode(), _REPLY),
        Kind("a reply of 10 MB, translated", anthropic, json.dumps(short).encode(), _REPLY),
    ]


def _worst(gateway: Gateway, work: Callable[[], None]) -> float:
    """The slowest of the small calls, in milliseconds, while `work` is done."""
    over = Event()
    slowest = [0.0]

    def ask() -> None:
        connection = HTTPConnection(gateway.url.removeprefix("http://"), timeout=60.0)
        headers = {"Authorization": f"Bearer {gateway.token}", "Content-Type": "application/json"}
        body = chat_body().encode()
        while not over.is_set():
            began = time.perf_counter()
            connection.request("POST", "/v1/chat/completions", body, headers)
            connection.getresponse().read()
            slowest[0] = max(slowest[0], (time.perf_counter() - began) * 1_000)
            over.wait(0.001)
        connection.close()

    asking = Thread(target=ask)
    asking.start()
    try:
        work()
    finally:
        over.set()
        asking.join()
    return slowest[0]


def _send(gateway: Gateway, kind: Kind, times: int) -> None:
    headers = {"Authorization": f"Bearer {gateway.token}", "Content-Type": "application/json"}
    for _ in range(times):
        connection = HTTPConnection(gateway.url.removeprefix("http://"), timeout=60.0)
        connection.request("POST", kind.path, kind.body, headers)
        answer = connection.getresponse()
        if answer.status != 200:
            raise FigureFailed(f"{kind.name} was answered {answer.status}: {answer.read(300)!r}")
        got = 0
        while piece := answer.read(_PIECE):  # a read of all would hold up the small calls' thread
            got += len(piece)
        connection.close()
        if got < kind.reply * 0.9:  # in another format it is a little shorter
            raise FigureFailed(f"{kind.name} was answered with {got:,} bytes")
