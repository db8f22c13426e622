"""Token counts as Anthropic writes them, read from whole replies, from the end of big ones, and from stream events.

Anthropic counts what was cached, and what was written to the cache, beside `input_tokens` and not in it. Unknown stays
None: a reply without `input_tokens` has no usage, never a usage of zero.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec import Raw

from gateline.formats.count import Count
from gateline.formats.tail import last_object, object_in_tail
from gateline.formats.tier import LISTED, at_tier
from gateline.formats.typed import UNREAD
from gateline.model.usage import Usage

_TIERS = frozenset({"standard", "priority", "batch"})

_ANYWHERE = frozenset({None, "", "global", "not_available"})
_KEY = b'"usage"'


class CacheCreation(msgspec.Struct, gc=False):
    ephemeral_5m_input_tokens: Count | None = 0
    ephemeral_1h_input_tokens: Count | None = 0


class OutputDetails(msgspec.Struct, gc=False):
    thinking_tokens: Count | None = 0


class UsageObject(msgspec.Struct, omit_defaults=True):
    """The `usage` object on the wire. In a stream, later ones hold the counts that have changed since."""

    input_tokens: Count | None = None
    cache_creation_input_tokens: Count | None = None
    cache_read_input_tokens: Count | None = None
    cache_creation: CacheCreation | None = None
    output_tokens: Count | None = None
    output_tokens_details: OutputDetails | None = None
    service_tier: str | None = None
    speed: str | None = None
    inference_geo: str | None = None

    def counts(self) -> Usage | None:
        """None when the vendor left out what was read, since an unknown count is not zero."""
        plain = self.input_tokens
        if plain is None:
            return None
        written, cached = self.cache_creation_input_tokens or 0, self.cache_read_input_tokens or 0
        creation, details = self.cache_creation, self.output_tokens_details
        counted = Usage(
            input=plain + written + cached,
            output=self.output_tokens or 0,
            cached=cached,
            reasoning=0 if details is None else details.thinking_tokens or 0,
            cache_write=written,
            cache_write_1h=0 if creation is None else creation.ephemeral_1h_input_tokens or 0,
        )
        return counted if self._is_listed() else at_tier(counted, self._tier())

    def _is_listed(self) -> bool:
        return self.service_tier in LISTED and self.speed in LISTED and self.inference_geo in _ANYWHERE

    def _tier(self) -> str:
        """Fast mode and inference in one country have prices of their own (platform.claude.com/docs, "Pricing")."""
        for word in (self.service_tier, self.speed):
            if word not in LISTED:
                return word or ""
        return f"geo_{self.inference_geo}"

    def note(self, later: UsageObject) -> None:
        """Takes over the counts of `later`: they are totals, not additions (platform.claude.com/docs, "Streaming")."""
        for name in UsageObject.__struct_fields__:
            value = getattr(later, name)
            if value is not None:
                setattr(self, name, value)


def usage_object(usage: Usage | None, tier: str = "", *, has_creation: bool = True) -> UsageObject:
    """What a client is shown; zeros when nothing is known, since its SDK requires numbers. A `message_delta` has no
    `has_creation`."""
    if usage is None:
        return UsageObject(input_tokens=0, output_tokens=0)
    for_an_hour = min(usage.cache_write_1h, usage.cache_write)
    return UsageObject(
        input_tokens=max(usage.input - usage.cached - usage.cache_write, 0),
        cache_creation_input_tokens=usage.cache_write,
        cache_read_input_tokens=usage.cached,
        cache_creation=CacheCreation(usage.cache_write - for_an_hour, for_an_hour) if has_creation else None,
        output_tokens=usage.output,
        output_tokens_details=OutputDetails(usage.reasoning) if usage.reasoning else None,
        service_tier=tier if tier in _TIERS else None,
    )


_decode_object: Callable[[Raw], UsageObject | None] = msgspec.json.Decoder(UsageObject | None).decode


def read_object(raw: Raw) -> UsageObject | None:
    """A `usage` member that was kept apart: counts that are not what they should be spoil no answer."""
    if not bytes(raw):
        return None
    try:
        return _decode_object(raw)
    except UNREAD:
        return None


class _Reply(msgspec.Struct):
    usage: UsageObject | None = None


_decode_reply = msgspec.json.Decoder(_Reply).decode


def read_usage(body: bytes) -> Usage | None:
    """The usage of a whole reply; None when it has none, or is not what it should be."""
    try:
        usage = _decode_reply(body).usage
    except UNREAD:
        return None
    return None if usage is None else usage.counts()


def usage_of_reply(body: bytes) -> Usage | None:
    """What `read_usage` says, sooner: most replies end in their usage, so that the rest needs no parse."""
    return last_object(body, _KEY, read_usage) or read_usage(body)


def usage_in_tail(tail: bytes) -> Usage | None:
    """The usage of a reply of which only the last bytes were kept (64 KiB are plenty)."""
    return object_in_tail(tail, _KEY, read_usage)
