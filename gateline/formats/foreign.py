"""Seals of other makers in a call that would pass as it is: its vendor would refuse them, or learn what is not for it.

A client that was answered by several vendors sends back the seals of all (see `formats/seal.py`). Where its format is
its vendor's, they are taken out by what the format's folder has in `passing.py`; all else stays as it came.
"""

from __future__ import annotations

import re

from gateline.formats.contract import Body
from gateline.formats.dialect import Dialect
from gateline.model.call import Operation

_MARK = b"gateline."  # found a hundred times faster than the pattern
_MARKED = re.compile(rb"gateline\.(?:[a-z]+\.)?(?:anthropic|gemini|openai)\.")
_HIDDEN = b'"redactedContent"'  # of Converse: marks in it stand behind other text, in base64
_SHOWN = b'"reasoningText"'
_ENCODED = b"Z2F0ZWxpbmUu"  # the mark in base64, where a format keeps seals as bytes
_UNSIGNED = re.compile(rb'"signature": ?""')  # of thoughts that had no seal, as clients write them
_OUTLINE = b'"gateline.['  # Ollama's, in JSON inside of a string
# The same wherever it begins among the bytes: only what no byte beside it changes.
_ENCODED_WITHIN = (_ENCODED, b"dhdGVsaW5lL", b"nYXRlbGluZS")
_DETAILS = b'"reasoning_details"'  # OpenAI's format has no place of its own for seals, and no mark
_MARKS_OF: dict[Operation, bytes] = {
    "messages": _MARK,
    "messages.count_tokens": _MARK,
    "cohere.chat": _MARK,
    "converse": _MARK,
    "generate_content": _ENCODED,
    "gemini.count_tokens": _ENCODED,
    "ollama.chat": _OUTLINE,
    "chat.completions": _DETAILS,
}
_SIGNED = frozenset({"messages", "messages.count_tokens"})


def holds_foreign(operation: Operation, body: Body, dialect: Dialect) -> bool:
    """Whether `body`, of a call in its vendor's own format, holds a seal that is not that vendor's."""
    mark = _MARKS_OF.get(operation)
    if mark is None:
        return False
    if _holds(body, mark):
        if mark is _DETAILS:
            return dialect.seals != "reasoning_details"
        if mark is not _MARK or _MARKED.search(body) is not None:
            return True
    if operation == "converse":
        return _holds(body, _HIDDEN) or (_holds(body, _SHOWN) and _lacks_signature(body))
    return operation in _SIGNED and _UNSIGNED.search(body) is not None


def _lacks_signature(body: Body) -> bool:
    """Whether Converse's reasoning stands somewhere without the signature that Claude gives to all of its own."""
    return len(re.findall(_SHOWN, body)) > len(re.findall(b'"signature"', body))


def _holds(body: Body, mark: bytes) -> bool:
    if isinstance(body, memoryview):
        return re.search(re.escape(mark), body) is not None
    return body.find(mark) >= 0
