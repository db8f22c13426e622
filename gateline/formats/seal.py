"""Seals in formats that have no place for their maker: marked with it on the way out, known by it on the way in.

A client keeps what it was given and sends it back a turn later, maybe to a model of another vendor. `anthropic` and
`gemini` formats have one field for a signature; whatever stands there without a mark is of that format's own vendor.
"""

from __future__ import annotations

from gateline.model.chat import Maker, Seal

_MARK = "gateline."
_MAKERS: dict[str, Maker] = {"anthropic": "anthropic", "gemini": "gemini", "openai": "openai"}


def write_seal(seal: Seal, native: Maker) -> str:
    """The text for a field in which seals of `native` stand as they are."""
    return seal.data if seal.maker == native else f"{_MARK}{seal.maker}.{seal.data}"


def read_seal(text: str, native: Maker) -> Seal:
    """The seal in such a field."""
    if text.startswith(_MARK):
        name, dot, data = text[len(_MARK) :].partition(".")
        maker = _MAKERS.get(name)
        if dot and maker is not None:
            return Seal(maker, data)
    return Seal(native, text)
