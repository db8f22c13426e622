"""Cohere's embeddings, and rankings in its shape and in Voyage's."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import pytest
from cohere.types import EmbedByTypeResponse
from cohere.v2.types import V2RerankResponse

from gateline.formats.dialect import PLAIN, Dialect
from gateline.formats.table import CLIENTS, SERVERS, WATCHES
from gateline.model.call import Call, Operation
from gateline.model.chat import Media
from gateline.model.errors import BadRequest, UpstreamBroken, UpstreamError
from gateline.model.usage import Usage
from gateline.model.vectors import Embed, EmbedReply, Ranked, Rerank, RerankReply

PNG = Media(kind="image", mime="image/png", data="AA==")


def read(operation: Operation, body: dict[str, Any]) -> Any:
    call = Call(operation, "m", dict.fromkeys(body))  # type: ignore[arg-type]
    return SERVERS[operation].read(call, json.dumps(body).encode())


def write(operation: Operation, ask: object, dialect: Dialect = PLAIN) -> tuple[dict[str, Any], list[str]]:
    written = CLIENTS[operation].write(ask, "there", dialect)
    return json.loads(written.body), list(written.dropped)


def test_texts_are_embedded() -> None:
    """A purpose is required there: for a client that named none it is that of documents."""
    body, dropped = write("cohere.embed", Embed(model="m", inputs=["a", "b"], user="u", title="t"))
    assert body == {
        "model": "there", "input_type": "search_document", "embedding_types": ["float"], "texts": ["a", "b"],
    }  # fmt: skip
    assert dropped == ["title", "user"]


@pytest.mark.parametrize(
    ("purpose", "kind"),
    [("retrieval_query", "search_query"), ("classification", "classification"), ("semantic_similarity", "clustering"),
     ("question_answering", "search_query")],
)  # fmt: skip
def test_purposes_are_the_nearest(purpose: str, kind: str) -> None:
    """There are four of them."""
    assert write("cohere.embed", Embed(model="m", inputs=["a"], purpose=purpose))[0]["input_type"] == kind


def test_images_go_as_inputs() -> None:
    """Mixed with texts; tokens cannot go at all."""
    body, _ = write("cohere.embed", Embed(model="m", inputs=["a", PNG], dimensions=256, truncate=False))
    assert body["inputs"] == [
        {"content": [{"type": "text", "text": "a"}]},
        {"content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]},
    ]
    assert (body["output_dimension"], body["truncate"]) == (256, "NONE")
    with pytest.raises(BadRequest):
        write("cohere.embed", Embed(model="m", inputs=[[1, 2]]))


def test_an_embedding_call_is_read() -> None:
    """Texts, images and mixed inputs; what has no place is named."""
    found = read(
        "cohere.embed",
        {
            "model": "m", "texts": ["a"], "images": ["data:image/png;base64,AA=="],
            "inputs": [{"content": [{"type": "text", "text": "b"}, {"type": "text", "text": "c"}]}],
            "input_type": "search_query", "embedding_types": ["base64", "int8"], "output_dimension": 9,
            "truncate": "END", "max_tokens": 3,
        },
    )  # fmt: skip
    assert found == Embed(
        model="m", inputs=["a", PNG, "b\nc"], dimensions=9, encoding="base64", purpose="retrieval_query",
        truncate=True, unmapped=["max_tokens", "embedding_types"],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"input_type": "x"}, "texts"),
        ({"texts": ["a"], "embedding_types": ["int8"]}, "embedding_types"),
        ({"inputs": [{"content": []}]}, "inputs[0].content"),
        ({"texts": [1]}, "texts[0]"),
        ({"texts": ["a"], "output_dimension": 0}, "output_dimension"),
    ],
)
def test_a_mistake_in_an_embedding_is_named(body: dict[str, Any], param: str) -> None:
    """By the field's name in the client's own spelling."""
    with pytest.raises(BadRequest) as raised:
        read("cohere.embed", body)
    assert raised.value.param == param


@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_vectors_come_back(encoding: Any) -> None:
    """As numbers or as bytes of floats, with what was billed; the SDK reads them."""
    ask = Embed(model="m", inputs=["a", "b"], encoding=encoding)
    reply = EmbedReply(model="", vectors=[[0.5, -1.0], [2.0, 0.25]], id="i", usage=Usage(input=9, input_image=4))
    body = SERVERS["cohere.embed"].write_reply(reply, ask)
    found = EmbedByTypeResponse.model_validate_json(body)
    assert found.texts == ["a", "b"]
    if encoding == "base64":
        assert found.embeddings.base64 is not None
        assert struct.unpack("<2f", base64.b64decode(found.embeddings.base64[1])) == (2.0, 0.25)
    else:
        assert CLIENTS["cohere.embed"].read_reply(body, "") == reply
    watch = WATCHES["cohere.embed"]
    assert watch.usage(body) == watch.usage_in_tail(body[-160:]) == reply.usage


def test_what_is_no_embedding_is_an_error() -> None:
    """An answer without vectors is broken, unless it says why."""
    with pytest.raises(UpstreamBroken):
        CLIENTS["cohere.embed"].read_reply(b'{"embeddings":{"int8":[[1]]}}', "")
    with pytest.raises(UpstreamError, match="full"):
        CLIENTS["cohere.embed"].read_reply(b'{"error":"full"}', "")


ASK = Rerank(model="m", query="q", documents=["a", "b"], top=1, return_documents=True)


def test_a_ranking_is_asked_for() -> None:
    """Voyage has another name for the bound; documents need not come back: the client's own are there."""
    assert write("rerank", ASK) == ({"model": "there", "query": "q", "documents": ["a", "b"], "top_n": 1}, [])
    assert write("rerank", ASK, Dialect(rerank="voyage"))[0]["top_k"] == 1


