"""Token counts as Ollama writes them: beside the answer, in a whole reply and in the last line of a stream.

`prompt_eval_count` is the whole prompt, what was found in the cache included; Ollama leaves counts out that are zero,
and older servers did so for a prompt that was cached whole.
"""

from __future__ import annotations

import msgspec

from gateline.formats.tail import object_in_tail
from gateline.formats.typed import UNREAD
from gateline.model.usage import Usage

_MOST = 1_000_000_000  # a count beyond it is nonsense, and so unknown
_KEY = b'"prompt_eval_count"'


class _Counts(msgspec.Struct):
    prompt_eval_count: int | None = None
    prompt_eval_cached_count: int | None = None
    eval_count: int | None = None


_decode = msgspec.json.Decoder(_Counts).decode


def usage_of_counts(prompt: int | None, cached: int | None, output: int | None) -> Usage | None:
    """None when the size of the prompt is not known."""
    if prompt is None or not 0 <= prompt <= _MOST:
        return None
    return Usage(input=prompt, output=_bounded(output), cached=_bounded(cached))


def usage_of_reply(body: bytes) -> Usage | None:
    """The usage of a whole reply; None when it has none, or is not what it should be."""
    try:
        counts = _decode(body)
    except UNREAD:
        return None
    return usage_of_counts(counts.prompt_eval_count, counts.prompt_eval_cached_count, counts.eval_count)


def usage_in_tail(tail: bytes) -> Usage | None:
    """The usage of a reply of which only the last bytes were kept."""
    return object_in_tail(tail, _KEY, usage_of_reply)


def _bounded(count: int | None) -> int:
    return count if count is not None and 0 <= count <= _MOST else 0
