"""Cohere's embeddings, both sides (docs.cohere.com/reference/embed)."""

from __future__ import annotations

import base64
import struct
from typing import Annotated, Literal

import msgspec

from gateline.formats.cohere.error import reported
from gateline.formats.cohere.media import image_url, read_image
from gateline.formats.cohere.message import Content, ImageUrl
from gateline.formats.cohere.usage import Meta
from gateline.formats.contract import Body, Written
from gateline.formats.dialect import Dialect
from gateline.formats.typed import read_typed, read_vendor
from gateline.model.call import Call
from gateline.model.chat import Media
from gateline.model.errors import BadRequest, UpstreamBroken
from gateline.model.vectors import Embed, EmbedReply

_KNOWN = frozenset({
    "model", "texts", "images", "inputs", "input_type", "embedding_types", "output_dimension", "truncate",
})  # fmt: skip
_PURPOSES = {
    "search_document": "retrieval_document", "search_query": "retrieval_query", "classification": "classification",
    "clustering": "clustering",
}  # fmt: skip
_TYPES = {
    **{purpose: kind for kind, purpose in _PURPOSES.items()},
    "question_answering": "search_query", "fact_verification": "search_query", "code_retrieval_query": "search_query",
}  # fmt: skip
_CUTS = {"NONE": False, "START": True, "END": True}

_encode = msgspec.json.Encoder().encode


class _Input(msgspec.Struct):
    content: list[Content]


class _Request(msgspec.Struct):
    texts: list[str] | None = None
    images: list[str] | None = None
    inputs: list[_Input] | None = None
    input_type: str | None = None
    embedding_types: list[str] | None = None
    output_dimension: Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)] | None = None
    truncate: str | None = None


class _Asked(msgspec.Struct, omit_defaults=True):
    model: str
    input_type: str
    embedding_types: list[str]
    texts: list[str] | None = None
    inputs: list[_Input] | None = None
    output_dimension: int | None = None
    truncate: str | None = None


class _Vectors(msgspec.Struct, rename={"floats": "float"}, omit_defaults=True):
    floats: list[list[float]] | None = None
    base64: list[str] | None = None


class _Reply(msgspec.Struct):
    embeddings: _Vectors | list[list[float]] | None = None
    id: str = ""
    meta: Meta | None = None


class _Version(msgspec.Struct):
    version: str = "2"


class _Billed(msgspec.Struct, omit_defaults=True):
    input_tokens: int
    image_tokens: int = 0


class _WrittenMeta(msgspec.Struct, omit_defaults=True):
    api_version: _Version
    billed_units: _Billed | None = None


class _Written(msgspec.Struct, omit_defaults=True):
    id: str
    embeddings: _Vectors
    meta: _WrittenMeta
    texts: list[str] | None = None
    response_type: Literal["embeddings_by_type", ""] = ""


_decoder = msgspec.json.Decoder(_Request)
_reply_decoder = msgspec.json.Decoder(_Reply)


def read_embed(call: Call, body: Body) -> Embed:
    """Raises BadRequest."""
    request = read_typed(_decoder, body)
    inputs: list[str | list[int] | Media] = [*(request.texts or ())]
    inputs += [read_image(ImageUrl(url)) for url in request.images or ()]
    inputs += [_input(each, f"inputs[{at}]") for at, each in enumerate(request.inputs or ())]
    if not inputs:
        raise BadRequest("`texts` is required", param="texts", code="missing_required_parameter")
    unmapped = [name for name in call.fields if name not in _KNOWN]
    types = request.embedding_types or ["float"]
    if not {"float", "base64"} & set(types):
        raise BadRequest(
            "`embedding_types`: expected `float` or `base64`",
            param="embedding_types",
            code="invalid_value",
        )
    if len(types) > 1:
        unmapped.append("embedding_types")
    return Embed(
        model=call.model,
        inputs=inputs,
        dimensions=request.output_dimension,
        encoding="float" if "float" in types else "base64",
        purpose=_PURPOSES.get(request.input_type or "", ""),
        truncate=_CUTS.get(request.truncate or ""),
        unmapped=unmapped,
    )


def _input(given: _Input, place: str) -> str | Media:
    texts = [item.text for item in given.content if item.text is not None]
    images = [item.image_url for item in given.content if item.image_url is not None]
    if texts and not images:
        return "\n".join(texts)
    if len(images) == 1 and not texts:
        return read_image(images[0])
    param = f"{place}.content"
    raise BadRequest(f"`{param}` must hold text, or one image", param=param, code="invalid_value")


def write_reply(reply: EmbedReply, ask: Embed) -> bytes:
    vectors = _Vectors(floats=reply.vectors)
    if ask.encoding == "base64":
        vectors = _Vectors(base64=[_packed(vector) for vector in reply.vectors])
    usage = reply.usage
    billed = None if usage is None else _Billed(usage.input - usage.input_image, usage.input_image)
    texts = [given for given in ask.inputs if isinstance(given, str)]
    meta = _WrittenMeta(_Version(), billed)
    return _encode(_Written(reply.id, vectors, meta, texts or None, "embeddings_by_type"))


def _packed(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def write_embed(embed: Embed, model: str, dialect: Dialect) -> Written:
    """Raises BadRequest. A purpose is required there: for a client that named none it is that of documents."""
    kind = _TYPES.get(embed.purpose, "clustering" if embed.purpose else "search_document")
    asked = _Asked(model, kind, ["float"], output_dimension=embed.dimensions)
    if embed.truncate is not None:
        asked.truncate = "END" if embed.truncate else "NONE"
    texts = [given for given in embed.inputs if isinstance(given, str)]
    if len(texts) == len(embed.inputs):
        asked.texts = texts
    else:
        asked.inputs = [_Input([_content(given)]) for given in embed.inputs]
    dropped = [name for name, value in (("title", embed.title), ("user", embed.user)) if value]
    return Written(_encode(asked), dropped)


def _content(given: str | list[int] | Media) -> Content:
    if isinstance(given, str):
        return Content("text", text=given)
    image = None if isinstance(given, list) else image_url(given)
    if image is None:
        raise BadRequest("this model takes texts and images", param="input", code="invalid_value")
    return Content("image_url", image_url=image)


def read_reply(body: bytes, secret: str) -> EmbedReply:
    """Raises UpstreamBroken, UpstreamError."""
    reply = read_vendor(_reply_decoder, body, "Cohere")
    found = reply.embeddings.floats if isinstance(reply.embeddings, _Vectors) else reply.embeddings
    if found is None:
        raise reported(body, secret) or UpstreamBroken("Cohere answered without an embedding")
    usage = None if reply.meta is None else reply.meta.counts()
    return EmbedReply(model="", vectors=found, id=reply.id, usage=usage)
