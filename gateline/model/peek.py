"""Messages between a worker and the process that reads what is large for it, one a datagram on `run/peek.sock`.

Bodies themselves are not sent: their descriptors travel beside question and answer.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gateline.model.call import Span
from gateline.model.usage import Usage

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
    `form` and `is_hinted` as in `Call`."""

    id: int
    model: str
    stream: bool
    include_usage: bool
    user: str | None
    max_tokens: int | None
    spans: list[Span]
    form: tuple[Span, ...] = ()
    is_hinted: bool = False


class Unreadable(msgspec.Struct, array_like=True, tag=3):
    """The body is no call, or no answer: the parts of the error that says why."""

    id: int
    message: str
    param: str | None
    code: str | None
    status: int = 400


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
    """Behind the descriptor beside it lie the body for the vendor or the client, `size` bytes, and behind the former
    the call as its answer will need it (`formats.packed`), `packed` bytes. `dropped` are features that the vendor's
    format has no place for, `usage` is what an answer says of its own."""

    id: int
    size: int
    packed: int = 0
    dropped: Sequence[str] = ()
    usage: Usage | None = None


class Failed(msgspec.Struct, array_like=True, tag=6):
    """A defect of ours: that process has said in the log where."""

    id: int


class TranslateReply(msgspec.Struct, array_like=True, tag=7):
    """Behind the descriptor lie a vendor's answer to a call of `spoken`, `size` bytes, and the client's call of
    `operation` (`formats.packed`), `packed` bytes: write the answer as the client's. No error may show `secret`;
    `sealer` is as in `formats.dialect`."""

    id: int
    operation: str
    size: int
    packed: int
    spoken: str
    secret: str
    sealer: str


ToPeeker = Peek | Translate | TranslateReply
FromPeeker = Peeked | Unreadable | Translated | Failed
