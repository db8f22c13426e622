"""Token counts as Cohere writes them.

It says what it bills and, beside that, what its model read, which has a preamble of its own in it: 8 tokens billed may
be 1,394 read. What is billed is what a call consumed. Of the cached tokens those of the preamble are nobody's.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from gateline.formats.tail import object_in_tail
from gateline.formats.typed import UNREAD
from gateline.model.usage import Usage

# A nonsense count is unknown, not a number: bounded so that its cost at any price fits the ledger's 64 bits.
Count = Annotated[float, msgspec.Meta(ge=0, le=1_000_000_000)]


class Tokens(msgspec.Struct, omit_defaults=True, gc=False):
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    reasoning_tokens: Count | None = None
    image_tokens: Count | None = None
    search_units: Count | None = None
    total_tokens: Count | None = None


class UsageObject(msgspec.Struct, omit_defaults=True):
    billed_units: Tokens | None = None
    tokens: Tokens | None = None
    cached_tokens: Count | None = None

    def counts(self) -> Usage | None:
        """None when the vendor left out what was read, since an unknown count is not zero."""
        billed, tokens = self.billed_units, self.tokens or Tokens()
        counted = billed if billed is not None and billed.input_tokens is not None else tokens
        if counted.input_tokens is None:
            return None
        read = int(counted.input_tokens)
        written = int(counted.output_tokens or 0)
        preamble = max(int((tokens.input_tokens or 0) + (tokens.image_tokens or 0)) - read, 0)
        return Usage(
            input=read,
            output=written,
            cached=min(max(int(self.cached_tokens or 0) - preamble, 0), read),
            reasoning=min(int(tokens.reasoning_tokens or 0), written),
        )


class WrittenTokens(msgspec.Struct, omit_defaults=True):
    input_tokens: int
    output_tokens: int | None = None
    reasoning_tokens: int = 0


class WrittenUsage(msgspec.Struct):
    billed_units: WrittenTokens
    tokens: WrittenTokens
    cached_tokens: int


class Meta(msgspec.Struct):
    """Of embeddings."""

    billed_units: Tokens | None = None
    tokens: Tokens | None = None

    def counts(self) -> Usage | None:
        """What is billed is text, pictures apart."""
        billed = self.billed_units or self.tokens or Tokens()
        if billed.input_tokens is None and billed.image_tokens is None:
            return None
        pictures = int(billed.image_tokens or 0)
        return Usage(input=int(billed.input_tokens or 0) + pictures, input_image=pictures)


class _Reply(msgspec.Struct):
    usage: UsageObject | None = None


class _Embedded(msgspec.Struct):
    meta: Meta | None = None


_decode = msgspec.json.Decoder(_Reply).decode
_decode_embedded = msgspec.json.Decoder(_Embedded).decode


def usage_object(usage: Usage | None) -> WrittenUsage | None:
    """None when nothing is known: the field may be left out."""
    if usage is None:
        return None
    billed = WrittenTokens(usage.input, usage.output)
    return WrittenUsage(billed, WrittenTokens(usage.input, usage.output, usage.reasoning), usage.cached)


def usage_of_reply(body: bytes) -> Usage | None:
    """The usage of a whole answer; None when it has none, or is not what it should be."""
    return usage_in_tail(body) or _read(body)


def usage_in_tail(tail: bytes) -> Usage | None:
    """The usage of an answer of which only the last bytes were kept."""
    return object_in_tail(tail, b'"usage"', _read)


def usage_of_embedding(body: bytes) -> Usage | None:
    """The same of embeddings, whole or at their end."""
    return object_in_tail(body, b'"meta"', _read_embedded) or _read_embedded(body)


def _read(body: bytes) -> Usage | None:
    try:
        usage = _decode(body).usage
    except UNREAD:
        return None
    return None if usage is None else usage.counts()


def _read_embedded(body: bytes) -> Usage | None:
    try:
        meta = _decode_embedded(body).meta
    except UNREAD:
        return None
    return None if meta is None else meta.counts()
