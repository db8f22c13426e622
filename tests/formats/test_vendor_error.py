from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateline.formats.redact import CUT
from gateline.formats.vendor_error import explain, read_error, reported_error, retry_after

CANARY = "sk-live-canary-7f3a9c51"


def test_an_upstreams_error_is_explained() -> None:
    """Message, type, code and param of the vendor's object arrive, and go on to the client as the same object."""
    body = b'{"error":{"message":"too long","type":"invalid_request_error","param":"messages","code":"context_length"}}'
    detail = read_error(400, [(b"Retry-After", b"3")], body)
    assert (detail.status, detail.message, detail.type) == (400, "too long", "invalid_request_error")
    assert (detail.code, detail.param, detail.retry_after) == ("context_length", "messages", 3.0)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"error":"model not loaded"}', "model not loaded"),
        (b'{"message":"bad","code":40013}', "bad"),
        (b'{"detail":"Not Found"}', "Not Found"),
        (b'{"error":{"message":[1],"code":true}}', "the upstream answered 500"),
        (b'{"error":null}', "the upstream answered 500"),
        (b"<html>nginx</html>", "the upstream answered 500"),
        (b"", "the upstream answered 500"),
        (b"[" * 100_000, "the upstream answered 500"),
        (b'{"error":{"message":"\\ud800"}}', "the upstream answered 500"),
    ],
)
def test_other_shapes_are_explained_too(body: bytes, message: str) -> None:
    """Whatever an upstream says, there is a message, and it is never its HTML."""
    assert read_error(500, [], body).message == message


@pytest.mark.parametrize(
    "template",
    [
        "Incorrect API key provided: {}. You can find your API key at https://x.",
        "bad header Authorization: Bearer {}",
        '{{"api_key": "{}"}}',
        "https://user:{}@host/v1 refused",
        "{}",
    ],
)
@pytest.mark.parametrize("secret", [CANARY, "plain-canary-no-known-shape", "sk-proj-****9c51", "canary+/=.~"])
def test_credentials_are_cut_out(template: str, secret: str) -> None:
    """The credential that was sent, and whatever looks like one, is in no field that a client could see."""
    text = template.format(secret)
    body = json.dumps({"error": {"message": text, "type": text, "code": text, "param": text}}).encode()
    sent = "" if "*" in secret else secret
    written = msgspec.json.encode(read_error(401, [], body, secret=sent)).decode()
    assert secret not in written
    assert secret[-4:] not in written
    assert secret not in msgspec.json.encode(explain(json.loads(body), 401, secret=sent)).decode()


def test_long_messages_are_cut() -> None:
    """An upstream cannot make the gateway hold or send megabytes of message."""
    detail = read_error(500, [], json.dumps({"error": {"message": "x y" * 10**6, "code": "c" * 10**6}}).encode())
    assert len(detail.message) <= 4096
    assert len(detail.code or "") <= 128


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ([], None),
        ([(b"retry-after", b"2")], 2.0),
        ([(b"Retry-After", b"0.5")], 0.5),
        ([(b"retry-after", b"9"), (b"retry-after-ms", b"250")], 0.25),
        ([(b"x-ms-retry-after-ms", b"1500")], 1.5),
        ([(b"retry-after", b"Thu, 01 Jan 1970 00:01:40 GMT")], 40.0),
        ([(b"retry-after", b"Thu, 01 Jan 1970 00:00:01 GMT")], 0.0),
        ([(b"retry-after", b"soon")], None),
        ([(b"retry-after", b"-1")], None),
        ([(b"retry-after", b"nan")], None),
        ([(b"retry-after", b"inf")], None),
        ([(b"retry-after", b"1e9")], 86400.0),
        ([(b"retry-after", b"\xff")], None),
        ([(b"retry-after", b"Thu, 99 Jan 1970 00:00:01 GMT")], None),
    ],
)
def test_retry_after_is_read_in_every_spelling(headers: list[tuple[bytes, bytes]], seconds: float | None) -> None:
    """Milliseconds, seconds and HTTP dates are understood, nonsense is ignored, and a day is the longest wait."""
    assert retry_after(headers, now=60.0) == seconds


def test_an_error_that_calls_itself_a_success_is_found() -> None:
    """In a whole reply of status 200: its words without the credential; an answer, or a null error, is none."""
    found = reported_error(b'{"error":{"message":"no room for zq7-key","code":"full"}}', secret="zq7-key")
    assert found is not None
    assert (found.message, found.code, found.status) == (f"no room for {CUT}", "full", 502)
    for body in (b'{"choices":[]}', b'{"error":null,"choices":[]}', b'{"a":{"error":1}}', b'{"error"', b'["error"]'):
        assert reported_error(body) is None


@given(st.integers(0, 40), st.sampled_from([128, 4096]), st.booleans())
def test_no_part_of_a_credential_stays_where_text_is_cut(before: int, length: int, as_code: bool) -> None:
    """Text is cleaned before it is cut to size: a secret that lies across the cut leaves nothing of itself."""
    secret = "PROVIDERCANARY0123456789"
    text = "x" * max(0, length - before) + " " + secret
    body = msgspec.json.encode({"error": {"code" if as_code else "message": text}})
    detail = read_error(400, [], body, secret=secret)
    shown = f"{detail.message} {detail.code}"
    assert not any(secret[:size] in shown for size in range(4, len(secret) + 1))


@given(st.text(alphabet=st.characters(codec=None, categories=["Cs", "Lu", "Zs"]), max_size=20))
def test_an_upstreams_words_can_be_written(text: str) -> None:
    """Whatever stands in `type`, `code` and `param`, lone surrogates too, can go into an answer and a record."""
    detail = explain({"error": {"message": text, "type": text, "code": text, "param": text}}, 502)
    for each in (detail.message, detail.type, detail.code, detail.param):
        assert each is not None
        each.encode("utf-8")


def test_a_reply_that_only_mentions_errors_is_none() -> None:
    """`"error"` inside the text is nobody's error; null is none; an error too long to show is one."""
    assert reported_error(b'{"choices":[{"x":"\\"error\\":"},{"error":1}],"error":null}') is None
    long = msgspec.json.encode({"error": {"message": "m" * 100_000}})
    assert reported_error(long) is not None
