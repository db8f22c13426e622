"""What the step loop asks of a model, and what a model says back. Knows nothing of sockets, threads or vendors.

A model is driven from one thread: `admit` some requests, `step` all of them forward together, `cancel` those whose
client has left. Requests are named by a key that the loop chose; OpenAI's JSON goes in and comes out.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

JSON = "application/json"
EVENTS = "text/event-stream"


class Part(msgspec.Struct):
    """A piece of one request's reply. The first piece has `status` and `content_type`, the final one has `last`.

    `error`: the reply broke off here. `queue` and `cpu` (nanoseconds) are filled in by the loop on the last piece;
    `retry_after` (seconds) goes with a refusal that another try may turn into success.
    """

    key: int
    data: bytes = b""
    status: int = 0
    content_type: str = JSON
    retry_after: float | None = None
    last: bool = False
    error: str = ""
    queue: int = 0
    cpu: int = 0


class Step(msgspec.Struct):
    """One step's harvest. `load` says which requests were computed and how heavy each was, relative to the others:
    the step's CPU time is shared by it. `batch` counts the sequences that were computed together."""

    parts: list[Part]
    load: dict[int, int]
    batch: int


class Model(Protocol):
    """`capacity`: requests it holds at once; more wait in the loop's queue."""

    capacity: int

    def admit(self, key: int, path: str, body: bytes) -> None:
        """Takes a request in, to be computed from the next step on. Raises `Refused` when it cannot be served."""

    def step(self) -> Step:
        """Moves every admitted request forward. A request whose part is `last` is out of the model.

        What it raises leaves the model unusable: its process ends and is started afresh.
        """

    def cancel(self, key: int) -> None:
        """Forgets a request: the next step does not compute it. An unknown key is fine: it has just ended."""
