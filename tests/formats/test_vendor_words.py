"""What vendors say went wrong is found wherever they put it, and nothing they put there breaks the looking."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateline.formats.vendor_error import read_error
from gateline.formats.vendor_words import Words, words_of

GEMINI_DETAILS = [
    {"@type": "type.googleapis.com/google.rpc.Help", "links": [{"url": "https://x"}]},
    {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.5s"},
]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"error": {"message": "m", "type": "t", "code": "c", "param": "p"}}, Words("m", "t", "c", "p")),
        ({"type": "error", "error": {"type": "overloaded_error", "message": "m"}}, Words("m", "overloaded_error")),
        ({"type": "error", "error": "m"}, Words("m")),
        (
            {"error": {"code": 429, "message": "m", "status": "RESOURCE_EXHAUSTED"}},
            Words("m", None, "RESOURCE_EXHAUSTED"),
        ),
        (
            [{"error": {"code": 429, "message": "m", "status": "S", "details": GEMINI_DETAILS}}],
            Words("m", None, "S", None, 34.5),
        ),
        ({"error": "m"}, Words("m")),
        ({"error": ["m", "n"]}, Words("m; n")),
        ({"error": "m", "error_type": "validation"}, Words("m", None, "validation")),
        ({"code": "invalid-argument", "error": "m"}, Words("m", None, "invalid-argument")),
        ({"id": "i", "message": "m"}, Words("m")),
        ({"message": "m", "__type": "ThrottlingException"}, Words("m", None, "ThrottlingException")),
        ({"error_code": "BAD_REQUEST", "message": "m"}, Words("m", None, "BAD_REQUEST")),
        ({"code": "InvalidApiKey", "message": "m", "request_id": "r"}, Words("m", None, "InvalidApiKey")),
        ({"code": 20012, "message": "m", "data": None}, Words("m", None, 20012)),
        ({"object": "error", "message": "m", "type": "t", "param": None, "code": "3505"}, Words("m", "t", "3505")),
        (
            {"object": "error", "type": "t", "message": {"detail": [{"loc": ["body", "seed"], "msg": "extra"}]}},
            Words("seed: extra", "t", None, "seed"),
        ),
        ({"detail": "m"}, Words("m")),
        ({"title": "t", "detail": "m", "status": 422}, Words("m")),
        (
            {"detail": [{"type": "missing", "loc": ["body", "messages", 0, "role"], "msg": "Field required"}]},
            Words("messages.0.role: Field required", None, None, "messages.0.role"),
        ),
        (
            {"detail": [{"loc": ["body", "a"], "msg": "x"}, {"loc": ["body"], "msg": "y"}]},
            Words("a: x; y", None, None, "a"),
        ),
        ({"success": False, "result": None, "errors": [{"code": 7009, "message": "m"}]}, Words("m", None, 7009)),
        ({"trace": "x", "errors": [{"code": "c", "message": "m"}], "status_code": 400}, Words("m", None, "c")),
        (
            {"error": {"message": "Provider returned error", "code": 502, "metadata": {"raw": "cuda", "x": 1}}},
            Words("Provider returned error: cuda", None, 502),
        ),
        ("Invalid token", Words("Invalid token")),
        ({"errors": []}, Words()),
        ({"error": None, "message": "m"}, Words("m")),
        (7, Words()),
    ],
)
def test_every_vendors_shape_is_understood(body: Any, words: Words) -> None:
    """Message, type, code, the field at fault and the wait asked for, each from where the vendor has it."""
    assert words_of(body) == words


def test_the_wait_that_google_asks_for_in_the_body_holds_where_no_header_does() -> None:
    """And never for longer than a day."""
    body = {"error": {"message": "m", "details": [{"retryDelay": "2.25s"}]}}
    assert read_error(429, [], json.dumps(body).encode()).retry_after == 2.25
    assert read_error(429, [(b"retry-after", b"9")], json.dumps(body).encode()).retry_after == 9.0
    body["error"]["details"] = [{"retryDelay": "999999999s"}]
    assert read_error(429, [], json.dumps(body).encode()).retry_after == 86_400.0
    for nonsense in ("soon", "-1s", "1e9s", "infs", 3, None, ["1s"]):
        body["error"]["details"] = [{"retryDelay": nonsense}]
        assert read_error(429, [], json.dumps(body).encode()).retry_after is None


def test_plain_text_is_what_the_vendor_said() -> None:
    """A page of HTML is not, whatever it calls itself elsewhere; nor are bytes that are no text."""
    plain = [(b"Content-Type", b"text/plain; charset=utf-8")]
    assert read_error(401, plain, b"Unauthorized").message == "Unauthorized"
    assert read_error(401, plain, b"\xff\xfe").message == "the upstream answered 401"
    assert read_error(502, [(b"content-type", b"text/html")], b"Bad gateway").message == "the upstream answered 502"
    assert read_error(401, plain, b"no key hf_0123456789abcdef").message == "no key [redacted]"


_KEYS = [
    "error", "errors", "message", "detail", "msg", "loc", "code", "status", "type", "param", "metadata", "raw",
    "details", "retryDelay", "error_code", "error_type",
]  # fmt: skip
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=4),
    max_leaves=20,
)


@given(_JSON)
def test_nothing_a_vendor_answers_breaks_the_looking(body: Any) -> None:
    """Every value may be of every type: there is a message, and it can be written."""
    detail = read_error(500, [], json.dumps(body).encode())
    assert detail.message.strip()
    detail.message.encode()


def test_errors_within_errors_end() -> None:
    """However deep a vendor nests them."""
    body: Any = "m"
    for _ in range(50):
        body = {"error": body}
    assert words_of(body) == Words()
