"""Seals: what the fake puts where vendors put signatures and encrypted reasoning. Only the fake can make one.

A seal is made from the answer's id and what it seals, so that equal questions get equal bytes and nothing needs to be
remembered: a request that brings one back brings all that is needed to make it again.
"""

from __future__ import annotations

import hmac
from base64 import b64encode, urlsafe_b64decode
from binascii import Error
from typing import Literal

Vendor = Literal["anthropic", "gemini", "openai"]
Verdict = Literal["own", "foreign", "broken"]

_KEY = b"gateline-fake-seal"
_NONCE = 14
# As the vendors' own begin; in whole groups of four, so that all of a seal is base64.
_PREFIX: dict[Vendor, str] = {"anthropic": "EqoB", "gemini": "CpcB", "openai": "gAAAAABo"}


def make_seal(vendor: Vendor, answer: str, sealed: str) -> str:
    """`answer`: the id of the answer; `sealed`: the text that the seal goes with. 108 or 112 characters."""
    nonce = hmac.digest(_KEY, answer.encode(), "sha256")[:_NONCE]
    return _write(vendor, nonce, sealed)


def judge(vendor: Vendor, seal: object, sealed: str) -> Verdict:
    """Whether `seal` is byte for byte one that the fake made for `sealed` and this vendor. The alphabet of base64
    counts for nothing where the field is of bytes (Gemini), as clients write either."""
    if not isinstance(seal, str):
        return "broken"
    given = seal if vendor == "openai" else seal.replace("-", "+").replace("_", "/")
    prefix = _PREFIX[vendor]
    if not given.startswith(prefix):
        return "foreign" if given.startswith(tuple(_PREFIX.values())) else "broken"
    try:
        raw = urlsafe_b64decode(given.removeprefix(prefix).replace("+", "-").replace("/", "_"))
    except (Error, ValueError):
        return "broken"
    made = _write(vendor, raw[:_NONCE], sealed)
    return "own" if hmac.compare_digest(made.encode(), given.encode(errors="replace")) else "broken"


def _write(vendor: Vendor, nonce: bytes, sealed: str) -> str:
    raw = nonce + hmac.digest(_KEY, vendor.encode() + b"\0" + nonce + sealed.encode(errors="replace"), "sha512")
    text = b64encode(raw).decode()
    return _PREFIX[vendor] + (text.replace("+", "-").replace("/", "_") if vendor == "openai" else text)
