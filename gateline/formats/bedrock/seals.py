"""Where Converse's blocks keep seals.

Reasoning has a signature, hidden reasoning is a block of bytes. Signatures of Claude are Anthropic's own, on whichever
platform it runs; the bytes are what Anthropic's own API calls `data`. Seals of other makers stand there marked
(`formats/seal.py`). A seal on a tool use or a text travels in hidden reasoning of its own, in front of the tool use or
behind the text, so that a client which sends blocks back as they came sends it back too.
"""

from __future__ import annotations

import base64
import binascii

from gateline.formats.seal import read_seal, write_seal
from gateline.model.chat import Reasoning, Seal

_BEFORE = "before:gateline."  # the seal of the tool use that follows
_BEHIND = "behind:gateline."  # the seal of the text that precedes
_ID = "id:"
_BYTES = "base64:"  # begins the text of bytes that are none


def signature(seal: Seal, reasoning_id: str) -> str:
    """The signature of reasoning that is shown. Reasoning that its maker knows by a name keeps that too."""
    text = write_seal(seal, "anthropic")
    return f"{_ID}{reasoning_id}:{text}" if reasoning_id and seal.maker != "anthropic" else text


def read_signature(text: str, thought: str, *, is_hidden: bool = False) -> Reasoning:
    """The reasoning whose signature is `text`; it may be empty."""
    reasoning_id = ""
    if text.startswith(_ID):
        name, marked, rest = text[len(_ID) :].partition(":gateline.")
        if marked:
            reasoning_id, text = name, f"gateline.{rest}"
    seal = read_seal(text, "anthropic") if text else None
    return Reasoning(text=thought, seal=seal, is_hidden=is_hidden, id=reasoning_id)


def hidden(seal: Seal, reasoning_id: str = "") -> str:
    """The bytes of hidden reasoning, in base64."""
    return _blob(signature(seal, reasoning_id))


def tool_carrier(seal: Seal) -> str:
    """The bytes of hidden reasoning that stands in front of a tool use."""
    return _blob(f"{_BEFORE}{seal.maker}.{seal.data}")


def text_carrier(seal: Seal) -> str:
    """The bytes of hidden reasoning that stands behind a text."""
    return _blob(f"{_BEHIND}{seal.maker}.{seal.data}")


def read_hidden(blob: str) -> Reasoning:
    return read_signature(blob_text(blob), "", is_hidden=True)


def seal_of_tool(text: str) -> Seal | None:
    """What `tool_carrier` wrote, as `blob_text` reads it; None for anything else."""
    return read_seal(text[len("before:") :], "anthropic") if text.startswith(_BEFORE) else None


def seal_of_text(text: str) -> Seal | None:
    """What `text_carrier` wrote, as `blob_text` reads it; None for anything else."""
    return read_seal(text[len("behind:") :], "anthropic") if text.startswith(_BEHIND) else None


def blob_text(blob: str) -> str:
    """Bytes that are no text keep their base64."""
    try:
        return base64.b64decode(blob, validate=True).decode()
    except (binascii.Error, ValueError):
        return _BYTES + blob


def _blob(text: str) -> str:
    if text.startswith(_BYTES):
        return text[len(_BYTES) :]
    return base64.b64encode(text.encode("utf-8", "replace")).decode()
