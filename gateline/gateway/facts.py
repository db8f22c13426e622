"""What follows from a request's head alone, worked out once for as long as a connection repeats that head."""

from __future__ import annotations

from gateline.gateway.routes import Asked
from gateline.model.key import key_hash
from gateline.wire.header_policy import filter_request_headers
from gateline.wire.http1 import RequestHead

_EDITION = b"anthropic-version: 2023-06-01\r\n"  # the vendor wants to be told one
_LONGEST = 256  # bytes: a longer token is not one of ours, and not worth hashing


class Facts:
    """`asked` is what the path asks for. `digest` is the keyed hash of the token, None without one that could be ours;
    `has_token` tells the two apart. `lines` are the header lines that go on to an upstream. `is_strict`: the caller
    would have an error rather than a translation that leaves something out."""

    __slots__ = ("asked", "digest", "has_token", "is_strict", "lines", "operation")

    def __init__(self, request: RequestHead, asked: Asked, pepper: bytes) -> None:
        token = request.credential
        self.asked = asked
        self.operation = asked.operation
        self.has_token = token is not None
        self.digest = key_hash(token, pepper) if token is not None and len(token) <= _LONGEST else None
        self.lines = filter_request_headers(request.headers)
        if asked.family == "anthropic" and b"anthropic-version" not in request.headers:
            self.lines += _EDITION
        self.is_strict = request.headers.get(b"x-gateline-strict", b"").lower() in {b"true", b"1"}
