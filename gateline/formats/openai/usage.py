"""Token counts as OpenAI writes them, read from whole replies, from the end of big ones, and from stream events.

Unknown stays None: a reply without `prompt_tokens` has no usage, never a usage of zero.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from gateline.model.usage import Usage

# A nonsense count is unknown, not a number: bounded so that its cost at any price fits the ledger's 64 bits.
Count = Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)]

_CANDIDATES = 16  # tries at the word "usage" in a tail: text full of it cannot make reading it slow
_KEY = b'"usage"'
_AHEAD = b", \t\r\n{"  # what stands before a key


class PromptDetails(msgspec.Struct, gc=False):
    cached_tokens: Count | None = None


class CompletionDetails(msgspec.Struct, gc=False):
    reasoning_tokens: Count | None = None


class UsageObject(msgspec.Struct):
    """The `usage` object on the wire."""

    prompt_tokens: Count | None = None
    completion_tokens: Count | None = None
    total_tokens: Count | None = None
    prompt_tokens_details: PromptDetails | None = None
    completion_tokens_details: CompletionDetails | None = None

    def counts(self) -> Usage | None:
        """None when the vendor left out what was read, since an unknown count is not zero."""
        prompt, completion = self.prompt_tokens, self.completion_tokens
        if prompt is None:
            return None
        if completion is None:  # embeddings have no output
            completion = max((self.total_tokens or 0) - prompt, 0)
        prompt_details, completion_details = self.prompt_tokens_details, self.completion_tokens_details
        return Usage(
            prompt,
            completion,
            (prompt_details.cached_tokens or 0) if prompt_details is not None else 0,
            (completion_details.reasoning_tokens or 0) if completion_details is not None else 0,
        )


class _Reply(msgspec.Struct):
    usage: UsageObject | None = None


_UNREAD = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_decode_reply = msgspec.json.Decoder(_Reply).decode


def read_usage(body: bytes | bytearray | memoryview) -> Usage | None:
    """The usage of a whole reply; None when it has none, or is not what it should be."""
    try:
        usage = _decode_reply(body).usage
    except _UNREAD:
        return None
    return None if usage is None else usage.counts()


def usage_of_reply(body: bytes) -> Usage | None:
    """What `read_usage` says, sooner: nearly every reply ends in its usage, so that the rest needs no parse."""
    at = body.rfind(_KEY)
    if at < 0:
        return None if b"\\" not in body else read_usage(body)
    if at > 0 and body[at - 1] in _AHEAD:
        try:
            usage = _decode_reply(b"{" + body[at:]).usage
        except _UNREAD:
            usage = None
        if usage is not None:
            return usage.counts()
    return read_usage(body)


def usage_in_tail(tail: bytes) -> Usage | None:
    """The usage of a reply of which only the last bytes were kept (64 KiB are plenty).

    From a top-level key on, the rest of a reply is a whole object again once `{` is put before it; from a nested key,
    or from inside a string, it is not. So whatever decodes is the reply's own usage.
    """
    end = len(tail)
    for _ in range(_CANDIDATES):
        end = tail.rfind(_KEY, 0, end)
        if end < 0:
            return None
        if end > 0 and tail[end - 1] in _AHEAD:
            usage = read_usage(b"{" + tail[end:])
            if usage is not None:
                return usage
    return None


def is_json_object(body: bytes) -> bool:
    """Whether `body` looks like one JSON object from both ends: what a vendor's 200 must be. Costs no parse."""
    return (body[:1] == b"{" and body[-1:] == b"}") or (
        body[:64].lstrip(b" \t\r\n")[:1] == b"{" and body[-64:].rstrip(b" \t\r\n")[-1:] == b"}"
    )