def test_a_ranking_call_is_read() -> None:
    """Documents are texts, or objects of one."""
    body = {
        "model": "m", "query": "q", "documents": ["a", {"text": "b"}], "top_n": 1, "return_documents": True,
        "max_tokens_per_doc": 9,
    }  # fmt: skip
    ask = read("rerank", body)
    assert (ask.unmapped, ask.documents, ask.top, ask.return_documents) == (["max_tokens_per_doc"], ["a", "b"], 1, True)
    for change, param in (({"documents": []}, "documents"), ({"documents": [{"x": 1}]}, "documents[0].text"),
                          ({"top_n": 0}, "top_n"), ({"query": None}, "query")):  # fmt: skip
        with pytest.raises(BadRequest) as raised:
            read("rerank", {**body, **change})
        assert raised.value.param == param


@pytest.mark.parametrize(
    ("body", "usage", "searches"),
    [
        ({"id": "i", "results": [{"index": 1, "relevance_score": 0.5}],
          "meta": {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}}}, None, 1),
        ({"results": [{"index": 1, "relevance_score": 0.5, "document": {"text": "b"}}], "usage": {"total_tokens": 12}},
         Usage(input=12), None),
        ({"object": "list", "data": [{"index": 1, "relevance_score": 0.5}], "usage": {"total_tokens": 12}},
         Usage(input=12), None),
        ({"results": [{"index": 1, "relevance_score": 0.5, "document": {}}],
          "usage": {"prompt_tokens": 9, "completion_tokens": 0, "total_tokens": 9}}, Usage(input=9), None),
        ({"results": [{"index": 1, "relevance_score": 0.5, "document": None}],
          "meta": {"tokens": {"input_tokens": 7, "output_tokens": 0}}}, Usage(input=7), None),
    ],
)  # fmt: skip
def test_rankings_are_read_in_every_shape(body: dict[str, Any], usage: Usage | None, searches: int | None) -> None:
    """Cohere's, Jina's and vLLM's, Voyage's, Together's, SiliconFlow's; the SDK reads what is made of them."""
    raw = json.dumps(body, separators=(",", ":")).encode()
    reply: RerankReply = CLIENTS["rerank"].read_reply(raw, "")
    assert reply.results == [Ranked(index=1, score=0.5)]
    assert (reply.usage, reply.searches) == (usage, searches)
    watch = WATCHES["rerank"]
    assert watch.usage(raw) == watch.usage_in_tail(raw) == usage
    written = SERVERS["rerank"].write_reply(reply, ASK)
    found = V2RerankResponse.model_validate_json(written)
    assert (found.results[0].index, found.results[0].relevance_score) == (1, 0.5)
    assert json.loads(written)["results"][0]["document"] == {"text": "b"}
    again: RerankReply = CLIENTS["rerank"].read_reply(written, "")
    assert (again.usage, again.searches) == (usage, searches)


def test_what_is_no_ranking_is_an_error() -> None:
    """A document that there is not is left out; an answer without results is broken, unless it says why."""
    out_of_range = RerankReply(model="", results=[Ranked(index=7, score=1.0), Ranked(index=0, score=0.5)])
    assert len(json.loads(SERVERS["rerank"].write_reply(out_of_range, ASK))["results"]) == 1
    for body in (b"{}", b'{"results":[{"index":-1,"relevance_score":1}]}'):
        with pytest.raises(UpstreamBroken):
            CLIENTS["rerank"].read_reply(body, "")
    with pytest.raises(UpstreamError, match="full"):
        CLIENTS["rerank"].read_reply(b'{"error":{"message":"full"}}', "")
