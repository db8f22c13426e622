"""Log probabilities of tokens, as they stand beside an answer."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Raw

from gateline.formats.typed import UNREAD
from gateline.model.chat import Tokens


class Top(msgspec.Struct):
    token: str
    logprob: float
    bytes: list[int] | None = None


class Logprob(msgspec.Struct):
    token: str
    logprob: float
    bytes: list[int] | None = None
    top_logprobs: list[Top] | None = None


class Logprobs(msgspec.Struct):
    content: list[Logprob] | None = None
    refusal: list[Logprob] | None = None


_decode = msgspec.json.Decoder(Logprobs | None).decode
_EMPTY = frozenset({b"", b"null"})


def read_logprobs(raw: Raw) -> list[Tokens] | None:
    """None for none, and for a vendor's own shape of them."""
    if bytes(raw) in _EMPTY:
        return None
    try:
        found = _decode(raw)
    except UNREAD:
        return None
    if found is None or not (found.content or found.refusal):
        return None
    return [_tokens(entry) for entry in found.content or found.refusal or ()]


def _tokens(entry: Logprob) -> Tokens:
    top = [Tokens(token=each.token, logprob=each.logprob, bytes=each.bytes) for each in entry.top_logprobs or ()]
    return Tokens(token=entry.token, logprob=entry.logprob, bytes=entry.bytes, top=top)


def write_logprobs(tokens: Sequence[Tokens] | None) -> Logprobs | None:
    if tokens is None:
        return None
    return Logprobs(
        [
            Logprob(
                entry.token,
                entry.logprob,
                entry.bytes,
                [Top(each.token, each.logprob, each.bytes) for each in entry.top],
            )
            for entry in tokens
        ]
    )
