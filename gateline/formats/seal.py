"""Seals in formats that have no place for their maker: marked with it on the way out, known by it on the way in.

A client keeps what it was given and sends it back a turn later, maybe to a model of another vendor. A format's field
for seals holds those of its own vendor as they are; whatever stands there without a mark is that vendor's.
"""

from __future__ import annotations

from gateline.model.chat import Maker, Seal

MARK = "gateline."


def write_seal(seal: Seal, native: Maker) -> str:
    """The text for a field in which seals of `native` stand as they are."""
    return seal.data if seal.maker == native else f"{MARK}{seal.maker}.{seal.data}"


def read_seal(text: str, native: Maker) -> Seal:
    """The seal in such a field."""
    if text.startswith(MARK):
        maker, dot, data = text[len(MARK) :].partition(".")
        if dot:
            return Seal(maker, data)
    return Seal(native, text)
