"""Token counts of pictures and sound as OpenAI writes them. Calls that are paid by the picture, the second or the
character tell none: their usage is unknown."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from gateline.formats.count import Count
from gateline.formats.openai.usage import CachedDetails
from gateline.formats.tail import object_in_tail
from gateline.formats.typed import UNREAD
from gateline.model.usage import Usage

_KEY = b'"usage"'


class Details(msgspec.Struct, gc=False):
    audio_tokens: Count | None = None
    image_tokens: Count | None = None
    cached_tokens: Count | None = None
    cached_tokens_details: CachedDetails | None = None


_NO_DETAILS = Details()


class UsageObject(msgspec.Struct):
    """The `usage` object on the wire. Pictures say `input_tokens_details`, transcripts `input_token_details`; a
    transcript paid by its length says seconds instead of tokens."""

    input_tokens: Count | None = None
    output_tokens: Count | None = None
    total_tokens: Count | None = None
    input_tokens_details: Details | None = None
    input_token_details: Details | None = None
    output_tokens_details: Details | None = None

    def counts(self) -> Usage | None:
        """None when the vendor left out what was read or what was made, since an unknown count is not zero."""
        read, made = self.input_tokens, self.output_tokens
        if read is None:
            return None
        if made is None:
            if self.total_tokens is None:
                return None
            made = max(self.total_tokens - read, 0)
        before = self.input_tokens_details or self.input_token_details or _NO_DETAILS
        after = self.output_tokens_details or _NO_DETAILS
        kept = before.cached_tokens_details
        return Usage(
            input=read,
            output=made,
            cached=before.cached_tokens or 0,
            input_audio=before.audio_tokens or 0,
            input_image=before.image_tokens or 0,
            output_audio=after.audio_tokens or 0,
            output_image=after.image_tokens or 0,
            cached_audio=(kept.audio_tokens or 0) if kept is not None else 0,
        )

    def picture_counts(self) -> Usage | None:
        """The same of a picture: all that was made is the picture, unless it says otherwise."""
        usage = self.counts()
        if usage is None or (self.output_tokens_details or _NO_DETAILS).image_tokens is not None:
            return usage
        return msgspec.structs.replace(usage, output_image=usage.output)

    def speech_counts(self) -> Usage | None:
        """The same of speech: all that was made is sound."""
        usage = self.counts()
        return None if usage is None else msgspec.structs.replace(usage, output_audio=usage.output)


Counts = Callable[[UsageObject], Usage | None]


class _Reply(msgspec.Struct):
    usage: UsageObject | None = None


_decode_reply = msgspec.json.Decoder(_Reply).decode


class MediaUsage:
    """Finds the usage in whole replies and in their ends. `counts` says what its tokens are of."""

    __slots__ = ("_counts",)

    def __init__(self, counts: Counts) -> None:
        self._counts = counts

    def read(self, body: bytes) -> Usage | None:
        """The usage of a whole reply or event, wherever in it; None when it has none, or none that can be read."""
        try:
            usage = _decode_reply(body).usage
        except UNREAD:
            return None
        return None if usage is None else self._counts(usage)

    def of_reply(self, body: bytes) -> Usage | None:
        """What `read` says, sooner where the usage stands behind the pictures."""
        return self.in_tail(body) or self.read(body)

    def in_tail(self, tail: bytes) -> Usage | None:
        """The usage of a reply of which only the last bytes were kept."""
        return object_in_tail(tail, _KEY, self.read)
