"""What a run does, and the words that the command and its worker processes exchange about it."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

import msgspec

Kind = Literal["chat", "stream", "embeddings"]
Format = Literal["openai", "anthropic"]


class Send(msgspec.Struct, frozen=True, array_like=True):
    """One decided request: nanoseconds after the start, tokens of its prompt, tokens asked for."""

    at_ns: int
    prompt_tokens: int
    max_tokens: int


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """`rate` (requests a second) or `trace` decide the send times beforehand; with neither, each connection sends its
    next request when it has the answer. `phase` shifts this process's times by that part of its own interval, so that
    several do not send at once. `format` is whose chat API is spoken, `against` the second URL of a comparison. Times
    in seconds."""

    url: str
    key: str
    model: str
    kind: Kind
    connections: int
    prompt_tokens: int
    max_tokens: int
    duration: float | None = None
    requests: int | None = None
    rate: float | None = None
    phase: float = 0.0
    trace: list[Send] | None = None
    against: str | None = None
    timeout: float = 60.0
    format: Format = "openai"
    verify: bool = True
    ca: str | None = None


class Tick(msgspec.Struct, kw_only=True, tag=True):
    """What happened in a worker since its last tick. `samples`: name -> array of 32-bit unsigned numbers, each a time
    in units of 100 ns. `cpu_ns` is the worker's CPU time since the start of the load."""

    done: int = 0
    sent: int = 0
    errors: dict[str, int] = {}
    statuses: dict[int, int] = {}
    bytes_in: int = 0
    bytes_out: int = 0
    tokens: int = 0
    events: int = 0
    open: int = 0
    unsent: int = 0
    cpu_ns: int = 0
    samples: dict[str, bytes] = {}
    is_last: bool = False


class Ready(msgspec.Struct, tag=True):
    """The worker has connected; it waits for `Go`."""

    error: str | None = None


class Go(msgspec.Struct, tag=True):
    """Start at this time on CLOCK_MONOTONIC, which all processes of a machine share."""

    at_ns: int


class Origin(msgspec.Struct, frozen=True):
    host: str
    port: int
    tls: bool
    authority: str
    base: str


def split_url(url: str) -> Origin:
    """Where a base URL leads; a bare origin means its `/v1`. Raises ValueError, saying what is wrong."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"'{url}' is no http:// or https:// URL")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("the URL takes no user, query or fragment: the key goes into --key")
    tls = parts.scheme == "https"
    port = parts.port or (443 if tls else 80)
    base = parts.path.rstrip("/") or "/v1"
    return Origin(parts.hostname, port, tls, parts.netloc, base)


def shares(plan: Plan, count: int) -> list[Plan]:
    """The plan cut into `count` plans for as many processes; together they do what the one says."""
    if count == 1:
        return [plan]
    return [
        msgspec.structs.replace(
            plan,
            connections=_share(plan.connections, count, index),
            requests=None if plan.requests is None else _share(plan.requests, count, index),
            rate=None if plan.rate is None else plan.rate / count,
            phase=index / count,
            trace=None if plan.trace is None else plan.trace[index::count],
        )
        for index in range(count)
    ]


def _share(whole: int, count: int, index: int) -> int:
    return whole // count + (index < whole % count)
