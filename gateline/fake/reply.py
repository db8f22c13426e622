"""A reply before it is sent: its head, its pieces, and the steps that a connection takes to send it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

from gateline.model.usage import Usage


class Piece(NamedTuple):
    """One event of a stream, or a part of a whole body; `tokens` of the answer in it, `usage`: the count is in it,
    `done`: it is the stream's terminator."""

    data: bytes
    tokens: int = 0
    usage: bool = False
    done: bool = False


class WriteError(Protocol):
    """Writes the body of an error answer. `code`, `param`: for vendors that name them."""

    def __call__(
        self, status: int, message: str, code: str | None = None, param: str | None = None
    ) -> tuple[bytes, tuple[tuple[str, str], ...]]:
        """The body and the headers that come with it."""
        ...


class Voice(NamedTuple):
    """How one vendor says that something went wrong. `in_band`: the event that ends a stream with this message;
    `bad_event`: an event whose data is no JSON; `unknown`: status, message and code for a model that does not exist;
    `denied`: the same for a wrong key; `wait`: says in an error's body for how many seconds to wait, where this is told
    there and not in a header."""

    error: WriteError
    in_band: Callable[[str], bytes]
    bad_event: bytes
    unknown: Callable[[str], tuple[int, str, str | None]]
    denied: tuple[int, str, str | None]
    id_header: str = "x-request-id"
    wait: Callable[[bytes, float], bytes] | None = None

    def busy(self, status: int, message: str, seconds: float) -> Reply:
        """An error that asks to come back after so many seconds."""
        reply = self.refuse(status, message)
        if self.wait is None:
            return reply._replace(headers=(*reply.headers, ("retry-after", f"{seconds:g}")))
        body = self.wait(b"".join(piece.data for piece in reply.pieces), seconds)
        return whole(status, body, *reply.headers)._replace(voice=self)

    def refuse(self, status: int, message: str, code: str | None = None, param: str | None = None) -> Reply:
        body, headers = self.error(status, message, code, param)
        return whole(status, body, *headers)._replace(voice=self)


class Refusal(Exception):
    """Raised with the reply that says no."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


class Reply(NamedTuple):
    """`pieces` may have no end when `length` (bytes) is None. `usage` is what the caller will be told, if anything.
    `voice` None is OpenAI's."""

    status: int
    pieces: Iterable[Piece]
    length: int | None
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = "application/json"
    stream: bool = False
    usage: Usage | None = None
    voice: Voice | None = None


class Send(NamedTuple):
    """`event` is the log's word for it; `tokens` and `usage` as in the piece. `drip`: seconds between single bytes."""

    data: bytes
    event: str = ""
    tokens: int = 0
    usage: bool = False
    drip: float = 0.0


class Pause(NamedTuple):
    seconds: float


class Strike(NamedTuple):
    """From here on the reply goes wrong: the invoice and the log are told its name."""

    fault: str


class Reset(NamedTuple):
    """TCP RST: the kernel tells the peer that the connection is gone, not that it ended."""


class Close(NamedTuple):
    """An orderly FIN, whatever the framing had promised."""


class Hang(NamedTuple):
    """Nothing more, until the peer leaves."""


Step = Send | Pause | Strike | Reset | Close | Hang

REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    409: "Conflict",
    413: "Content Too Large",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
    529: "Overloaded",
    301: "Moved Permanently",
    302: "Found",
    307: "Temporary Redirect",
    308: "Permanent Redirect",
}


def whole(status: int, body: bytes, *headers: tuple[str, str], tokens: int = 0, usage: Usage | None = None) -> Reply:
    """A reply with a JSON body and its length."""
    piece = Piece(body, tokens, usage=usage is not None)
    return Reply(status, [piece], len(body), headers, usage=usage)


def as_stream(reply: Reply) -> Reply:
    """The same body as the one event of a stream."""
    body = b"".join(piece.data for piece in reply.pieces)
    event = Piece(b"data: " + body + b"\n\n", usage=reply.usage is not None)
    pieces = [event, Piece(b"data: [DONE]\n\n", done=True)]
    return reply._replace(pieces=pieces, length=None, content_type="text/event-stream", stream=True)


def head(status: int, headers: Iterable[tuple[str, str]]) -> bytes:
    lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Status')}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")
