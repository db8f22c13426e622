"""Messages between a worker and the process that reads large bodies for it, one a datagram on `run/peek.sock`.

Bodies themselves are not sent: their descriptors travel beside question and answer.
"""

from __future__ import annotations

import msgspec

from gateline.model.call import Span

MESSAGE = 65_536  # bytes of one at most: what is longer is not sent


class Peek(msgspec.Struct, array_like=True, tag=1):
    """What is in the `size` bytes behind the descriptor, a body of `operation`? `model` and `stream` are what the
    request's path says of them. `form` is the body's content type where it is a form."""

    id: int
    operation: str
    size: int
    model: str = ""
    stream: bool | None = None
    form: bytes = b""


class Peeked(msgspec.Struct, array_like=True, tag=2):
    """The decided fields, and where each field's value lies: `spans` is (name, start, end) in the client's order.
    `form` as in `Call`."""

    id: int
    model: str
    stream: bool
    include_usage: bool
    user: str | None
    max_tokens: int | None
    spans: list[Span]
    form: tuple[Span, ...] = ()


class Unreadable(msgspec.Struct, array_like=True, tag=3):
    """The body is no call: the parts of the BadRequest that says why."""

    id: int
    message: str
    param: str | None
    code: str | None


class Translate(msgspec.Struct, array_like=True, tag=4):
    """Write the call behind the descriptor (as in `Peek`) as one of operation `spoken`, for the vendor's model `target`
    and in its dialect (`formats.dialect`, as MessagePack)."""

    id: int
    operation: str
    size: int
    model: str
    stream: bool | None
    spoken: str
    target: str
    dialect: bytes


class Translated(msgspec.Struct, array_like=True, tag=5):
    """Behind the descriptor beside it lie the vendor's body, `size` bytes, and behind that the call as its answer will
    need it (`formats.packed`), `packed` bytes. `dropped` are features that the vendor's format has no place for."""

    id: int
    size: int
    packed: int
    dropped: list[str]


class Failed(msgspec.Struct, array_like=True, tag=6):
    """A defect of ours: that process has said in the log where."""

    id: int


ToPeeker = Peek | Translate
FromPeeker = Peeked | Unreadable | Translated | Failed
