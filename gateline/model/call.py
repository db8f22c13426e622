"""What a client asks for, peeked out of its request: the few fields the gateway decides on, and every field as it came.

An operation is one endpoint of one API format, and so names the wire format of both its request and its answer.
Operations of one kind can be translated into each other.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Operation = Literal[
    "chat.completions", "completions", "responses",
    "messages", "generate_content", "converse", "cohere.chat", "ollama.chat", "ollama.generate",
    "embeddings", "embed_content", "batch_embed_contents", "cohere.embed", "ollama.embed",
    "rerank",
    "messages.count_tokens", "gemini.count_tokens",
    "moderations", "images.generations", "images.edits",
    "audio.transcriptions", "audio.translations", "audio.speech",
    "passthrough",
]  # fmt: skip
Kind = Literal[
    "chat", "embeddings", "rerank", "count", "moderations", "images", "edits", "transcriptions", "translations",
    "speech", "passthrough",
]  # fmt: skip
# The API an operation belongs to: what its errors look like, and which SDK asks for it.
Family = Literal["openai", "anthropic", "gemini", "bedrock", "cohere", "ollama"]

KINDS: dict[Operation, Kind] = {
    "chat.completions": "chat",
    "completions": "chat",
    "responses": "chat",
    "messages": "chat",
    "generate_content": "chat",
    "converse": "chat",
    "cohere.chat": "chat",
    "ollama.chat": "chat",
    "ollama.generate": "chat",
    "embeddings": "embeddings",
    "embed_content": "embeddings",
    "batch_embed_contents": "embeddings",
    "cohere.embed": "embeddings",
    "ollama.embed": "embeddings",
    "rerank": "rerank",
    "messages.count_tokens": "count",
    "gemini.count_tokens": "count",
    "moderations": "moderations",
    "images.generations": "images",
    "images.edits": "edits",
    "audio.transcriptions": "transcriptions",
    "audio.translations": "translations",
    "audio.speech": "speech",
    "passthrough": "passthrough",
}

FAMILIES: dict[Operation, Family] = {
    "chat.completions": "openai",
    "completions": "openai",
    "responses": "openai",
    "messages": "anthropic",
    "generate_content": "gemini",
    "converse": "bedrock",
    "cohere.chat": "cohere",
    "ollama.chat": "ollama",
    "ollama.generate": "ollama",
    "embeddings": "openai",
    "embed_content": "gemini",
    "batch_embed_contents": "gemini",
    "cohere.embed": "cohere",
    "ollama.embed": "ollama",
    "rerank": "cohere",
    "messages.count_tokens": "anthropic",
    "gemini.count_tokens": "gemini",
    "moderations": "openai",
    "images.generations": "openai",
    "images.edits": "openai",
    "audio.transcriptions": "openai",
    "audio.translations": "openai",
    "audio.speech": "openai",
    "passthrough": "openai",
}

# Operations that may come as a form with files instead of JSON.
WITH_FILES: frozenset[Operation] = frozenset({"images.edits", "audio.transcriptions", "audio.translations"})

# Of a form's part: its name, where it begins and where its value ends.
Span = tuple[str, int, int]


class Call(msgspec.Struct):
    """One call. `fields` is the body one level deep, in the client's order: values are views into the body's bytes
    (they keep it alive and forbid resizing it), byte for byte as they came; of a repeated key the last value counts.

    `include_usage`: the client asked for usage in its stream. `max_tokens` is the client's bound on output tokens.
    `is_hinted`: whether what others' seals stand beside is in the body (`formats.foreign.foreign_hint`); None: not
    looked for.
    `form` is set when the body is a form: the places of its first part and of its model, in that order, which may be
    one. `fields` are then the text fields that are decided on, as they stand there.
    """

    operation: Operation
    model: str
    fields: dict[str, msgspec.Raw]
    stream: bool = False
    include_usage: bool = False
    user: str | None = None
    max_tokens: int | None = None
    form: tuple[Span, ...] = ()
    is_hinted: bool | None = None
