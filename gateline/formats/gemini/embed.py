"""`embedContent` and `batchEmbedContents`, both sides (ai.google.dev/api/embeddings).

A content is one input: its texts belong together. A batch says for every input what it says for all.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Raw

from gateline.formats.contract import Body, Written
from gateline.formats.dialect import Dialect
from gateline.formats.gemini.content import ABSENT, Content, GivenContent, Part, given_parts
from gateline.formats.gemini.media import read_blob, read_file, write_media
from gateline.formats.gemini.reader import loads, reported, usage_of
from gateline.formats.gemini.spelling import camel, camel_body
from gateline.formats.typed import read_typed, read_vendor
from gateline.model.call import Call
from gateline.model.chat import Media
from gateline.model.errors import BadRequest, UpstreamBroken
from gateline.model.vectors import Embed, EmbedReply

Input = str | list[int] | Media


class _Given(msgspec.Struct, rename="camel"):
    content: GivenContent
    task_type: str | None = None
    title: str | None = None
    output_dimensionality: Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)] | None = None


class _GivenBatch(msgspec.Struct):
    requests: list[_Given]


class _Request(msgspec.Struct, rename="camel", omit_defaults=True):
    content: Content
    model: str | None = None
    task_type: str | None = None
    title: str | None = None
    output_dimensionality: int | None = None


class _Batch(msgspec.Struct):
    requests: list[_Request]


class _Values(msgspec.Struct):
    values: list[float]


class _Reply(msgspec.Struct, rename="camel"):
    embedding: _Values | None = None
    embeddings: list[_Values] | None = None
    usage_metadata: Raw = ABSENT
    error: Raw = ABSENT


class _Used(msgspec.Struct, rename="camel"):
    prompt_token_count: int


class _Written(msgspec.Struct, rename="camel", omit_defaults=True):
    embedding: _Values | None = None
    embeddings: list[_Values] | None = None
    usage_metadata: _Used | None = None


_KNOWN = frozenset({"model", "content", "taskType", "title", "outputDimensionality"})
_ONE = msgspec.json.Decoder(_Given, strict=False)
_MANY = msgspec.json.Decoder(_GivenBatch, strict=False)
_REPLY = msgspec.json.Decoder(_Reply)
_encode = msgspec.json.Encoder().encode


def read_embed(call: Call, body: Body) -> Embed:
    """Raises BadRequest."""
    given = read_typed(_ONE, camel_body(body) or body)
    unmapped = [name for name in call.fields if camel(name) not in _KNOWN]
    return _embed(call, [given], is_batch=False, unmapped=unmapped)


def read_batch(call: Call, body: Body) -> Embed:
    """Raises BadRequest."""
    given = read_typed(_MANY, camel_body(body) or body).requests
    if not given:
        raise BadRequest("`requests` is empty", param="requests", code="invalid_value")
    first = given[0]
    for at, other in enumerate(given):
        for name in ("task_type", "output_dimensionality", "title"):
            if getattr(other, name) != getattr(first, name):
                field = f"requests[{at}].{camel(name)}"
                raise BadRequest(f"`{field}` differs from the first's: send another call for it", param=field)
    return _embed(call, given, is_batch=True, unmapped=[name for name in call.fields if name != "requests"])


def write_reply(reply: EmbedReply, ask: Embed) -> bytes:
    used = None if reply.usage is None else _Used(reply.usage.input)
    vectors = [_Values(vector) for vector in reply.vectors]
    if ask.is_batch:
        return _encode(_Written(embeddings=vectors, usage_metadata=used))
    return _encode(_Written(embedding=vectors[0] if vectors else _Values([]), usage_metadata=used))


def write_one(embed: Embed, model: str, dialect: Dialect) -> Written:
    """Raises BadRequest for several inputs: the vendor takes one in this call."""
    if len(embed.inputs) != 1:
        raise BadRequest("this model takes one input a call", param="input", code="invalid_value")
    del model  # it stands in the path alone
    return Written(_encode(_request(embed, embed.inputs[0], None)), _dropped(embed, dialect))


def write_batch(embed: Embed, model: str, dialect: Dialect) -> Written:
    """Raises BadRequest."""
    name = model if "/" in model else f"models/{model}"
    requests = [_request(embed, given, name) for given in embed.inputs]
    return Written(_encode(_Batch(requests)), _dropped(embed, dialect))


def read_reply(body: bytes, secret: str) -> EmbedReply:
    """Raises UpstreamBroken, UpstreamError."""
    reply = read_vendor(_REPLY, body, "Gemini")
    found = reply.embeddings if reply.embedding is None else [reply.embedding]
    if found is None:
        raise reported(loads(body), secret) or UpstreamBroken("Gemini answered without an embedding")
    return EmbedReply(model="", vectors=[each.values for each in found], usage=usage_of(reply.usage_metadata))


def _embed(call: Call, given: list[_Given], *, is_batch: bool, unmapped: list[str]) -> Embed:
    first = given[0]
    prefix = "requests[%d].content" if is_batch else "content"
    return Embed(
        model=call.model,
        inputs=[_input(each.content, prefix % at if is_batch else prefix) for at, each in enumerate(given)],
        dimensions=first.output_dimensionality,
        purpose=(first.task_type or "").lower(),
        title=first.title or "",
        is_batch=is_batch,
        unmapped=unmapped,
    )


def _input(content: GivenContent, field: str) -> Input:
    texts: list[str] = []
    media: list[Media] = []
    for part in given_parts(content):
        if isinstance(part, str):
            texts.append(part)
        elif part.text is not None:
            texts.append(part.text)
        elif part.inline_data is not None:
            media.append(read_blob(part.inline_data))
        elif part.file_data is not None:
            media.append(read_file(part.file_data))
    if texts and not media:
        return "\n".join(texts)
    if len(media) == 1 and not texts:
        return media[0]
    raise BadRequest(f"`{field}` must hold text, or one image or file", param=f"{field}.parts", code="invalid_value")


def _request(embed: Embed, given: Input, name: str | None) -> _Request:
    if isinstance(given, list):
        raise BadRequest("this model takes text, not tokens", param="input", code="invalid_value")
    part = Part(text=given) if isinstance(given, str) else write_media(given)
    if part is None:
        raise BadRequest("this model takes media as data or by URL", param="input", code="invalid_value")
    purpose = embed.purpose.upper() or None
    title = embed.title or None
    return _Request(Content([part]), name, purpose, title, embed.dimensions)


def _dropped(embed: Embed, dialect: Dialect) -> list[str]:
    del dialect  # no vendor of this format departs from it
    # `encoding` is how the client is answered, which is not for the vendor to do.
    return [name for name, value in (("truncate", embed.truncate), ("user", embed.user or None)) if value is not None]
