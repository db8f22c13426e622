"""Token counts as OpenAI writes them, read from whole replies, from the end of big ones, and from stream events.

Unknown stays None: a reply without `prompt_tokens` has no usage, never a usage of zero.
"""

from __future__ import annotations

import msgspec

from gateline.formats.count import Count
from gateline.formats.tail import AHEAD, object_in_tail
from gateline.formats.tier import at_tier, at_told_tier
from gateline.formats.typed import UNREAD
from gateline.model.usage import Usage

_KEY = b'"usage"'


class CachedDetails(msgspec.Struct, gc=False):
    """What kinds of tokens were cached (OpenAI's realtime models tell it)."""

    audio_tokens: Count | None = None


class PromptDetails(msgspec.Struct, gc=False, omit_defaults=True):
    cached_tokens: Count | None = None
    cache_write_tokens: Count | None = None
    audio_tokens: Count | None = None
    image_tokens: Count | None = None
    cached_tokens_details: CachedDetails | None = None


class CompletionDetails(msgspec.Struct, gc=False, omit_defaults=True):
    reasoning_tokens: Count | None = None
    audio_tokens: Count | None = None
    image_tokens: Count | None = None


_NO_PROMPT_DETAILS = PromptDetails()
_NO_COMPLETION_DETAILS = CompletionDetails()


class UsageObject(msgspec.Struct, gc=False, omit_defaults=True):
    """The `usage` object on the wire. `cached_tokens` (Moonshot) and `prompt_cache_hit_tokens` (DeepSeek) are other
    names of `prompt_tokens_details.cached_tokens`."""

    prompt_tokens: Count | None = None
    completion_tokens: Count | None = None
    total_tokens: Count | None = None
    prompt_tokens_details: PromptDetails | None = None
    completion_tokens_details: CompletionDetails | None = None
    cached_tokens: Count | None = None
    prompt_cache_hit_tokens: Count | None = None

    def counts(self) -> Usage | None:
        """None when the vendor left out what was read, since an unknown count is not zero."""
        prompt, completion = self.prompt_tokens, self.completion_tokens
        if prompt is None:
            return None
        if completion is None:  # embeddings have no output
            completion = max((self.total_tokens or 0) - prompt, 0)
        before, after = self.prompt_tokens_details, self.completion_tokens_details
        if before is None:
            before = _NO_PROMPT_DETAILS
        if after is None:
            after = _NO_COMPLETION_DETAILS
        cached = before.cached_tokens or self.cached_tokens or self.prompt_cache_hit_tokens or 0
        reasoning = after.reasoning_tokens or 0
        if reasoning and self.total_tokens == prompt + completion + reasoning:
            completion += reasoning  # xAI counts reasoning beside the answer, not in it
        written, heard, seen = before.cache_write_tokens, before.audio_tokens, before.image_tokens
        spoken, drawn = after.audio_tokens, after.image_tokens
        if written or heard or seen or spoken or drawn:
            kinds = before.cached_tokens_details
            replayed = (kinds.audio_tokens or 0) if kinds is not None else 0
            parts = (written or 0, 0, heard or 0, spoken or 0, seen or 0, drawn or 0, replayed)
            return Usage(prompt, completion, cached, reasoning, *parts)
        return Usage(prompt, completion, cached, reasoning)  # nine names to look up would cost twice all of this


def usage_object(usage: Usage) -> UsageObject:
    """What a client is shown. Cached and reasoning tokens always, as OpenAI does; other parts where there are any."""
    return UsageObject(
        usage.input,
        usage.output,
        usage.input + usage.output,
        PromptDetails(usage.cached, usage.cache_write or None, usage.input_audio or None, usage.input_image or None),
        CompletionDetails(usage.reasoning, usage.output_audio or None, usage.output_image or None),
    )


_decode_usage = msgspec.json.Decoder(UsageObject | None).decode


def usage_of_raw(raw: msgspec.Raw, tier: str | None = None) -> Usage | None:
    """The counts in a `usage` member that was kept apart; None when they are not what they should be. `tier` is the
    service tier that was told beside it."""
    try:
        usage = _decode_usage(raw)
    except UNREAD:
        return None
    return None if usage is None else at_tier(usage.counts(), tier)


class _Reply(msgspec.Struct):
    usage: UsageObject | None = None
    service_tier: str | None = None


_decode_reply = msgspec.json.Decoder(_Reply).decode


def read_usage(body: bytes | bytearray | memoryview) -> Usage | None:
    """The usage of a whole reply; None when it has none, or is not what it should be."""
    try:
        reply = _decode_reply(body)
    except UNREAD:
        return None
    return None if reply.usage is None else at_tier(reply.usage.counts(), reply.service_tier)


def usage_of_reply(body: bytes) -> Usage | None:
    """What `read_usage` says, sooner: nearly every reply ends in its usage, so that the rest needs no parse."""
    at = body.rfind(_KEY)
    if at < 0:
        return None if b"\\" not in body else read_usage(body)
    if at > 0 and body[at - 1] in AHEAD:
        try:
            usage = _decode_reply(b"{" + body[at:]).usage
        except UNREAD:
            usage = None
        if usage is not None:
            return at_told_tier(usage.counts(), body)
    return read_usage(body)


def usage_in_tail(tail: bytes) -> Usage | None:
    """The usage of a reply of which only the last bytes were kept (64 KiB are plenty)."""
    return at_told_tier(object_in_tail(tail, _KEY, read_usage), tail)


def is_json_object(body: bytes) -> bool:
    """Whether `body` looks like one JSON object from both ends: what a vendor's 200 must be. Costs no parse."""
    return (body[:1] == b"{" and body[-1:] == b"}") or (
        body[:64].lstrip(b" \t\r\n")[:1] == b"{" and body[-64:].rstrip(b" \t\r\n")[-1:] == b"}"
    )
