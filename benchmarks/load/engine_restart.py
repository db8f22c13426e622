"""An engine killed with sixteen streams open: how soon it serves again, against how long its model takes to load."""

from __future__ import annotations

import http.client
import importlib.util
import json
import os
import signal
import time
from contextlib import closing
from pathlib import Path
from statistics import median

from benchmarks.harness.bench import Bench, FigureFailed, all_cores, cores
from benchmarks.harness.gateway import Gateway, gateline, served_models
from benchmarks.harness.report import Result, Row

REACH = 2.0  # seconds beyond the load time
MODEL = "local-chat"
_STREAMS = 16
_PATIENCE = 300.0  # weights may have to be fetched and exported first
_LOOK_AGAIN = 0.02


def measure(bench: Bench) -> Result:
    if importlib.util.find_spec("openvino_genai") is None:
        raise FigureFailed("the local engine is not installed: pip install 'gateline[local]'")
    loads: list[float] = []
    backs: list[float] = []
    with gateline(bench, cores(all_cores()).tested, None) as gateway:
        _wait_until_served(gateway)
        for _ in range(1 if bench.quick else bench.rounds):
            backs.append(_kill(gateway))
            loads.append(_load_seconds(gateway))
    beyond = median(back - load for back, load in zip(backs, loads, strict=True))
    row = Row(
        f"an engine killed with {_STREAMS} streams open serves again",
        f"≤ its load time + {REACH:g} s",
        f"{median(backs):.1f} s after the kill, of which loading takes {median(loads):.1f} s",
        beyond <= REACH,
    )
    note = (
        f"From `kill -9` of the engine's process to its first whole answer, median of {len(backs)}; the load time is "
        "what the engine itself reports, from its weights on the disk to a model that can serve. Every stream that was "
        "open ended with an error in the stream."
    )
    return Result("Engine restart", [row], [note])


def _kill(gateway: Gateway) -> float:
    """Seconds from the kill to the next answer. Raises FigureFailed when a stream did not end as it should."""
    connections = [_ask(gateway, stream=True, max_tokens=2_000) for _ in range(_STREAMS)]
    replies = [connection.getresponse() for connection in connections]
    for reply in replies:
        if not reply.readline().startswith(b"data:"):
            raise FigureFailed(f"a stream did not begin: status {reply.status}")
    pid = next(pid for pid in gateway.running("engine") if _serves(pid))
    os.kill(pid, signal.SIGKILL)
    began = time.monotonic()
    ends = [[line for line in reply.read().split(b"\n\n") if line][-1] for reply in replies]
    if not any(b'"error"' in end for end in ends):
        raise FigureFailed("no stream was open any more when its engine was killed")
    for end in ends:
        if b'"error"' not in end and b"[DONE]" not in end:
            raise FigureFailed(f"a stream ended without an error: {end[-200:]!r}")
    _wait_until_served(gateway)
    return time.monotonic() - began


def _serves(pid: int) -> bool:
    return MODEL.encode() in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")


def _wait_until_served(gateway: Gateway) -> None:
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        if any(model["id"] == MODEL and model.get("status") == "failed" for model in served_models(gateway)):
            raise FigureFailed(f"{MODEL} cannot be loaded: {gateway.program.said()}")
        with closing(_ask(gateway, stream=False, max_tokens=1)) as connection:
            if connection.getresponse().status == 200:
                return
        time.sleep(_LOOK_AGAIN)
    raise FigureFailed(f"{MODEL} did not serve within {_PATIENCE:g} s")


def _ask(gateway: Gateway, *, stream: bool, max_tokens: int) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection(gateway.url.removeprefix("http://"), timeout=60)
    question = [{"role": "user", "content": "Count from one to one thousand in words, one number after the other."}]
    body = {"model": MODEL, "messages": question, "stream": stream, "max_tokens": max_tokens}
    headers = {"Authorization": f"Bearer {gateway.token}", "Content-Type": "application/json", "Connection": "close"}
    connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
    return connection


def _load_seconds(gateway: Gateway) -> float:
    """What the engine that serves now said in the gateway's log."""
    log = gateway.data_dir.root.parent / "output.log"
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    ready = [line for line in lines if line["event"] == "engine ready" and line["engine"] == MODEL]
    return float(ready[-1]["load_seconds"])
