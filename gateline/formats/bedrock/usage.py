"""Token counts as Converse writes them.

What was cached, and what was written to the cache, is counted beside `inputTokens` and not in it.
"""

from __future__ import annotations

import msgspec

from gateline.formats.bedrock.configuration import Tier
from gateline.formats.count import Count
from gateline.formats.tail import object_in_tail
from gateline.formats.tier import at_tier
from gateline.formats.typed import UNREAD
from gateline.model.usage import Usage

_TIER = b'"serviceTier"'


class CacheDetail(msgspec.Struct, rename="camel", gc=False):
    ttl: str
    input_tokens: Count


class TokenUsage(msgspec.Struct, rename="camel", omit_defaults=True):
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    total_tokens: Count | None = None
    cache_read_input_tokens: Count | None = None
    cache_write_input_tokens: Count | None = None
    cache_details: list[CacheDetail] | None = None

    def counts(self) -> Usage | None:
        """None when the vendor left out what was read, since an unknown count is not zero."""
        plain = self.input_tokens
        if plain is None:
            return None
        written, cached = self.cache_write_input_tokens or 0, self.cache_read_input_tokens or 0
        return Usage(
            input=plain + written + cached,
            output=self.output_tokens or 0,
            cached=cached,
            cache_write=written,
            cache_write_1h=sum(each.input_tokens for each in self.cache_details or () if each.ttl == "1h"),
        )


class _Reply(msgspec.Struct, rename="camel"):
    usage: TokenUsage | None = None
    service_tier: Tier | None = None


_decode = msgspec.json.Decoder(_Reply).decode


def token_usage(usage: Usage | None) -> TokenUsage:
    """What a client is shown; zeros when nothing is known, since its SDK requires numbers."""
    if usage is None:
        return TokenUsage(0, 0, 0)
    shown = TokenUsage(
        max(usage.input - usage.cached - usage.cache_write, 0),
        usage.output,
        usage.input + usage.output,
        usage.cached,
        usage.cache_write,
    )
    if usage.cache_write:
        for_an_hour = min(usage.cache_write_1h, usage.cache_write)
        details = [CacheDetail("1h", for_an_hour), CacheDetail("5m", usage.cache_write - for_an_hour)]
        shown.cache_details = [detail for detail in details if detail.input_tokens]
    return shown


def usage_of_reply(body: bytes) -> Usage | None:
    """The usage of a whole reply; None when it has none, or is not what it should be."""
    return (None if _TIER in body else usage_in_tail(body)) or _read(body)


def usage_in_tail(tail: bytes) -> Usage | None:
    """The usage of a reply of which only the last bytes were kept."""
    return object_in_tail(tail, b'"usage"', _read)


def _read(body: bytes) -> Usage | None:
    try:
        reply = _decode(body)
    except UNREAD:
        return None
    return told_usage(reply.usage, reply.service_tier)


def told_usage(usage: TokenUsage | None, tier: Tier | None) -> Usage | None:
    """The counts, with the service tier that is told beside them."""
    return None if usage is None else at_tier(usage.counts(), None if tier is None else tier.type)
