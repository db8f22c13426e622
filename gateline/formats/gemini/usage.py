"""Token counts as Gemini writes them: `usageMetadata`, at the end of a reply and in every event of a stream.

`promptTokenCount` holds what was cached, not what tools brought (`toolUsePromptTokenCount`); thoughts are counted
beside `candidatesTokenCount`; `totalTokenCount` is the sum of these four.
"""

from __future__ import annotations

import msgspec

from gateline.formats.count import Count
from gateline.formats.tail import object_in_tail
from gateline.formats.tier import at_tier
from gateline.formats.typed import UNREAD
from gateline.model.usage import Usage

_KEY = b'"usageMetadata"'


class ModalityCount(msgspec.Struct, rename="camel"):
    modality: str = ""
    token_count: Count = 0


class UsageMetadata(msgspec.Struct, rename="camel", omit_defaults=True):
    prompt_token_count: Count | None = None
    cached_content_token_count: Count | None = None
    candidates_token_count: Count | None = None
    tool_use_prompt_token_count: Count | None = None
    thoughts_token_count: Count | None = None
    total_token_count: Count | None = None
    prompt_tokens_details: list[ModalityCount] | None = None
    cache_tokens_details: list[ModalityCount] | None = None
    candidates_tokens_details: list[ModalityCount] | None = None
    service_tier: str | None = None
    traffic_type: str | None = None

    def counts(self) -> Usage | None:
        """None where there is no prompt count: Vertex AI sends such objects ahead of the last event."""
        prompt = self.prompt_token_count
        if prompt is None:
            return None
        thoughts = self.thoughts_token_count or 0
        given, made = self.prompt_tokens_details, self.candidates_tokens_details
        counted = Usage(
            prompt + (self.tool_use_prompt_token_count or 0),
            (self.candidates_token_count or 0) + thoughts,
            self.cached_content_token_count or 0,
            thoughts,
            input_audio=_of(given, "AUDIO"),
            output_audio=_of(made, "AUDIO"),
            input_image=_of(given, "IMAGE"),
            output_image=_of(made, "IMAGE"),
            cached_audio=_of(self.cache_tokens_details, "AUDIO"),
        )
        return at_tier(at_tier(counted, self.traffic_type), self.service_tier)


class _Reply(msgspec.Struct, rename="camel"):
    usage_metadata: UsageMetadata | None = None


_decode = msgspec.json.Decoder(_Reply).decode


def write_usage(usage: Usage) -> UsageMetadata:
    written = UsageMetadata(
        prompt_token_count=usage.input,
        candidates_token_count=max(usage.output - usage.reasoning, 0),
        total_token_count=usage.input + usage.output,
        prompt_tokens_details=_details(usage.input, usage.input_audio, usage.input_image),
    )
    if usage.cached:
        written.cached_content_token_count = usage.cached
        if usage.cached_audio:
            written.cache_tokens_details = _details(usage.cached, usage.cached_audio, 0)
    if usage.reasoning:
        written.thoughts_token_count = usage.reasoning
    if usage.output_audio or usage.output_image:
        text = max(usage.output - usage.reasoning, 0)
        written.candidates_tokens_details = _details(text, usage.output_audio, usage.output_image)
    return written


def usage_of_reply(body: bytes) -> Usage | None:
    """The usage of a whole reply, which nearly always ends in it."""
    return usage_in_tail(body) or _read(body)


def usage_in_tail(tail: bytes) -> Usage | None:
    """The usage of a reply of which only the last bytes were kept (64 KiB are plenty)."""
    return object_in_tail(tail, _KEY, _read)


def _read(body: bytes) -> Usage | None:
    try:
        usage = _decode(body).usage_metadata
    except UNREAD:
        return None
    return None if usage is None else usage.counts()


def _of(details: list[ModalityCount] | None, modality: str) -> int:
    if not details:
        return 0
    for detail in details:
        if detail.modality == modality:
            return detail.token_count
    return 0


def _details(total: int, audio: int, image: int) -> list[ModalityCount]:
    details = [ModalityCount("TEXT", max(total - audio - image, 0))]
    if audio:
        details.append(ModalityCount("AUDIO", audio))
    if image:
        details.append(ModalityCount("IMAGE", image))
    return details
