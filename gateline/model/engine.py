"""Messages between the gateway and a local engine, one a frame, on `run/engine-NAME.sock`. Tagged MessagePack arrays.

An engine speaks OpenAI's JSON inside `Submit`, `Data`: to the router it is one more OpenAI-compatible upstream. Every
connection has its own numbers in `id`; many requests are open at once. The engine sends `State` on connect and on
every change. A client that leaves becomes a `Cancel`; the engine still answers it with `End`.
"""

from __future__ import annotations

from typing import Literal

import msgspec


class Submit(msgspec.Struct, array_like=True, tag=1):
    """`path` is "/chat/completions", "/completions" or "/embeddings"; `body` is the JSON the client sent."""

    id: int
    path: str
    body: bytes


class Cancel(msgspec.Struct, array_like=True, tag=2):
    id: int


class State(msgspec.Struct, array_like=True, tag=3):
    """`retry_after`: seconds until it is expected to be ready, while loading. `batch`: sequences in the last step."""

    state: Literal["loading", "ready", "failed"]
    detail: str = ""
    retry_after: float = 0.0
    waiting: int = 0
    running: int = 0
    batch: int = 0


class Head(msgspec.Struct, array_like=True, tag=4):
    id: int
    status: int
    content_type: str
    retry_after: float | None = None


class Data(msgspec.Struct, array_like=True, tag=5):
    id: int
    data: bytes


class End(msgspec.Struct, array_like=True, tag=6):
    """The reply is whole. `queue` and `cpu` are nanoseconds this request waited for and took of the engine (its share
    of each batched step). `error` is set when the reply broke off."""

    id: int
    queue: int = 0
    cpu: int = 0
    error: str = ""


ToEngine = Submit | Cancel
FromEngine = State | Head | Data | End
