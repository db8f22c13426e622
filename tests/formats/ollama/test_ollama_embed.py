from __future__ import annotations

import json
from typing import Any

import pytest
from ollama import EmbedResponse

from gateline.formats.call import read_call
from gateline.formats.dialect import PLAIN, Dialect
from gateline.formats.ollama.sides import EMBED_CLIENT, EMBED_SERVER
from gateline.model.chat import Media
from gateline.model.errors import BadRequest, UpstreamBroken, UpstreamError
from gateline.model.usage import Usage
from gateline.model.vectors import Embed, EmbedReply


def read(**fields: Any) -> Embed:
    body = json.dumps({"model": "m", **fields}).encode()
    embed: Embed = EMBED_SERVER.read(read_call(body, "ollama.embed"), body)
    return embed


def write(embed: Embed, dialect: Dialect = PLAIN) -> tuple[dict[str, Any], list[str]]:
    written = EMBED_CLIENT.write(embed, "nomic", dialect)
    return json.loads(written.body), list(written.dropped)


def test_a_call_is_read() -> None:
    """One text or several; what only the server knows is named."""
    assert read(input="a") == Embed(model="m", inputs=["a"], is_batch=False)
    assert read(input=["a", "b"], dimensions=8, truncate=False, keep_alive="5m", options={}) == Embed(
        model="m", inputs=["a", "b"], dimensions=8, truncate=False, unmapped=["keep_alive"]
    )


@pytest.mark.parametrize(
    ("fields", "param"), [({}, "input"), ({"input": 1}, "input"), ({"input": ["a", 2]}, "input[1]")]
)
def test_a_bad_call_is_told_by_the_fields_name(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        read(**fields)
    assert caught.value.param == param


def test_a_call_is_written() -> None:
    """As it was read, under the vendor's name; what it has no place for is named."""
    for asked in (read(input="a"), read(input=["a"], dimensions=8, truncate=True)):
        body, dropped = write(asked)
        assert read(**{**body, "model": "m"}) == asked
        assert (body["model"], dropped) == ("nomic", [])
    embed = Embed(model="m", inputs=["a"], dimensions=8, purpose="retrieval_query", title="t", user="u")
    body, dropped = write(embed, Dialect(refuses=frozenset({"dimensions"})))
    assert (body, dropped) == ({"model": "nomic", "input": ["a"]}, ["purpose", "title", "user", "dimensions"])


@pytest.mark.parametrize("odd", [[1, 2], Media(kind="image", data="x")])
def test_only_text_is_embedded(odd: Any) -> None:
    with pytest.raises(BadRequest):
        write(Embed(model="m", inputs=["a", odd]))


def test_a_reply_goes_both_ways() -> None:
    """The SDK's type takes what is written; tokens are the prompt's."""
    reply = EmbedReply(model="nomic", vectors=[[0.5, 1.0], [0.25, -1.0]], usage=Usage(input=4))
    body = EMBED_SERVER.write_reply(reply, Embed(model="m", inputs=["a", "b"]))
    typed = EmbedResponse.model_validate_json(body, strict=True)
    assert (typed.model, typed.prompt_eval_count) == ("m", 4)
    assert [list(vector) for vector in typed.embeddings] == reply.vectors
    found = EMBED_CLIENT.read_reply(body, "")
    assert (found.vectors, found.usage) == (reply.vectors, reply.usage)
    reply.usage = None
    assert EMBED_CLIENT.read_reply(EMBED_SERVER.write_reply(reply, Embed(model="m", inputs=[])), "").usage is None


def test_what_is_no_reply_is_told() -> None:
    for body in (b"{}", b'{"embeddings":"x"}', b"<html>"):
        with pytest.raises(UpstreamBroken):
            EMBED_CLIENT.read_reply(body, "")
    with pytest.raises(UpstreamError) as caught:
        EMBED_CLIENT.read_reply(b'{"error":"too long"}', "")
    assert str(caught.value) == "too long"
