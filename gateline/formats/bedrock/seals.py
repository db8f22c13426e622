"""Where Converse's blocks keep seals: as Anthropic's own do (`claude/carrier.py`), but that hidden reasoning holds
bytes, in base64. Signatures of Claude are Anthropic's own, on whichever platform it runs.
"""

from __future__ import annotations

import base64

from gateline.formats.claude import carrier
from gateline.model.chat import Reasoning, Seal

_BYTES = "base64:"  # begins the text of bytes that are none


def hidden(seal: Seal, reasoning_id: str = "") -> str:
    """The bytes of hidden reasoning."""
    return blob(carrier.write_reasoning_seal(seal, reasoning_id))


def tool_carrier(seal: Seal) -> str:
    """The bytes of hidden reasoning that stands in front of a tool use."""
    return blob(carrier.tool_carrier(seal))


def text_carrier(seal: Seal) -> str:
    """The bytes of hidden reasoning that stands behind a text."""
    return blob(carrier.text_carrier(seal))


def read_hidden(blob: str) -> Reasoning:
    return carrier.read_reasoning(blob_text(blob), "", is_hidden=True)


def blob_text(blob: str) -> str:
    """Bytes that are no text keep their base64."""
    try:
        return base64.b64decode(blob, validate=True).decode()
    except ValueError:  # no base64, not even ASCII, or no text
        return _BYTES + blob


def blob(text: str) -> str:
    """The bytes of hidden reasoning whose text is what `carrier` writes."""
    if text.startswith(_BYTES):
        return text[len(_BYTES) :]
    return base64.b64encode(text.encode("utf-8", "replace")).decode()
