"""Ranking documents, both sides: Cohere's shape, which Jina, Together, SiliconFlow, OpenRouter and vLLM have taken over
with usage of their own, and Voyage's, which names two fields otherwise.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from gateline.formats.cohere.error import reported
from gateline.formats.contract import Body, Written
from gateline.formats.dialect import Dialect
from gateline.formats.tail import object_in_tail
from gateline.formats.typed import UNREAD, read_typed, read_vendor
from gateline.model.call import Call
from gateline.model.errors import BadRequest, UpstreamBroken
from gateline.model.usage import Usage
from gateline.model.vectors import Ranked, Rerank, RerankReply

_KNOWN = frozenset({"model", "query", "documents", "top_n", "return_documents"})
Count = Annotated[float, msgspec.Meta(ge=0, le=1_000_000_000)]

_encode = msgspec.json.Encoder().encode


class _Text(msgspec.Struct):
    text: str


class _Request(msgspec.Struct):
    query: str | _Text
    documents: list[str | _Text]
    top_n: Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)] | None = None
    return_documents: bool | None = None


class _Asked(msgspec.Struct, omit_defaults=True):
    model: str
    query: str
    documents: list[str]
    top_n: int | None = None
    top_k: int | None = None


class _Result(msgspec.Struct):
    index: int
    relevance_score: float


class _Units(msgspec.Struct):
    search_units: Count | None = None


class _Tokens(msgspec.Struct):
    input_tokens: Count | None = None
    prompt_tokens: Count | None = None
    total_tokens: Count | None = None

    def counts(self) -> Usage | None:
        found = self.prompt_tokens if self.prompt_tokens is not None else self.total_tokens
        found = self.input_tokens if found is None else found
        return None if found is None else Usage(input=int(found))


class _Meta(msgspec.Struct):
    billed_units: _Units | None = None
    tokens: _Tokens | None = None


class _Counted(msgspec.Struct):
    """What replies say of usage."""

    meta: _Meta | None = None
    usage: _Tokens | None = None

    def counts(self) -> Usage | None:
        if self.usage is not None:
            return self.usage.counts()
        return None if self.meta is None or self.meta.tokens is None else self.meta.tokens.counts()


class _Reply(_Counted):
    results: list[_Result] | None = None
    data: list[_Result] | None = None
    id: str = ""


class _WrittenResult(msgspec.Struct, omit_defaults=True):
    index: int
    relevance_score: float
    document: _Text | None = None


class _Version(msgspec.Struct):
    version: str = "2"


class _Billed(msgspec.Struct):
    search_units: int


class _WrittenMeta(msgspec.Struct, omit_defaults=True):
    api_version: _Version
    billed_units: _Billed | None = None


class _Used(msgspec.Struct):
    total_tokens: int
    prompt_tokens: int


class _Written(msgspec.Struct, omit_defaults=True):
    model: str
    results: list[_WrittenResult]
    meta: _WrittenMeta
    id: str = ""
    usage: _Used | None = None


_decoder = msgspec.json.Decoder(_Request)
_reply_decoder = msgspec.json.Decoder(_Reply)
_decode_counted = msgspec.json.Decoder(_Counted).decode


def read_rerank(call: Call, body: Body) -> Rerank:
    """Raises BadRequest."""
    request = read_typed(_decoder, body)
    if not request.documents:
        raise BadRequest("`documents` is empty", param="documents", code="invalid_value")
    return Rerank(
        model=call.model,
        query=_plain(request.query),
        documents=[_plain(document) for document in request.documents],
        top=request.top_n,
        return_documents=bool(request.return_documents),
        unmapped=[name for name in call.fields if name not in _KNOWN],
    )


def _plain(given: str | _Text) -> str:
    return given if isinstance(given, str) else given.text


def write_reply(reply: RerankReply, ask: Rerank) -> bytes:
    """Documents are the client's own, whatever the vendor sent back."""
    documents = ask.documents if ask.return_documents else []
    results = [
        _WrittenResult(ranked.index, ranked.score, _Text(documents[ranked.index]) if documents else None)
        for ranked in reply.results
        if not documents or ranked.index < len(documents)
    ]
    usage = None if reply.usage is None else _Used(reply.usage.input, reply.usage.input)
    meta = _WrittenMeta(_Version(), None if reply.searches is None else _Billed(reply.searches))
    return _encode(_Written(ask.model, results, meta, reply.id, usage))


def write_rerank(rerank: Rerank, model: str, dialect: Dialect) -> Written:
    asked = _Asked(model, rerank.query, rerank.documents)
    if dialect.rerank == "voyage":
        asked.top_k = rerank.top
    else:
        asked.top_n = rerank.top
    return Written(_encode(asked))


def read_reply(body: bytes, secret: str) -> RerankReply:
    """Raises UpstreamBroken, UpstreamError."""
    reply = read_vendor(_reply_decoder, body, "The vendor")
    found = reply.results if reply.results is not None else reply.data
    if found is None:
        raise reported(body, secret) or UpstreamBroken("The vendor answered without a ranking")
    if any(result.index < 0 for result in found):
        raise UpstreamBroken("The vendor ranked a document that there is not")
    units = None if reply.meta is None or reply.meta.billed_units is None else reply.meta.billed_units.search_units
    return RerankReply(
        model="",
        results=[Ranked(index=result.index, score=result.relevance_score) for result in found],
        id=reply.id,
        usage=reply.counts(),
        searches=None if units is None else int(units),
    )


def usage_of_reply(body: bytes) -> Usage | None:
    """The usage of a whole reply; None when it counts no tokens."""
    return _read(body)


def usage_in_tail(tail: bytes) -> Usage | None:
    """The same of a reply of which only the last bytes were kept."""
    return object_in_tail(tail, b'"usage"', _read) or object_in_tail(tail, b'"meta"', _read)


def _read(body: bytes) -> Usage | None:
    try:
        return _decode_counted(body).counts()
    except UNREAD:
        return None
