"""Seals in `thoughtSignature`, which is base64: Gemini's own stand there as they came.

The field's type is bytes, and Google's SDKs decode it: the mark of another maker (see `formats/seal.py`) is text, so it
is encoded once more. Behind it, on lines of their own, stand what else that maker needs to know its reasoning by.
"""

from __future__ import annotations

import base64

from gateline.formats.gemini.media import plain_base64
from gateline.formats.seal import read_seal, write_seal
from gateline.model.chat import Reasoning, Seal

_MARK = base64.b64encode(b"gateline.").decode()  # 9 bytes end on a boundary: every encoded mark begins so
_HIDDEN = "hidden"


def write_signature(seal: Seal, *, id: str = "", is_hidden: bool = False) -> str:  # noqa: A002 - the part's own name
    if seal.maker == "gemini":
        return seal.data
    lines = [write_seal(seal, "gemini")]
    if id or is_hidden:
        lines += [id, _HIDDEN if is_hidden else ""]
    return base64.b64encode("\n".join(lines).encode()).decode()


def read_signature(text: str) -> Seal:
    return _opened(text)[0]


def read_reasoning(text: str, signature: str | None) -> Reasoning:
    if not signature:
        return Reasoning(text=text)
    seal, id_, is_hidden = _opened(signature)
    return Reasoning(text=text, seal=seal, id=id_, is_hidden=is_hidden or (seal.maker == "gemini" and not text))


def _opened(signature: str) -> tuple[Seal, str, bool]:
    data = plain_base64(signature)
    if data.startswith(_MARK):
        try:
            lines = base64.b64decode(data, validate=True).decode().split("\n")
        except ValueError:  # no base64, not even ASCII, or no text
            return Seal("gemini", data), "", False
        id_, flag = (lines[1], lines[2]) if len(lines) == 3 else ("", "")
        return read_seal(lines[0], "gemini"), id_, flag == _HIDDEN
    return Seal("gemini", data), "", False
