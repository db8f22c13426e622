"""A client that says exactly the bytes it is given, and reads what HTTP says it may read. Blocking, one connection."""

from __future__ import annotations

import json
import socket
from types import TracebackType
from typing import Any, NamedTuple, Self

from tests.journey.patience import DEADLINE

_PIECE = 65_536


class Answer(NamedTuple):
    """One response. Header names are in lower case; a chunked body is joined."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str:
        """The one value of a header; fails when it came twice."""
        values = [value for key, value in self.headers if key == name]
        assert len(values) <= 1, f"{name} came {len(values)} times"
        return values[0] if values else ""

    @property
    def id(self) -> str:
        return self.header("x-request-id")

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        """OpenAI's error object; fails when the body is anything else."""
        body = self.json()
        assert set(body) == {"error"}
        assert set(body["error"]) == {"message", "type", "param", "code"}
        return dict(body["error"])


class Wire:
    """`with Wire(port) as wire`: a connection to 127.0.0.1. A wait that is too long raises TimeoutError."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._held = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def reset(self) -> None:
        """Leaves with RST instead of FIN."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        self._socket.close()

    def end(self) -> None:
        """Ends our side of the connection only."""
        self._socket.shutdown(socket.SHUT_WR)

    def send(self, data: bytes) -> Self:
        self._socket.sendall(data)
        return self

    def send_while_it_takes(self, data: bytes) -> int:
        """Sends as a client that does not look at the answer meanwhile; returns what left before the peer refused."""
        sent = 0
        try:
            while sent < len(data):
                sent += self._socket.send(data[sent : sent + _PIECE])
        except (BrokenPipeError, ConnectionResetError):
            pass
        return sent

    def answer(self, *, bodiless: bool = False) -> Answer:
        """The next response; `bodiless` for the answer to a HEAD."""
        status, headers = self.head()
        fields = dict(headers)
        if bodiless or status in {100, 204, 304}:
            body = b""
        elif fields.get("transfer-encoding") == "chunked":
            body = b"".join(iter(self.chunk, b""))
        elif "content-length" in fields:
            body = self.read(int(fields["content-length"]))
        else:
            body = self.rest()
        return Answer(status, headers, body)

    def head(self) -> tuple[int, list[tuple[str, str]]]:
        first, *lines = self._upto(b"\r\n\r\n")[:-4].decode("latin-1").split("\r\n")
        pairs = [line.split(": ", 1) for line in lines]
        assert first.startswith("HTTP/1.1 "), first
        return int(first[9:12]), [(name.lower(), value) for name, value in pairs]

    def chunk(self) -> bytes:
        """One chunk's data; empty at the end of the body."""
        size = int(self._upto(b"\r\n"), 16)
        data = self.read(size)
        assert self.read(2) == b"\r\n"
        return data

    def rest(self) -> bytes:
        """All bytes up to the end that the peer makes. Raises ConnectionResetError when it is no orderly end."""
        while piece := self._socket.recv(_PIECE):
            self._held += piece
        rest, self._held = self._held, b""
        return rest

    def _upto(self, mark: bytes) -> bytes:
        while (at := self._held.find(mark)) < 0:
            self._more()
        at += len(mark)
        found, self._held = self._held[:at], self._held[at:]
        return found

    def read(self, size: int) -> bytes:
        """Exactly so many bytes of what comes."""
        while len(self._held) < size:
            self._more()
        found, self._held = self._held[:size], self._held[size:]
        return found

    def _more(self) -> None:
        piece = self._socket.recv(_PIECE)
        if not piece:
            raise EOFError(f"the peer ended the connection; unread: {self._held!r}")
        self._held += piece


def request(method: str, path: str, token: str = "", body: bytes | None = None, *lines: str) -> bytes:
    """The bytes of a request: with a body of this length, or none; `lines` are further header lines."""
    head = [f"{method} {path} HTTP/1.1", "Host: gateline"]
    if token:
        head.append(f"Authorization: Bearer {token}")
    if body is not None:
        head += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*head, *lines, "", ""]).encode() + (body or b"")


def chat(token: str, *lines: str, **fields: Any) -> bytes:
    """A chat request; `fields` join or replace the usual ones of its body."""
    return request("POST", "/v1/chat/completions", token, chat_body(**fields), *lines)


def chat_body(**fields: Any) -> bytes:
    return json.dumps({"model": "plain", "messages": [{"role": "user", "content": "hi"}], **fields}).encode()


def ask(port: int, data: bytes, *, bodiless: bool = False) -> Answer:
    """One request on a connection of its own, and its answer."""
    with Wire(port) as wire:
        return wire.send(data).answer(bodiless=bodiless)
