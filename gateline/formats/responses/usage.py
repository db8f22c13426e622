"""Token counts as the Responses API writes them."""

from __future__ import annotations

import msgspec

from gateline.formats.count import Count
from gateline.formats.tail import last_object, object_in_tail
from gateline.formats.tier import at_tier, at_told_tier
from gateline.formats.typed import UNREAD
from gateline.model.usage import Usage

_KEY = b'"usage"'


class InputDetails(msgspec.Struct, gc=False):
    """`cache_write_tokens` is required by OpenAI's types since 2026; xAI and DeepSeek leave it out."""

    cached_tokens: Count | None = 0
    cache_write_tokens: Count | None = 0


class OutputDetails(msgspec.Struct, gc=False):
    reasoning_tokens: Count | None = 0


class UsageObject(msgspec.Struct):
    """The `usage` object on the wire."""

    input_tokens: Count | None = None
    input_tokens_details: InputDetails | None = None
    output_tokens: Count | None = None
    output_tokens_details: OutputDetails | None = None
    total_tokens: Count | None = None

    def counts(self) -> Usage | None:
        """None when the vendor left out what was read, since an unknown count is not zero."""
        if self.input_tokens is None:
            return None
        given, made = self.input_tokens_details, self.output_tokens_details
        return Usage(
            self.input_tokens,
            self.output_tokens or 0,
            (given.cached_tokens or 0) if given is not None else 0,
            (made.reasoning_tokens or 0) if made is not None else 0,
            (given.cache_write_tokens or 0) if given is not None else 0,
        )


def usage_object(usage: Usage | None) -> UsageObject | None:
    """What the client is shown."""
    if usage is None:
        return None
    return UsageObject(
        usage.input,
        InputDetails(usage.cached, usage.cache_write),
        usage.output,
        OutputDetails(usage.reasoning),
        usage.input + usage.output,
    )


class _Reply(msgspec.Struct):
    usage: UsageObject | None = None
    service_tier: str | None = None


_decode_reply = msgspec.json.Decoder(_Reply).decode


def _read(body: bytes) -> Usage | None:
    try:
        reply = _decode_reply(body)
    except UNREAD:
        return None
    return None if reply.usage is None else at_tier(reply.usage.counts(), reply.service_tier)


def usage_of_reply(body: bytes) -> Usage | None:
    """The usage of a whole reply. It stands near the end, so that the answer itself is rarely parsed for it."""
    return at_told_tier(last_object(body, _KEY, _read) or _read(body), body)


def usage_in_tail(tail: bytes) -> Usage | None:
    """The usage of a reply of which only the last bytes were kept (64 KiB are plenty)."""
    return at_told_tier(object_in_tail(tail, _KEY, _read), tail)
