"""What the fake says: a pure function of the request, so that the same question has the same answer everywhere."""

from __future__ import annotations

import hashlib
import struct
from base64 import b64encode
from typing import Any

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


class StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class Question(msgspec.Struct):
    """The fields of a request body that the fake reads; all others pass unseen."""

    model: str
    messages: msgspec.Raw = msgspec.Raw()
    prompt: msgspec.Raw = msgspec.Raw()
    input: msgspec.Raw = msgspec.Raw()
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    n: int | None = None
    encoding_format: str | None = None
    dimensions: int | None = None
    metadata: dict[str, Any] | None = None

    @property
    def include_usage(self) -> bool:
        return self.stream_options is not None and bool(self.stream_options.include_usage)


_QUESTIONS = msgspec.json.Decoder(Question)


def read_question(body: bytes) -> Question:
    """Raises ValueError (msgspec's message) for what is no JSON object or has a field of the wrong type."""
    try:
        return _QUESTIONS.decode(body)
    except RecursionError as error:
        raise ValueError("the body is nested too deeply") from error


class Answer(msgspec.Struct, frozen=True):
    """`words` joined make the text, one word a token; `id` is a digest of the question."""

    id: str
    words: list[str]
    finish: str
    usage: Usage


def text_tokens(raw: bytes | memoryview) -> int:
    """The fake's tokenizer: a token for every four bytes begun."""
    return (len(raw) + 3) // 4


def write_answer(question: Question, model: str, length: int, *, cached: int, reasoning: int) -> Answer:
    """`length` in tokens, cut by the request's own limit, reasoning tokens included in the output on top of it."""
    asked = bytes(question.messages) or bytes(question.prompt)
    digest = hashlib.shake_128(model.encode(errors="replace") + b"\0" + asked)
    limit = question.max_completion_tokens if question.max_completion_tokens is not None else question.max_tokens
    count = length if limit is None else min(length, max(limit, 0))
    picks = digest.digest(12 + count)
    words = [_WORDS[pick & 63] for pick in picks[12:]]
    spaced = [word if index == 0 else f" {word}" for index, word in enumerate(words)]
    prompt = text_tokens(asked)
    usage = Usage(input=prompt, output=count + reasoning, cached=min(cached, prompt), reasoning=reasoning)
    return Answer(picks[:12].hex(), spaced, "stop" if count == length else "length", usage)


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
    numbers = [value / 32768 for value in struct.unpack(f"<{dimensions}h", raw)]
    norm = sum(number * number for number in numbers) ** 0.5 or 1.0
    return [number / norm for number in numbers]


def pack_vector(vector: list[float]) -> str:
    """Base64 of little-endian 32-bit floats, as `encoding_format: base64` asks."""
    return b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
