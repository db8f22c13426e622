from __future__ import annotations

import base64
import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types import CreateEmbeddingResponse

from gateline.formats.call import read_call
from gateline.formats.dialect import PLAIN, Dialect
from gateline.formats.openai.embedding import read_embed, read_embed_reply, write_embed, write_embed_reply
from gateline.model.chat import Media
from gateline.model.errors import BadRequest, UpstreamBroken, UpstreamError
from gateline.model.usage import Usage
from gateline.model.vectors import Embed, EmbedReply


def asked(**fields: Any) -> Embed:
    body = json.dumps({"model": "m", **fields}).encode()
    return read_embed(read_call(body, "embeddings"), body)


@pytest.mark.parametrize(
    ("given_input", "inputs", "is_batch"),
    [
        ("a", ["a"], False), (["a", "b"], ["a", "b"], True), ([1, 2], [[1, 2]], True),
        ([[1, 2], [3]], [[1, 2], [3]], True),
    ],
)  # fmt: skip
def test_every_kind_of_input_is_read(given_input: Any, inputs: list[Any], is_batch: bool) -> None:
    """Texts, tokens and lists of either; one input alone goes to the vendor as it came."""
    embed = asked(input=given_input, dimensions=3, encoding_format="base64", user="u", made_up=1)
    assert embed == Embed(
        model="m", inputs=inputs, dimensions=3, encoding="base64", user="u", is_batch=is_batch, unmapped=["made_up"]
    )
    written = write_embed(embed, "v", PLAIN)
    expected = inputs if is_batch else inputs[0]
    assert json.loads(written.body) == {"model": "v", "input": expected, "dimensions": 3, "user": "u"}
    assert asked(input="a", dimensions=None, encoding_format=None) == Embed(model="m", inputs=["a"], is_batch=False)


@pytest.mark.parametrize(
    ("fields", "param"),
    [({}, "input"), ({"input": []}, "input"), ({"input": ["a", 1]}, "input"), ({"input": 5}, "input"),
     ({"input": "a", "encoding_format": "hex"}, "encoding_format")],
)  # fmt: skip
def test_mistakes_are_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        asked(**fields)
    assert caught.value.param == param


def test_what_the_format_has_no_place_for() -> None:
    """Purpose, title and truncation are told as dropped, refused fields too; pictures are refused."""
    embed = Embed(model="m", inputs=["a"], purpose="retrieval_query", title="t", truncate=True, dimensions=3, user="u")
    written = write_embed(embed, "v", Dialect(refuses=frozenset({"dimensions"})))
    assert json.loads(written.body) == {"model": "v", "input": ["a"], "user": "u"}
    assert set(written.dropped) == {"purpose", "title", "truncate", "dimensions"}
    with pytest.raises(BadRequest):
        write_embed(Embed(model="m", inputs=[Media(kind="image", data="AAAA")]), "v", PLAIN)


FLOATS = st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=5)


@given(st.lists(FLOATS, min_size=1, max_size=4), st.sampled_from(["float", "base64"]))
def test_vectors_come_back_as_they_were(vectors: list[list[float]], encoding: Any) -> None:
    """As numbers or base64, whichever the client asked for: the official type takes them, and they read back."""
    reply = EmbedReply(model="x", vectors=vectors, usage=Usage(3, 0))
    body = write_embed_reply(reply, Embed(model="mine", inputs=["a"], encoding=encoding))
    found = json.loads(body)
    if encoding == "base64":
        for each in found["data"]:
            packed = base64.b64decode(each["embedding"])
            each["embedding"] = list(struct.unpack(f"<{len(packed) // 4}f", packed))
    official = CreateEmbeddingResponse.model_validate(found, strict=True)
    assert [each.embedding for each in official.data] == vectors
    assert (official.model, official.usage.prompt_tokens, official.usage.total_tokens) == ("mine", 3, 3)
    read = read_embed_reply(body, "")
    assert (read.vectors, read.usage) == (vectors, Usage(3, 0))


def test_vectors_are_put_in_the_order_of_the_inputs() -> None:
    body = b'{"data":[{"embedding":[2.0],"index":1},{"embedding":[1.0],"index":0}],"model":"v"}'
    assert read_embed_reply(body, "") == EmbedReply(model="v", vectors=[[1.0], [2.0]])
    assert read_embed_reply(b'{"data":[{"embedding":[1.0]},{"embedding":[2.0]}]}', "").vectors == [[1.0], [2.0]]


def test_what_is_no_reply_is_broken() -> None:
    for body in (b"", b"{}", b'{"data":[{"embedding":"???","index":0}]}', b'{"data":[{"embedding":"AAA=","index":0}]}'):
        with pytest.raises(UpstreamBroken):
            read_embed_reply(body, "")
    with pytest.raises(UpstreamError, match="full"):
        read_embed_reply(b'{"error":{"message":"full"}}', "")
