from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateline.formats.call import read_call, write_body, write_body_parts
from gateline.model.call import Operation
from gateline.model.errors import BadRequest

CHAT: Operation = "chat.completions"
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
# Keys that are, or could be taken for, a decided field would change what is decided.
OTHER_KEYS = st.text().filter(
    lambda key: (
        key.casefold() not in {"model", "stream", "stream_options", "user", "max_tokens", "max_completion_tokens"}
    )
)


def refused(body: bytes, operation: Operation = CHAT) -> BadRequest:
    with pytest.raises(BadRequest) as caught:
        read_call(body, operation)
    assert caught.value.status == 400
    return caught.value


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "empty"),
        (b"  \n", "empty"),
        (b'\xef\xbb\xbf{"model":"m"}', "byte order mark"),
        ('{"model":"m"}'.encode("utf-16"), "UTF-8"),
        ('{"model":"m"}'.encode("utf-16-le"), "UTF-8"),
        (b'{"model":"m","x":NaN}', "not valid JSON"),
        (b'{"model":"m","x":Infinity}', "not valid JSON"),
        (b'{"model":"m"} x', "trailing"),
        (b'{"model":"m"}{"model":"n"}', "trailing"),
        (b'{"model":"m",}', "not valid JSON"),
        (b"{'model':'m'}", "not valid JSON"),
        (b'{"model":"m"', "not valid JSON"),
        (b'["model"]', "JSON object"),
        (b'"model"', "JSON object"),
        (b"null", "JSON object"),
        (b'{"model":"m","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "deep"),
        (b'{"model":"m","x":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}", "deep"),
        (b'{"model":"m","\xff":1}', "UTF-8"),
        (b'{"model":"m","x":"\xff"}', "UTF-8"),
        (b'{"model":"m","x":"' + b"a" * 65_517 + "é".encode() + b'\xc3"}', "UTF-8"),
        (b'{"model":"m","\\ud800":1}', "surrogate"),
        (b'{"model":"\\uD83D"}', "surrogate"),
        (b'{"model":"m","messages":[{"content":"cut: \\ud83d"}]}', "surrogate"),
        (b'{"model":"m","x":"\\ude00 b"}', "surrogate"),
        (b'{"model":"a\nb"}', "not valid JSON"),
    ],
)
def test_what_is_no_json_object_is_refused(body: bytes, says: str) -> None:
    """Every body that is not one JSON object in UTF-8 is 400 and told why."""
    error = refused(body)
    assert error.reason == "invalid_json"
    assert says in str(error)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        (b'"x":1', "model"),
        (b'"model":null', "model"),
        (b'"model":""', "model"),
        (b'"model":7', "model"),
        (b'"model":["m"]', "model"),
        (b'"model":"\xff"', "model"),
        (b'"model":"m","stream":"true"', "stream"),
        (b'"model":"m","stream":1', "stream"),
        (b'"model":"m","stream_options":true', "stream_options"),
        (b'"model":"m","stream_options":[]', "stream_options"),
        (b'"model":"m","stream_options":{"include_usage":1}', "stream_options.include_usage"),
        (b'"model":"m","stream_options":{"Include_Usage":true}', "stream_options.include_usage"),
        (b'"model":"m","user":5', "user"),
        (b'"model":"m","user":"\xc3"', "user"),
        (b'"model":"m","max_tokens":"5"', "max_tokens"),
        (b'"model":"m","max_tokens":true', "max_tokens"),
        (b'"model":"m","max_tokens":1.5', "max_tokens"),
        (b'"model":"m","max_tokens":-1', "max_tokens"),
        (b'"model":"m","max_completion_tokens":{}', "max_completion_tokens"),
        (b'"model":"m","Model":"n"', "model"),
        (b'"model":"m","MODEL":"n"', "model"),
        (b'"model":"m","\xc5\xbftream":true', "stream"),
        (b'"model":"m","max_to\xe2\x84\xaaens":9', "max_tokens"),
        (b'"model":"m","mod\\u0045l":"n"', "model"),
    ],
)
def test_a_wrong_field_is_named(fields: bytes, param: str) -> None:
    """A decided field that is missing, of a wrong type, not text, or spelled so that Go would take it, is named."""
    error = refused(b"{" + fields + b"}")
    assert error.param == param


def test_nulls_are_allowed_where_the_vendor_allows_them() -> None:
    """Null in an optional field is the same as leaving it out."""
    call = read_call(
        b'{"model":"m","stream":null,"stream_options":null,"user":null,"max_tokens":null,"max_completion_tokens":null}',
        CHAT,
    )
    assert (call.stream, call.include_usage, call.user, call.max_tokens) == (False, False, None, None)


def test_decided_fields_are_read() -> None:
    """What the pipeline decides on is what the body says; the newer name of the output bound wins."""
    call = read_call(
        b'{"model":"m\\u00e9","stream":true,"stream_options":{"include_usage":true},"user":"u","max_tokens":5,'
        b'"max_completion_tokens":7}',
        CHAT,
    )
    assert (call.model, call.stream, call.include_usage, call.user, call.max_tokens) == ("mé", True, True, "u", 7)
    assert read_call(b'{"model":"m","max_tokens":5,"max_completion_tokens":null}', CHAT).max_tokens == 5


def test_repeated_keys_count_last_and_once() -> None:
    """Of repeated and escaped keys the last value is decided on, and it is the only one the upstream reads."""
    call = read_call(b'{"model":"a","x":1,"mod\\u0065l":"b","x":2}', CHAT)
    assert call.model == "b"
    assert write_body(call, "t", ask_usage=True) == b'{"model":"t","x":2}'


