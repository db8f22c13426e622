"""wrk with a Lua script: one chat request again and again, or with one part drawn anew for each."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness.bench import FigureFailed
from benchmarks.harness.process import pinned

CONNECTIONS = 64
REQUEST_BYTES = 250
_TIMEOUT = "30s"  # the slowest peers need seconds a request at 64 connections
_MARGIN_SECONDS = 60.0
_DONE = """
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '\\nFIGURES {"requests":%d,"microseconds":%d,"status":%d,"socket":%d,"p50":%d,"p99":%d}\\n',
    summary.requests, summary.duration, e.status, e.connect + e.read + e.write + e.timeout,
    latency:percentile(50), latency:percentile(99)))
end
"""
_DRAW = """
local parts, number = {}, 0
local threads = 0
setup = function(thread) thread:set("seed", threads); threads = threads + 1 end
init = function(args)
  math.randomseed(os.time() + seed * 7919)
  for line in io.lines(PARTS) do parts[#parts + 1] = HEAD .. line .. TAIL end
end
"""


@dataclass(frozen=True, slots=True)
class Shot:
    """What one run did. Times in seconds, latencies in milliseconds."""

    requests: int
    seconds: float
    failed: int
    p50: float
    p99: float

    @property
    def rate(self) -> float:
        return self.requests / self.seconds


def chat_body(model: str = "gpt-4o") -> str:
    """A chat call of 250 bytes."""
    call = {
        "model": model,
        "messages": [
            {"role": "system", "content": "You are a helpful assistant."},
            {"role": "user", "content": ""},
        ],
        "temperature": 0.7,
        "max_tokens": 64,
    }
    empty = json.dumps(call)
    words = ("Say something nice about the weather in Lisbon today, please. " * 9)[: REQUEST_BYTES - len(empty)]
    return empty.replace('"content": ""', f'"content": "{words}"')


def messages_body(model: str = "gpt-4o") -> str:
    """The same call in Anthropic's format, of 250 bytes."""
    call = {
        "model": model,
        "max_tokens": 64,
        "system": "You are a helpful assistant.",
        "messages": [{"role": "user", "content": ""}],
        "temperature": 0.7,
    }
    empty = json.dumps(call)
    words = ("Say something nice about the weather in Lisbon today, please. " * 9)[: REQUEST_BYTES - len(empty)]
    return empty.replace('"content": ""', f'"content": "{words}"')


def write_script(folder: Path, headers: Mapping[str, str], body: str) -> Path:
    """The same request again and again."""
    lines = [f"wrk.headers[{json.dumps(name)}] = {json.dumps(value)}" for name, value in headers.items()]
    text = 'wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\n' + "\n".join(lines)
    return _write(folder / "chat.lua", f"{text}\nwrk.body = {_lua(body)}\n{_DONE}")


def write_drawing_script(folder: Path, head: str, parts: Sequence[str], tail: str, *, in_order: bool = False) -> Path:
    """Whole requests `head + part + tail`, the part drawn uniformly, or each in its turn with `in_order`."""
    (folder / "parts.txt").write_text("".join(f"{part}\n" for part in parts))
    pick = "number % #parts + 1" if in_order else "math.random(#parts)"
    names = f"local HEAD, TAIL, PARTS = {_lua(head)}, {_lua(tail)}, {_lua(str(folder / 'parts.txt'))}\n"
    ask = f"request = function()\n  local at = {pick}\n  number = number + 1\n  return parts[at]\nend\n"
    return _write(folder / ("in_order.lua" if in_order else "draw.lua"), names + _DRAW + ask + _DONE)


def shoot(
    url: str,
    script: Path,
    seconds: float,
    cores: tuple[int, ...],
    *,
    connections: int = CONNECTIONS,
    threads: int | None = None,
    path: str = "/v1/chat/completions",
) -> Shot:
    """One run against an origin. Raises FigureFailed when wrk gives no result."""
    count = threads or min(max(1, len(cores) - len(cores) // 2), connections)
    command = ["wrk", f"-t{count}", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", _TIMEOUT]
    command += ["-s", str(script), f"{url}{path}"]
    try:
        done = subprocess.run(
            pinned(command, cores), capture_output=True, text=True, timeout=seconds + _MARGIN_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise FigureFailed("wrk did not end") from None
    _, marker, text = done.stdout.partition("\nFIGURES ")
    if not marker:
        raise FigureFailed(f"wrk gave no result: {(done.stderr or done.stdout).strip()[-300:]}")
    told = json.loads(text)
    return Shot(
        told["requests"],
        told["microseconds"] / 1e6,
        told["status"] + told["socket"],
        told["p50"] / 1e3,
        told["p99"] / 1e3,
    )


def _write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def _lua(text: str) -> str:
    """A Lua string literal: JSON's escapes are Lua's for the characters that occur here."""
    return json.dumps(text).replace("\\/", "/")
