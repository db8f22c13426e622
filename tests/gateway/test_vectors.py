"""Embeddings from any client's format to any vendor's and back, through a whole worker; and ranking."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import cohere
import ollama
import pytest
from google.genai import types as genai
from openai.types import CreateEmbeddingResponse
from pydantic import BaseModel, TypeAdapter

from gateline.model.snapshot import Provider, Retry, Snapshot
from gateline.model.usage import Usage
from tests.gateway.rig import TOKEN, Gate, error, model, reply, snapshot, status
from tests.net.transport import FakeTransport, on_loop

TEXTS = ["one", "two \N{GRINNING FACE}"]
VECTORS = [[0.5, -0.25, 1.0], [0.0, 2.0, -1.5]]


class Vendor(NamedTuple):
    """`reply` to the texts, `read` is what it was asked: the texts and how many dimensions. `usage`: what it counts."""

    path: str
    target: str
    reply: dict[str, Any]
    read: Callable[[dict[str, Any]], tuple[list[str], int | None]]
    usage: Usage | None


def _read_gemini(body: dict[str, Any]) -> tuple[list[str], int | None]:
    asked = body["requests"]
    assert {one["model"] for one in asked} == {"models/m-there"}
    return [one["content"]["parts"][0]["text"] for one in asked], asked[0].get("outputDimensionality")


VENDORS = {
    "openai": Vendor(
        "/v1",
        "/v1/embeddings",
        {
            "object": "list",
            "data": [{"object": "embedding", "index": at, "embedding": vector} for at, vector in enumerate(VECTORS)],
            "model": "m-there",
            "usage": {"prompt_tokens": 4, "total_tokens": 4},
        },
        lambda body: (body["input"], body.get("dimensions")),
        Usage(input=4),
    ),
    "gemini": Vendor(
        "/v1beta",
        "/v1beta/models/m-there:batchEmbedContents",
        {"embeddings": [{"values": vector} for vector in VECTORS], "usageMetadata": {"promptTokenCount": 4}},
        _read_gemini,
        Usage(input=4),
    ),
    "cohere": Vendor(
        "",
        "/v2/embed",
        {
            "id": "e-1",
            "embeddings": {"float": VECTORS},
            "texts": TEXTS,
            "meta": {"api_version": {"version": "2"}, "billed_units": {"input_tokens": 4}},
            "response_type": "embeddings_by_type",
        },
        lambda body: (body["texts"], body.get("output_dimension")),
        Usage(input=4),
    ),
    "ollama": Vendor(
        "",
        "/api/embed",
        {"model": "m-there", "embeddings": VECTORS, "total_duration": 9, "load_duration": 1, "prompt_eval_count": 4},
        lambda body: (body["input"], body.get("dimensions")),
        Usage(input=4),
    ),
}


class Client(NamedTuple):
    """`body` asks for the texts in so many dimensions; `read` parses the answer with the official SDK's types."""

    path: str
    body: dict[str, Any]
    read: Callable[[bytes], list[list[float]]]


def _strictly(kind: type[BaseModel], body: bytes) -> Any:
    return TypeAdapter(kind).validate_json(body)


