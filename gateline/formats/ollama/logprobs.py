"""Log probabilities of tokens, as they stand beside an answer (docs.ollama.com/api/chat)."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gateline.model.chat import Tokens


class Top(msgspec.Struct, omit_defaults=True):
    token: str
    logprob: float
    bytes: list[int] | None = None


class Logprob(msgspec.Struct, omit_defaults=True):
    token: str
    logprob: float
    bytes: list[int] | None = None
    top_logprobs: list[Top] | None = None


def read_logprobs(found: Sequence[Logprob]) -> list[Tokens]:
    return [
        Tokens(
            token=each.token,
            logprob=each.logprob,
            bytes=each.bytes,
            top=[Tokens(token=top.token, logprob=top.logprob, bytes=top.bytes) for top in each.top_logprobs or ()],
        )
        for each in found
    ]


def write_logprobs(tokens: Sequence[Tokens]) -> list[Logprob]:
    return [
        Logprob(
            each.token,
            each.logprob,
            each.bytes,
            [Top(top.token, top.logprob, top.bytes) for top in each.top] or None,
        )
        for each in tokens
    ]
