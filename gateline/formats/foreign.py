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
_MARKED = re.compile(rb"gateline\.[a-z0-9-]+\.")  # begins with letters, or it would take four times as long
_AHEAD = b'":'  # of a mark: where a field begins, or behind what stands in front of one
_HIDDEN = b'"redactedContent"'  # of Converse: marks in it stand behind other text, in base64
_SHOWN = b'"reasoningText"'
_REASONED = b'"reasoningContent"'  # one and the other stand in it
_ENCODED = b"Z2F0ZWxpbmUu"  # the mark in base64, where a format keeps seals as bytes
_SHOWN_THOUGHT = re.compile(rb'"type"\s{0,8}:\s{0,8}"thinking"')
_SIGNATURE = re.compile(rb'"signature"\s{0,8}:\s{0,8}"[^"]')
_OUTLINE = b'"gateline.['  # Ollama's, in JSON inside of a string
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
_THOUGHT = b'thinking"'  # the end of both types of blocks that hold what Claude thought
_SLICE = 1_048_576  # bytes that are searched at once
_FIELD = b'"gateline.'  # a field that begins with a mark
_ENCRYPTED = b'"encrypted_content"'  # of Responses
# The id of an item that was made here: the vendor's own never end so.
_NAMED = b'"rs_'
_NAMED_HERE = re.compile(rb'"rs_[^"]{1,300}_[0-9]{1,5}"')


def foreign_hint(operation: Operation) -> bytes:
    """What stands in every body of which `holds_foreign` is true, to be searched for first; empty where none is, and
    for Responses, of which each is asked."""
    if operation in _SIGNED:
        return _THOUGHT
    return _REASONED if operation == "converse" else _MARKS_OF.get(operation, b"")


def holds_foreign(operation: Operation, body: Body, dialect: Dialect) -> bool:
    """Whether `body`, of a call in its vendor's own format, holds a seal that is not that vendor's, or one of its own
    that has a mark."""
    if operation == "responses":
        return _holds_items(body, dialect)
    mark = _mark_of(operation, dialect)
    if not mark:
        return False
    if stands_in(body, mark) and (mark is not _MARK or _is_marked(body)):
        return True
    if operation == "converse":
        return stands_in(body, _HIDDEN) or (stands_in(body, _SHOWN) and _lacks_signature(body))
    if operation not in _SIGNED:
        return False
    return _may_lack_signature(body) if not dialect.maker else stands_in(body, _THOUGHT)


def _mark_of(operation: Operation, dialect: Dialect) -> bytes:
    is_welcome = operation == "chat.completions" and dialect.seals == "reasoning_details"
    return _FIELD if is_welcome else _MARKS_OF.get(operation, b"")


def _holds_items(body: Body, dialect: Dialect) -> bool:
    """Whether an input holds what another vendor sealed, or reasoning that nobody did."""
    if stands_in(body, _ENCRYPTED) and (dialect.maker or stands_in(body, _FIELD)):
        return True
    return stands_in(body, _NAMED) and _NAMED_HERE.search(body) is not None


def _is_marked(body: Body) -> bool:
    return any(body[found.start() - 1] in _AHEAD for found in _MARKED.finditer(body))


def _may_lack_signature(body: Body) -> bool:
    """Whether there are not as many signatures as thoughts: clients write none, null or an empty one where a vendor
    gave none. A field of a tool may be called so too."""
    return len(_SHOWN_THOUGHT.findall(body)) != len(_SIGNATURE.findall(body))


def _lacks_signature(body: Body) -> bool:
    """Whether Converse's reasoning stands somewhere without the signature that Claude gives to all of its own."""
    return len(re.findall(_SHOWN, body)) > len(re.findall(b'"signature"', body))


def stands_in(body: Body, mark: bytes) -> bool:
    """2 to 4 ms for 10 MB, in slices: a search holds up every other thread until it ends."""
    if isinstance(body, memoryview) or len(body) > _SLICE:
        return any(mark in bytes(body[at : at + _SLICE + len(mark) - 1]) for at in range(0, len(body), _SLICE))
    return mark in body
