"""What the fake says: a pure function of the request, so that the same question has the same answer everywhere."""

from __future__ import annotations

import hashlib
import struct
from base64 import b64encode
from typing import Any, Literal

import msgspec

from gateline.model.usage import Usage

# 64 words: six bits of a digest pick one.
_TEXT = """
the a one each river stone gate line train track bridge tower light signal north south east west morning evening
winter summer green silver quiet early slow open narrow wide carries follows meets crosses leaves reaches holds keeps
turns waits passes returns under over near beyond between before after while because and or but so then still again
always often never here there this
"""
_WORDS = tuple(_TEXT.split())
DEFAULT_DIMENSIONS = 1536
MAX_DIMENSIONS = 16_384


Finish = Literal["stop", "length", "tools", "refusal"]


class ToolCall(msgspec.Struct, frozen=True):
    """`pieces` are what a stream tells of the arguments' JSON, `text` what a whole answer does. `inline`: the one piece
    comes with the call's name; `late`: nothing comes before the call is done."""

    id: str
    name: str
    arguments: dict[str, Any]
    text: str
    pieces: list[str]
    inline: bool = False
    late: bool = False


class Quote(msgspec.Struct, frozen=True):
    """A part of the text (characters from `start` to `end`) and the page it is from."""

    start: int
    end: int
    text: str
    url: str
    title: str


class Answer(msgspec.Struct, frozen=True):
    """`words` joined make the text, or the refusal, one word a token; `id` is a digest of the question. `thought`: the
    words of the reasoning, None for none, empty for one that is kept hidden."""

    id: str
    words: list[str]
    finish: Finish
    usage: Usage
    calls: tuple[ToolCall, ...] = ()
    thought: list[str] | None = None
    quotes: tuple[Quote, ...] = ()
    logprobs: bool = False

    @property
    def text(self) -> str:
        return "".join(self.words)


def text_tokens(raw: bytes | memoryview) -> int:
    """The fake's tokenizer: a token for every four bytes begun."""
    return (len(raw) + 3) // 4


def pick_words(digest: bytes) -> list[str]:
    """A word for each byte, all but the first with the blank before it."""
    words = [_WORDS[pick & 63] for pick in digest]
    return [word if index == 0 else f" {word}" for index, word in enumerate(words)]


def read_inputs(raw: bytes) -> list[bytes]:
    """The inputs of an embeddings request, each as the bytes it is known by. Raises ValueError."""
    given = msgspec.json.decode(raw) if raw else None
    if isinstance(given, str):
        return [given.encode()]
    if isinstance(given, list) and given:
        if all(isinstance(item, int) for item in given):
            return [msgspec.json.encode(given)]
        if all(isinstance(item, str) for item in given):
            return [item.encode() for item in given]
        if all(isinstance(item, list) for item in given):
            return [msgspec.json.encode(item) for item in given]
    raise ValueError("input must be a string, a list of strings, or tokens")


def embed(text: bytes, dimensions: int) -> list[float]:
    """A unit vector that depends on nothing but the text and its length."""
    raw = hashlib.shake_128(text).digest(2 * dimensions)
    numbers = [value / 32768 for value in struct.unpack(f"<{dimensions:d}h", raw)]
    norm = sum(number * number for number in numbers) ** 0.5 or 1.0
    return [number / norm for number in numbers]


def pack_vector(vector: list[float]) -> str:
    """Base64 of little-endian 32-bit floats, as `encoding_format: base64` asks."""
    return b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
