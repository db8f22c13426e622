"""What follows from a request's head alone, worked out once for as long as a connection repeats that head."""

from __future__ import annotations

from gateline.gateway.routes import Asked
from gateline.model.call import WITH_FILES
from gateline.model.key import key_hash
from gateline.wire.header_policy import filter_request_headers
from gateline.wire.http1 import RequestHead

_EDITION = b"anthropic-version: 2023-06-01\r\n"  # the vendor wants to be told one
_LONGEST = 256  # bytes: a longer token is not one of ours, and not worth hashing
# What is answered otherwise than a call of a model whose body is one JSON object.
_UNLIKE_OTHERS = WITH_FILES | {
    "responses", "responses.read", "models", "ollama.show", "ollama.version", "passthrough",
}  # fmt: skip


class Facts:
    """`asked` is what the path asks for. `digest` is the keyed hash of the token, None without one that could be ours;
    `has_token` tells the two apart. `lines` are the header lines that go on to an upstream. `is_usual`: a call of a
    model, as nearly all are, with nothing about it that only its operation has. `is_anthropic`: its SDK is told the
    request's id under a name of its own. `is_strict`: the caller would have an error rather than a translation that
    leaves something out."""

    __slots__ = (
        "asked", "digest", "has_token", "is_anthropic", "is_strict", "is_usual", "lines", "operation",
    )  # fmt: skip

    def __init__(self, request: RequestHead, asked: Asked, pepper: bytes) -> None:
        token = request.credential
        self.asked = asked
        self.operation = asked.operation
        self.has_token = token is not None
        self.digest = key_hash(token, pepper) if token is not None and len(token) <= _LONGEST else None
        self.lines = filter_request_headers(request.headers)
        self.is_usual = asked.operation not in _UNLIKE_OTHERS
        self.is_anthropic = asked.family == "anthropic"
        if self.is_anthropic and b"anthropic-version" not in request.headers:
            self.lines += _EDITION
        self.is_strict = request.headers.get(b"x-gateline-strict", b"").lower() in {b"true", b"1"}
