"""Reading an embeddings request and writing its answer."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
import numpy as np
import pytest

from gateline.engine.embedcall import EmbedCall, read_embed_call, write_embeddings
from gateline.engine.refusal import Refused


def _read(fields: dict[str, Any]) -> EmbedCall:
    return read_embed_call("/embeddings", msgspec.json.encode(fields), 384)


def test_a_string_and_a_list_are_read() -> None:
    assert _read({"model": "m", "input": "x"}) == EmbedCall("m", ["x"], "float")
    assert _read({"input": ["x", "y"], "encoding_format": "base64", "dimensions": 384}).texts == ["x", "y"]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "input"),
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"input": ["a", " "]}, "input[1]"),
        ({"input": [1, 2]}, "input"),
        ({"input": [[1, 2]]}, "input"),
        ({"input": ["a"] * 2049}, "input"),
        ({"input": "a", "dimensions": 512}, "dimensions"),
        ({"input": "a", "encoding_format": "int8"}, "encoding_format"),
    ],
)
def test_a_wrong_field_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(Refused) as caught:
        _read(fields)
    assert (caught.value.status, caught.value.param) == (400, param)


def test_base64_holds_the_same_floats() -> None:
    vector = np.array([0.25, -1.5, 3e-8], np.float32)
    plain = msgspec.json.decode(write_embeddings(EmbedCall("m", ["x"], "float"), [vector], 4))
    coded = msgspec.json.decode(write_embeddings(EmbedCall("m", ["x"], "base64"), [vector], 4))
    assert plain["usage"] == {"prompt_tokens": 4, "total_tokens": 4}
    assert plain["data"][0]["index"] == 0
    assert np.array_equal(np.array(plain["data"][0]["embedding"], np.float32), vector)
    assert base64.b64decode(coded["data"][0]["embedding"]) == vector.tobytes()
