"""Embeddings on both sides: texts or tokens in, vectors out as numbers or as base64 of little-endian floats."""

from __future__ import annotations

import base64
import struct
from collections.abc import Sequence
from typing import Any, Literal

import msgspec
from msgspec import Raw

from gateline.formats.contract import Body, Written
from gateline.formats.dialect import Dialect
from gateline.formats.openai.reply import raise_reported
from gateline.formats.openai.usage import usage_of_raw
from gateline.formats.typed import Int64, read_typed, read_vendor
from gateline.model.call import Call
from gateline.model.chat import Media
from gateline.model.errors import BadRequest, UpstreamBroken
from gateline.model.vectors import Embed, EmbedReply

_encode = msgspec.json.Encoder().encode


class _Body(msgspec.Struct):
    input: str | list[str | int | list[int]]
    dimensions: Int64 | None = None
    encoding_format: Literal["float", "base64"] | None = None


class _Vector(msgspec.Struct):
    embedding: list[float] | str
    index: int
    object: str = "embedding"


class _Usage(msgspec.Struct):
    prompt_tokens: int
    total_tokens: int


class _Reply(msgspec.Struct):
    """`usage` is zero where it is unknown: OpenAI's type demands it."""

    data: list[_Vector]
    model: str
    usage: _Usage
    object: str = "list"


class _Found(msgspec.Struct):
    embedding: list[float] | str
    index: int | None = None


class _VendorReply(msgspec.Struct):
    data: list[_Found] | None = None
    model: str | None = None
    id: str | None = None
    usage: Raw = Raw(b"")
    error: Raw = Raw(b"")


_BODY = msgspec.json.Decoder(_Body)
_VENDOR_REPLY = msgspec.json.Decoder(_VendorReply)
_KNOWN = frozenset(_Body.__struct_fields__) | {"model", "user"}


def read_embed(call: Call, body: Body) -> Embed:
    """See `Server.read`."""
    found = read_typed(_BODY, body)
    return Embed(
        model=call.model,
        inputs=_inputs(found.input),
        dimensions=found.dimensions,
        encoding=found.encoding_format or "float",
        user=call.user or "",
        is_batch=not isinstance(found.input, str),
        unmapped=[name for name in call.fields if name not in _KNOWN],
    )


def _inputs(found: str | list[str | int | list[int]]) -> list[str | list[int] | Media]:
    """A list of numbers is one input."""
    if isinstance(found, str):
        return [found]
    tokens = [each for each in found if isinstance(each, int)]
    if tokens and len(tokens) == len(found):
        return [tokens]
    if tokens or not found:
        raise BadRequest(
            "invalid value for `input`: it must be a string, tokens, or a list of either",
            param="input",
            code="invalid_value",
        )
    return [each for each in found if not isinstance(each, int)]


def write_embed_reply(reply: EmbedReply, embed: Embed) -> bytes:
    """See `Server.write_reply`."""
    as_text = embed.encoding == "base64"
    vectors = [_Vector(_packed(vector) if as_text else vector, at) for at, vector in enumerate(reply.vectors)]
    tokens = 0 if reply.usage is None else reply.usage.input
    return _encode(_Reply(vectors, embed.model, _Usage(tokens, tokens)))


def write_embed(embed: Embed, model: str, dialect: Dialect) -> Written:
    """See `Client.write`. Numbers are asked for: not every vendor knows base64."""
    inputs = embed.inputs
    if any(isinstance(each, Media) for each in inputs):
        raise BadRequest("this model embeds text alone", param="input", code="unsupported_value")
    body: dict[str, Any] = {"model": model, "input": inputs if embed.is_batch or len(inputs) != 1 else inputs[0]}
    dropped: list[str] = []
    for name, value in (("dimensions", embed.dimensions), ("user", embed.user or None)):
        if value is not None:
            if name in dialect.refuses:
                dropped.append(name)
            else:
                body[name] = value
    dropped += [name for name in ("purpose", "title") if getattr(embed, name)]
    if embed.truncate is not None:
        dropped.append("truncate")
    return Written(_encode(body), dropped)


def read_embed_reply(body: bytes, secret: str) -> EmbedReply:
    """See `Client.read_reply`."""
    found = read_vendor(_VENDOR_REPLY, body, "the upstream")
    raise_reported(found.error, secret)
    if found.data is None:
        raise UpstreamBroken("the upstream answered without vectors")
    order = sorted(enumerate(found.data), key=lambda each: each[0] if each[1].index is None else each[1].index)
    return EmbedReply(
        model=found.model or "",
        vectors=[_unpacked(each.embedding) for _, each in order],
        id=found.id or "",
        usage=usage_of_raw(found.usage) if bytes(found.usage) else None,
    )


def _packed(vector: Sequence[float]) -> str:
    try:
        return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
    except OverflowError:
        raise UpstreamBroken("the upstream answered with a number that no vector holds") from None


def _unpacked(vector: list[float] | str) -> list[float]:
    if isinstance(vector, list):
        return vector
    try:
        packed = base64.b64decode(vector, validate=True)
        return list(struct.unpack(f"<{len(packed) // 4}f", packed))
    except (ValueError, struct.error):
        raise UpstreamBroken("the upstream answered with a vector that is not base64 of floats") from None
