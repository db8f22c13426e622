"""`/api/embed` on both sides: texts in, vectors out (docs.ollama.com/api/embed)."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from gateline.formats.contract import Body, Written
from gateline.formats.dialect import Dialect
from gateline.formats.ollama.error import raise_reported
from gateline.formats.ollama.message import ABSENT
from gateline.formats.ollama.reply import VENDOR
from gateline.formats.ollama.usage import usage_of_counts
from gateline.formats.typed import Int64, read_typed, read_vendor
from gateline.model.call import Call
from gateline.model.errors import BadRequest, UpstreamBroken
from gateline.model.vectors import Embed, EmbedReply

_encode = msgspec.json.Encoder().encode


class _Body(msgspec.Struct):
    input: str | list[str]
    dimensions: Int64 | None = None
    truncate: bool | None = None


class _WrittenBody(msgspec.Struct, omit_defaults=True):
    model: str
    input: str | list[str]
    dimensions: int | None = None
    truncate: bool | None = None


class _Reply(msgspec.Struct, omit_defaults=True):
    model: str
    embeddings: list[list[float]]
    prompt_eval_count: int | None = None


class _VendorReply(msgspec.Struct):
    model: str = ""
    embeddings: list[list[float]] | None = None
    prompt_eval_count: int | None = None
    error: Raw = ABSENT


_BODY = msgspec.json.Decoder(_Body)
_VENDOR_REPLY = msgspec.json.Decoder(_VendorReply)
_KNOWN = frozenset({*_Body.__struct_fields__, "model", "stream"})
_EMPTY = frozenset({b"null", b'""', b"{}"})


def read_embed(call: Call, body: Body) -> Embed:
    """See `Server.read`."""
    found = read_typed(_BODY, body)
    return Embed(
        model=call.model,
        inputs=[found.input] if isinstance(found.input, str) else list(found.input),
        dimensions=found.dimensions or None,
        truncate=found.truncate,
        is_batch=not isinstance(found.input, str),
        unmapped=[name for name, raw in call.fields.items() if name not in _KNOWN and bytes(raw) not in _EMPTY],
    )


def write_embed(embed: Embed, model: str, dialect: Dialect) -> Written:
    """See `Client.write`. Raises BadRequest for input that is no text."""
    texts = [each for each in embed.inputs if isinstance(each, str)]
    if len(texts) != len(embed.inputs):
        raise BadRequest("this model embeds text alone", param="input", code="unsupported_value")
    dropped = [name for name in ("purpose", "title", "user") if getattr(embed, name)]
    body = _WrittenBody(model, texts if embed.is_batch or len(texts) != 1 else texts[0])
    for name in ("dimensions", "truncate"):
        value = getattr(embed, name)
        if value is not None and name in dialect.refuses:
            dropped.append(name)
        else:
            setattr(body, name, value)
    return Written(_encode(body), dropped)


def read_embed_reply(body: bytes, secret: str) -> EmbedReply:
    """See `Client.read_reply`."""
    found = read_vendor(_VENDOR_REPLY, body, VENDOR)
    raise_reported(found.error, secret)
    if found.embeddings is None:
        raise UpstreamBroken("Ollama answered without vectors.")
    return EmbedReply(
        model=found.model, vectors=found.embeddings, usage=usage_of_counts(found.prompt_eval_count, None, None)
    )


def write_embed_reply(reply: EmbedReply, embed: Embed) -> bytes:
    """See `Server.write_reply`."""
    return _encode(_Reply(embed.model, reply.vectors, None if reply.usage is None else reply.usage.input))