def _packed(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def _unpacked(body: bytes) -> list[list[float]]:
    """OpenAI's SDK asks for base64 unless told otherwise."""
    found = [base64.b64decode(one["embedding"]) for one in json.loads(body)["data"]]
    return [list(struct.unpack(f"<{len(packed) // 4}f", packed)) for packed in found]


def _cohere(body: bytes) -> list[list[float]]:
    found = _strictly(cohere.EmbedByTypeResponse, body).embeddings.float_
    assert found is not None
    return [list(vector) for vector in found]


CLIENTS = {
    "openai": Client(
        "/v1/embeddings",
        {"model": "m", "input": TEXTS, "dimensions": 3, "encoding_format": "float"},
        lambda body: [one.embedding for one in _strictly(CreateEmbeddingResponse, body).data],
    ),
    "openai, packed": Client(
        "/v1/embeddings",
        {"model": "m", "input": TEXTS, "dimensions": 3, "encoding_format": "base64"},
        _unpacked,
    ),
    "gemini": Client(
        "/v1beta/models/m:batchEmbedContents",
        {
            "requests": [
                {"model": "models/m", "content": {"parts": [{"text": text}]}, "outputDimensionality": 3}
                for text in TEXTS
            ]
        },
        lambda body: [one.values for one in _strictly(genai.EmbedContentResponse, body).embeddings],
    ),
    "cohere": Client(
        "/v2/embed",
        {
            "model": "m",
            "texts": TEXTS,
            "output_dimension": 3,
            "input_type": "search_document",
            "embedding_types": ["float"],
        },
        _cohere,
    ),
    "ollama": Client(
        "/api/embed",
        {"model": "m", "input": TEXTS, "dimensions": 3},
        lambda body: [list(vector) for vector in _strictly(ollama.EmbedResponse, body).embeddings],
    ),
}


def serving(kind: str, path: str) -> Snapshot:
    provider = Provider("up", kind, "http", "127.0.0.1", 9000, path, "sk-of-up")
    return snapshot(model("m", provider), retry=Retry(attempts=1))


def post(path: str, body: dict[str, Any]) -> bytes:
    raw = json.dumps(body).encode()
    head = [f"POST {path} HTTP/1.1", "Host: a", f"Authorization: Bearer {TOKEN}", "Content-Type: application/json"]
    return "\r\n".join([*head, f"Content-Length: {len(raw)}", "", ""]).encode() + raw


def body_of(answer: FakeTransport) -> bytes:
    return answer.out.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("client", CLIENTS)
@on_loop
async def test_vectors_are_the_same_in_every_format(tmp_path: Path, client: str, vendor: str) -> None:
    """The vendor is asked for the client's texts in its own words, and the client gets the vendor's numbers in its."""
    theirs, ours = VENDORS[vendor], CLIENTS[client]
    if client.startswith("openai") and vendor == "ollama":
        theirs = VENDORS["openai"]  # it has that endpoint too, and the bytes pass
    told = theirs.reply
    if client == "openai, packed" and theirs is VENDORS["openai"]:
        told = {**told, "data": [{**one, "embedding": _packed(one["embedding"])} for one in told["data"]]}
    gate = Gate(tmp_path, serving(vendor, VENDORS[vendor].path))
    answer, upstream = await gate.asked(post(ours.path, ours.body))
    head, _, sent = upstream.transport.out.partition(b"\r\n\r\n")
    assert head.startswith(f"POST {theirs.target} HTTP/1.1\r\n".encode())
    assert theirs.read(json.loads(sent)) == (TEXTS, 3)
    upstream.reply(reply(json.dumps(told).encode()))
    await gate.settle()
    assert status(answer) == 200
    assert ours.read(body_of(answer)) == VECTORS
    record = gate.record
    assert (record.usage, record.usage_source) == (theirs.usage, "provider")


@pytest.mark.parametrize("vendor", VENDORS)
@on_loop
async def test_one_text_has_one_vector(tmp_path: Path, vendor: str) -> None:
    """Gemini's call for a single text, which has a shape of its own."""
    theirs = VENDORS[vendor]
    gate = Gate(tmp_path, serving(vendor, theirs.path))
    asked = {"content": {"parts": [{"text": "one"}]}}
    answer, upstream = await gate.asked(post("/v1beta/models/m:embedContent", asked))
    replies = {
        "openai": {**theirs.reply, "data": theirs.reply.get("data", [])[:1]},
        "gemini": {"embedding": {"values": VECTORS[0]}},
        "cohere": {**theirs.reply, "texts": ["one"], "embeddings": {"float": VECTORS[:1]}},
        "ollama": {**theirs.reply, "embeddings": VECTORS[:1]},
    }
    upstream.reply(reply(json.dumps(replies[vendor]).encode()))
    await gate.settle()
    assert json.loads(body_of(answer))["embedding"]["values"] == VECTORS[0]


@pytest.mark.parametrize("vendor", VENDORS)
@on_loop
async def test_a_vendor_that_leaves_vectors_out_has_broken_its_reply(tmp_path: Path, vendor: str) -> None:
    """Numbers of one text must never pass for another's."""
    theirs = VENDORS[vendor]
    client = CLIENTS["ollama" if vendor != "ollama" else "cohere"]
    gate = Gate(tmp_path, serving(vendor, theirs.path))
    answer, upstream = await gate.asked(post(client.path, client.body))
    upstream.reply(reply(b'{"id":"e","data":"none","embeddings":"none"}'))
    await gate.settle()
    assert status(answer) == 502
    assert gate.record.error == "upstream_broken"


@pytest.mark.parametrize("vendor", VENDORS)
@on_loop
async def test_a_vendors_refusal_is_told_in_the_clients_words(tmp_path: Path, vendor: str) -> None:
    """With its status."""
    gate = Gate(tmp_path, serving(vendor, VENDORS[vendor].path))
    answer, upstream = await gate.asked(post("/v1/embeddings", CLIENTS["openai"].body))
    upstream.reply(reply(b'{"message":"too long","error":{"message":"too long"}}', status="400 No"))
    await gate.settle()
    assert (status(answer), error(answer)["message"]) == (400, "too long")


RANKED = {"id": "r-1", "results": [{"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.1}]}


@pytest.mark.parametrize("path", ["/v1/rerank", "/v2/rerank"])
@pytest.mark.parametrize(
    ("kind", "base", "target"),
    [("cohere", "", "/v2/rerank"), ("jina", "/v1", "/v1/rerank"), ("vllm", "/v1", "/v1/rerank")],
)
@on_loop
async def test_texts_are_ranked_by_whoever_can(tmp_path: Path, path: str, kind: str, base: str, target: str) -> None:
    """One shape at all of them, each at its own path; the reply passes as it is."""
    gate = Gate(tmp_path, serving(kind, base))
    asked = {"model": "m", "query": "two?", "documents": TEXTS, "top_n": 2}
    answer, upstream = await gate.asked(post(path, asked))
    head, _, sent = upstream.transport.out.partition(b"\r\n\r\n")
    assert head.startswith(f"POST {target} HTTP/1.1\r\n".encode())
    assert json.loads(sent) == {**asked, "model": "m-there"}
    body = json.dumps(RANKED).encode()
    upstream.reply(reply(body))
    await gate.settle()
    assert body_of(answer) == body
    assert gate.record.operation == "rerank"


@on_loop
async def test_who_cannot_rank_is_not_asked(tmp_path: Path) -> None:
    """Vectors are no ranking."""
    gate = Gate(tmp_path, serving("openai", "/v1"))
    answer = await gate.ask(post("/v1/rerank", {"model": "m", "query": "q", "documents": TEXTS}))
    assert status(answer) == 400
    assert not gate.connector.opened