def test_embeddings_cannot_be_streamed() -> None:
    """A stream of embeddings does not exist: asking for one names the field."""
    assert refused(b'{"model":"m","input":"x","stream":true}', "embeddings").param == "stream"


def test_values_pass_byte_for_byte() -> None:
    """Numbers, escapes, white space and letters of any script inside values reach the upstream as they came."""
    body = b'{ "x" : [1.0,  1e5,"\\u00e9\\/\xc3\xa9"] ,"model":"m" , "big":123456789012345678901234567890}'
    written = write_body(read_call(body, CHAT), "t", ask_usage=True)
    assert written == b'{"x":[1.0,  1e5,"\\u00e9\\/\xc3\xa9"],"model":"t","big":123456789012345678901234567890}'


@pytest.mark.parametrize(
    ("options", "ask_usage", "written"),
    [
        (b"", True, b',"stream_options":{"include_usage":true}'),
        (b',"stream_options":null', True, b',"stream_options":{"include_usage":true}'),
        (b',"stream_options":{}', True, b',"stream_options":{"include_usage":true}'),
        (b',"stream_options":{"include_usage":false, "x":[1, 2]}', True,
         b',"stream_options":{"include_usage":true,"x":[1, 2]}'),
        (b',"stream_options":{"include_usage": true, "x":1}', True,
         b',"stream_options":{"include_usage": true, "x":1}'),
        (b"", False, b""),
        (b',"stream_options":{"include_usage":true}', False, b""),
    ],
)  # fmt: skip
def test_usage_is_asked_of_streams(options: bytes, ask_usage: bool, written: bytes) -> None:
    """`include_usage` is merged into a stream's options, and they are left out for vendors that refuse them."""
    call = read_call(b'{"model":"m","stream":true' + options + b"}", CHAT)
    expected = b'{"model":"t","stream":true' + written + b"}"
    assert write_body(call, "t", ask_usage=ask_usage) == expected
    assert b"".join(write_body_parts(call, "t", ask_usage=ask_usage)) == expected


def test_stream_options_of_no_stream_are_the_vendors_business() -> None:
    """Without `stream` nothing but the model changes."""
    call = read_call(b'{"stream_options":{"include_usage":true},"model":"m"}', CHAT)
    assert write_body(call, "t", ask_usage=False) == b'{"stream_options":{"include_usage":true},"model":"t"}'


@given(st.dictionaries(OTHER_KEYS, JSON, max_size=6), st.booleans(), st.booleans(), st.text(min_size=1), st.booleans())
def test_only_what_must_change_changes(
    fields: dict[str, Any], stream: bool, ask_usage: bool, target: str, ascii_only: bool
) -> None:
    """For any body: decoded output equals decoded input but for the model and the usage option, in the same order."""
    source = {**fields, "model": "m", "stream": stream}
    call = read_call(json.dumps(source, ensure_ascii=ascii_only).encode("utf-8"), CHAT)
    written = write_body(call, target, ask_usage=ask_usage)
    assert b"".join(write_body_parts(call, target, ask_usage=ask_usage)) == written
    expected = {**source, "model": target}
    if stream and ask_usage:
        expected["stream_options"] = {"include_usage": True}
    assert list(json.loads(written).items()) == list(expected.items())


@pytest.mark.parametrize(
    "order", [("model", "big", "x"), ("big", "model"), ("x", "model", "big"), ("big", "b2", "model")]
)
def test_big_values_are_not_copied(order: tuple[str, ...]) -> None:
    """A big value is a view into the client's body, wherever it stands, and the parts join to the same bytes."""
    values: dict[str, Any] = {"model": "m", "big": "y" * 100_000, "b2": "z" * 20_000, "x": {"a": 1}}
    body = json.dumps({name: values[name] for name in order}).encode()
    call = read_call(body, CHAT)
    parts = write_body_parts(call, "t", ask_usage=True)
    assert b"".join(parts) == write_body(call, "t", ask_usage=True)
    views = [part for part in parts if isinstance(part, memoryview)]
    assert [len(view) for view in views] == [len(values[name]) + 2 for name in order if name in ("big", "b2")]
    assert all(len(part) < 200 for part in parts if isinstance(part, bytes))


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_buffer_is_read(kind: type[bytes] | type[bytearray] | type[memoryview]) -> None:
    """The body may be bytes, a bytearray or a view; its errors too."""
    assert read_call(kind(b'{"model":"m"}'), CHAT).model == "m"
    with pytest.raises(BadRequest):
        read_call(kind(b"{"), CHAT)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_fields_of_large_bodies_are_counted(kind: type[bytes] | type[bytearray] | type[memoryview]) -> None:
    """Each field costs memory of its own: a thousand are read as they are, one more is refused when it comes."""
    names = [f"{'k' * 70}{number}" for number in range(1_000)]
    for count in (999, 1_000):
        body = json.dumps({"model": "m", **dict.fromkeys(names[:count], 0)}).encode()
        if count == 999:
            assert list(read_call(kind(body), CHAT).fields) == ["model", *names[:count]]
        else:
            with pytest.raises(BadRequest, match="more fields than any call takes") as refused:
                read_call(kind(body + b"no JSON, but nobody gets here"), CHAT)
            assert refused.value.reason == "invalid_value"


def test_half_a_pair_is_found_far_inside() -> None:
    """Whole pairs before it and text around it change nothing."""
    text = "x" * 1_000_000 + "\\ud83d\\ude00" * 100 + "y\\ud83d" + "z" * 1_000_000
    with pytest.raises(BadRequest, match="surrogate"):
        read_call(b'{"model":"m","messages":"' + text.encode() + b'"}', CHAT)
