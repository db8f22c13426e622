"""Calls whose input is text and whose output are numbers, in no vendor's format: embeddings, ranking, counting."""

from __future__ import annotations

from typing import Literal

import msgspec

from gateline.model.chat import Chat, Media
from gateline.model.usage import Usage


class Embed(msgspec.Struct, kw_only=True):
    """`inputs` are texts, token lists or media. `purpose` is what the vectors are for, in Gemini's words in lower case
    ("retrieval_query", "retrieval_document", ...). `encoding` is how the client wants numbers written."""

    model: str
    inputs: list[str | list[int] | Media]
    dimensions: int | None = None
    encoding: Literal["float", "base64"] = "float"
    purpose: str = ""
    title: str = ""
    truncate: bool | None = None
    user: str = ""
    is_batch: bool = True
    unmapped: list[str] = []


class EmbedReply(msgspec.Struct, kw_only=True):
    """`vectors` are in the order of the inputs."""

    model: str
    vectors: list[list[float]]
    id: str = ""
    usage: Usage | None = None


class Rerank(msgspec.Struct, kw_only=True):
    """`documents` are texts. `top` bounds how many come back."""

    model: str
    query: str
    documents: list[str]
    top: int | None = None
    return_documents: bool = False
    unmapped: list[str] = []


class Ranked(msgspec.Struct, kw_only=True):
    index: int
    score: float


class RerankReply(msgspec.Struct, kw_only=True):
    """`results` are best first. `searches` is what some vendors bill by, None when not said."""

    model: str
    results: list[Ranked]
    id: str = ""
    usage: Usage | None = None
    searches: int | None = None


class Count(msgspec.Struct, kw_only=True):
    """How many tokens `chat` has."""

    chat: Chat


class CountReply(msgspec.Struct, kw_only=True):
    tokens: int
    cached: int | None = None
