"""What a client asks for, peeked out of its body: the few fields the gateway decides on, and every field as it came."""

from __future__ import annotations

from typing import Literal

import msgspec

Operation = Literal["chat.completions", "completions", "embeddings"]


class Call(msgspec.Struct):
    """One call. `fields` is the body one level deep, in the client's order: values are views into the body's bytes
    (they keep it alive and forbid resizing it), byte for byte as they came; of a repeated key the last value counts.

    `include_usage`: the client asked for usage in its stream. `max_tokens` is the client's bound on output tokens.
    """

    operation: Operation
    model: str
    fields: dict[str, msgspec.Raw]
    stream: bool = False
    include_usage: bool = False
    user: str | None = None
    max_tokens: int | None = None
