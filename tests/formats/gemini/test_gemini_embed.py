"""Gemini's embeddings, both sides."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from google.genai import types

from gateline.formats.dialect import PLAIN
from gateline.formats.gemini.embed import read_batch, read_embed, read_reply, write_batch, write_one, write_reply
from gateline.model.chat import Media
from gateline.model.errors import BadRequest, UpstreamBroken, UpstreamError
from gateline.model.usage import Usage
from gateline.model.vectors import Embed, EmbedReply
from tests.formats.gemini.rig import call

IMAGE = Media(kind="image", mime="image/png", data="QUJD")


def read_of(body: dict[str, Any], *, batch: bool = False) -> Embed:
    raw = msgspec.json.encode(body)
    read = read_batch if batch else read_embed
    return read(call(raw, "batch_embed_contents" if batch else "embed_content"), raw)


def test_one_content_is_one_input() -> None:
    """Its texts belong together; what it is for is read in either spelling."""
    asked = Embed(
        model="the-model", inputs=["a\nb"], dimensions=8, purpose="retrieval_query", title="t", is_batch=False,
        unmapped=["autoTruncate"],
    )  # fmt: skip
    rest = {"title": "t", "autoTruncate": True}
    parts = {"parts": [{"text": "a"}, {"text": "b"}]}
    assert read_of({"content": parts, "taskType": "RETRIEVAL_QUERY", "outputDimensionality": 8, **rest}) == asked
    assert read_of({"content": parts, "task_type": "RETRIEVAL_QUERY", "output_dimensionality": 8, **rest}) == asked


def test_a_batch_is_what_the_client_side_writes() -> None:
    """Texts and media of a batch pass both ways, each request with the model's full name."""
    asked = Embed(model="the-model", inputs=["a", IMAGE], dimensions=8, purpose="clustering")
    written = write_batch(asked, "gemini-embedding-2", PLAIN)
    body = msgspec.json.decode(written.body)
    assert [request["model"] for request in body["requests"]] == ["models/gemini-embedding-2"] * 2
    assert read_of(body, batch=True) == asked
    assert list(written.dropped) == []


def test_one_input_is_a_call_of_its_own() -> None:
    """The model stands in its path; several inputs are refused where the vendor takes one."""
    body = msgspec.json.decode(write_one(Embed(model="m", inputs=["a"]), "e", PLAIN).body)
    assert body == {"content": {"parts": [{"text": "a"}]}}
    with pytest.raises(BadRequest):
        write_one(Embed(model="m", inputs=["a", "b"]), "e", PLAIN)


def test_what_the_vendor_cannot_do_is_told_or_refused() -> None:
    """Fields without a place are told; tokens are no input."""
    assert list(write_batch(Embed(model="m", inputs=["a"], user="u", truncate=False), "e", PLAIN).dropped) == [
        "truncate",
        "user",
    ]
    with pytest.raises(BadRequest) as refused:
        write_batch(Embed(model="m", inputs=[[1, 2]]), "e", PLAIN)
    assert refused.value.param == "input"


@pytest.mark.parametrize("is_batch", [False, True])
def test_vectors_pass_both_ways(is_batch: bool) -> None:
    """One or many, with what is known of the usage."""
    reply = EmbedReply(model="", vectors=[[0.5, -1.0], [2.0]][: 2 if is_batch else 1], usage=Usage(7))
    body = write_reply(reply, Embed(model="m", inputs=["a"], is_batch=is_batch))
    assert read_reply(body, "") == reply
    if is_batch:
        assert [each.values for each in types.EmbedContentResponse.model_validate_json(body).embeddings or ()] == (
            reply.vectors
        )


@pytest.mark.parametrize(
    ("body", "batch", "param"),
    [
        ({}, False, "content"),
        ({"content": {"parts": []}}, False, "content.parts"),
        ({"requests": []}, True, "requests"),
        ({"requests": [{"content": {"parts": [{"text": "a"}, {"inlineData": {"data": "QUJD"}}]}}]}, True,
         "requests[0].content.parts"),
        ({"requests": [{"content": {"parts": "a"}}, {"content": {"parts": "b"}, "taskType": "X"}]}, True,
         "requests[1].taskType"),
    ],
)  # fmt: skip
def test_bad_input_names_its_field(body: dict[str, Any], batch: bool, param: str) -> None:
    """Under the client's name of it."""
    with pytest.raises(BadRequest) as refused:
        read_of(body, batch=batch)
    assert refused.value.param == param


def test_what_is_no_embedding_is_an_error() -> None:
    """Of the vendor's own words, where there are any."""
    with pytest.raises(UpstreamBroken):
        read_reply(b"{}", "")
    with pytest.raises(UpstreamError, match="no such model"):
        read_reply(b'{"error":{"message":"no such model"}}', "")
