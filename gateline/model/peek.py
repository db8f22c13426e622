"""Messages between a worker and the process that reads large bodies for it, one a datagram on `run/peek.sock`.

The body itself is not sent: its descriptor travels beside the question.
"""

from __future__ import annotations

import msgspec


class Peek(msgspec.Struct, array_like=True, tag=1):
    """What is in the `size` bytes behind the descriptor, a body of `operation`? `model` and `stream` are what the
    request's path says of them."""

    id: int
    operation: str
    size: int
    model: str = ""
    stream: bool | None = None


class Peeked(msgspec.Struct, array_like=True, tag=2):
    """The decided fields, and where each field's value lies: `spans` is (name, start, end) in the client's order."""

    id: int
    model: str
    stream: bool
    include_usage: bool
    user: str | None
    max_tokens: int | None
    spans: list[tuple[str, int, int]]


class Unreadable(msgspec.Struct, array_like=True, tag=3):
    """The body is no call: the parts of the BadRequest that says why."""

    id: int
    message: str
    param: str | None
    code: str | None


FromPeeker = Peeked | Unreadable
