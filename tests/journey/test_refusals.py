"""Calls that cannot be served: each gets the right status, says what to do, and leaves one record if its caller is
known, else none but a count."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.journey.gate import Gate, settings
from tests.journey.patience import until
from tests.journey.upstream import Upstream
from tests.journey.wire import Wire, ask, chat, chat_body, request

UNKNOWN_CALLERS = "gateline_unknown_caller_responses_total"


@pytest.fixture(scope="module")
def gate(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    config = settings(
        upstream.url,
        server={"body_bytes": "256KiB", "head_timeout": "400ms", "body_timeout": "400ms", "idle_timeout": "400ms"},
        models={"other": {"targets": [{"provider": "up", "model": "other-upstream"}]}},
    )
    with Gate(tmp_path_factory.mktemp("gate"), config, workers=2) as running:
        yield running


def post(gate: Gate, body: bytes, *lines: str, path: str = "/v1/chat/completions") -> bytes:
    return request("POST", path, gate.token, body, *lines)


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        (b"", "invalid_json", None),
        (b"   ", "invalid_json", None),
        (b"{", "invalid_json", None),
        (b'{"model":"plain",}', "invalid_json", None),
        (b'{"model":"plain"} x', "invalid_json", None),
        (b"[]", "invalid_json", None),
        (b'"plain"', "invalid_json", None),
        (b"null", "invalid_json", None),
        (b'{"model":NaN}', "invalid_json", None),
        (b'\xef\xbb\xbf{"model":"plain"}', "invalid_json", None),
        ('{"model":"plain"}'.encode("utf-16"), "invalid_json", None),
        (b'{"model":"\xff"}', "invalid_value", "model"),
        (b'{"model":"\\ud800"}', None, None),
        (b'{"model":"plain","messages":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "invalid_json", None),
        (b'{"messages":[]}', "missing_required_parameter", "model"),
        (b'{"model":null}', "missing_required_parameter", "model"),
        (b'{"model":""}', "missing_required_parameter", "model"),
        (b'{"model":7}', "invalid_type", "model"),
        (b'{"model":["plain"]}', "invalid_type", "model"),
        (b'{"model":"plain","stream":"yes"}', "invalid_type", "stream"),
        (b'{"model":"plain","stream":1}', "invalid_type", "stream"),
        (b'{"model":"plain","max_tokens":"5"}', "invalid_type", "max_tokens"),
        (b'{"model":"plain","max_tokens":-5}', "invalid_value", "max_tokens"),
        (b'{"model":"plain","user":{}}', "invalid_type", "user"),
        (b'{"model":"plain","stream":true,"stream_options":[]}', "invalid_type", "stream_options"),
        (b'{"model":"plain","Stream":true}', "unknown_parameter", "stream"),
    ],
)
def test_a_body_that_is_no_call_is_400(body: bytes, code: str | None, param: str | None, gate: Gate) -> None:
    """It names the field where there is one, leaves one record, and the connection goes on."""
    with Wire(gate.port) as wire:
        answer = wire.send(post(gate, body)).answer()
        assert answer.status == 400
        assert answer.error["type"] == "invalid_request_error"
        assert answer.error["param"] == param
        if code is not None:
            assert answer.error["code"] == code
        assert wire.send(request("GET", "/livez")).answer().status == 200
    row = gate.record(answer.id)
    assert (row["status"], row["error"], row["attempts"], row["cost"]) == (400, answer.error["code"], [], None)
    assert row["bytes_in"] == len(body)


def test_what_a_vendor_allows_to_be_null_is_allowed(gate: Gate) -> None:
    body = b'{"model":"plain","messages":[],"stream":null,"stream_options":null,"user":null,"max_tokens":null}'
    assert ask(gate.port, post(gate, body)).status == 200


def test_a_stream_of_embeddings_is_refused(gate: Gate) -> None:
    answer = ask(gate.port, post(gate, b'{"model":"plain","input":"x","stream":true}', path="/v1/embeddings"))
    assert (answer.status, answer.error["param"]) == (400, "stream")


def test_unknown_and_forbidden_models(gate: Gate) -> None:
    """404 and 403 as the client's own errors, with a record each; a key's list has only what it may use."""
    token, _ = gate.make_key("plain-only", models=("plain",))
    with openai.OpenAI(api_key=token, base_url=gate.url, max_retries=0) as client:
        with pytest.raises(openai.NotFoundError) as unknown:
            client.chat.completions.create(model="no-such", messages=[])
        with pytest.raises(openai.PermissionDeniedError) as forbidden:
            client.chat.completions.create(model="other", messages=[])
        assert [model.id for model in client.models.list()] == ["plain"]
        with pytest.raises(openai.NotFoundError):
            client.models.retrieve("other")
        assert client.chat.completions.create(model="plain", messages=[]).choices
    assert (unknown.value.code, forbidden.value.code) == ("model_not_found", "model_not_allowed")
    for error, status in ((unknown, 404), (forbidden, 403)):
        row = gate.record(error.value.response.headers["x-request-id"])
        assert (row["status"], row["target"], row["attempts"]) == (status, "", [])


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ((), "missing_api_key"),
        (("Authorization: Bearer",), "missing_api_key"),
        (("Authorization: Bearer sk-gl-wrong",), "invalid_api_key"),
        (("Authorization: Basic dTpw",), "missing_api_key"),
        (("x-api-key: " + "k" * 5_000,), "invalid_api_key"),
        (("api-key: sk-gl-\xe9",), "invalid_api_key"),
    ],
)
def test_a_caller_without_a_key_is_401(lines: tuple[str, ...], code: str, gate: Gate) -> None:
    """No record is written, one is counted; asked again, the answer is the same."""
    before, count = gate.records(), gate.metric(UNKNOWN_CALLERS, 'status="401"')
    for _ in range(2):
        answer = ask(gate.port, request("POST", "/v1/chat/completions", "", chat_body(), *lines))
        assert (answer.status, answer.error["code"]) == (401, code)
        assert "gateline keys create" in answer.error["message"]
    assert gate.records() == before
    until(lambda: gate.metric(UNKNOWN_CALLERS, 'status="401"') == count + 2, "both are counted")


def test_a_revoked_key_is_401_and_says_so(gate: Gate) -> None:
    token, key = gate.make_key("leaves")
    gate.settle()
    assert ask(gate.port, chat(token)).status == 200
    assert gate.command("keys", "revoke", key.id).returncode == 0
    answer = ask(gate.port, chat(token))
    assert (answer.status, answer.error["code"]) == (401, "revoked_api_key")


def test_two_different_credentials_are_400(gate: Gate) -> None:
    """Whom one hop takes, the next need not: refused before either is looked at; the same one twice is fine."""
    two = ask(gate.port, chat(gate.token, "x-api-key: sk-gl-other"))
    assert (two.status, two.error["code"]) == (400, "ambiguous_credentials")
    assert ask(gate.port, chat(gate.token, f"x-api-key: {gate.token}")).status == 200


def test_paths_and_methods_that_are_not_there(gate: Gate) -> None:
    """404 and 405 with what would be right; the connection goes on."""
    with Wire(gate.port) as wire:
        nowhere = wire.send(request("GET", "/v1/nowhere?q=1", gate.token)).answer()
        assert (nowhere.status, nowhere.error["code"]) == (404, "not_found")
        wrong = wire.send(request("GET", "/v1/chat/completions", gate.token)).answer()
        assert (wrong.status, wrong.header("allow")) == (405, "POST, OPTIONS")
        wrong = wire.send(request("DELETE", "/v1/models/plain", gate.token)).answer()
        assert (wrong.status, wrong.header("allow")) == (405, "GET, HEAD, OPTIONS")
        assert wire.send(chat(gate.token)).answer().status == 200


def bomb() -> bytes:
    return gzip.compress(b'{"model":"plain","x":"' + b"0" * 100_000_000 + b'"}', 9)


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        (chat_body(filler="x" * 300_000), ()),
        (b"4a000\r\n" + b"x" * 0x4A000 + b"\r\n0\r\n\r\n", ("Transfer-Encoding: chunked",)),
        (bomb(), ("Content-Encoding: gzip",)),
    ],
    ids=["length", "chunked", "gzip"],
)
def test_a_body_over_the_limit_is_413(body: bytes, lines: tuple[str, ...], gate: Gate) -> None:
    """However its size shows; one record, and the connection ends."""
    announced = None if lines and "chunked" in lines[0] else body
    head = request("POST", "/v1/chat/completions", gate.token, announced, *lines)
    with Wire(gate.port) as wire:
        wire.send_while_it_takes(head if announced is not None else head + body)
        answer = wire.answer()
        assert (answer.status, answer.error["code"]) == (413, "request_too_large")
        assert answer.header("connection") == "close"
        assert wire.rest() == b""
    row = gate.record(answer.id)
    assert (row["status"], row["error"], row["attempts"]) == (413, "request_too_large", [])


def test_a_coded_body_is_read_and_what_is_no_coding_is_refused(gate: Gate, upstream: Upstream) -> None:
    packed = gzip.compress(chat_body())
    assert ask(gate.port, post(gate, packed, "Content-Encoding: gzip")).status == 200
    assert json.loads(upstream.heard()["body"])["messages"]
    assert ask(gate.port, post(gate, chat_body(), "Content-Encoding: gzip")).status == 400
    assert ask(gate.port, post(gate, packed[:-9], "Content-Encoding: gzip")).status == 400
    assert ask(gate.port, post(gate, packed, "Content-Encoding: br")).status == 415


def test_slow_heads_bodies_and_idlers_are_ended(gate: Gate) -> None:
    """408 for what was begun, a plain end for what was not; the body's caller is known and has its record."""
    with Wire(gate.port) as idle, Wire(gate.port) as head, Wire(gate.port) as body:
        head.send(b"GET /livez HTTP/1.1\r\nHo")
        body.send(chat(gate.token)[:-5])
        assert idle.rest() == b""
        late = head.answer()
        assert (late.status, late.error["code"], late.header("connection")) == (408, "request_timeout", "close")
        slow = body.answer()
        assert (slow.status, slow.error["code"], slow.header("connection")) == (408, "request_timeout", "close")
    assert gate.record(slow.id)["status"] == 408


def test_garbage_from_outside_leaves_no_record_and_names_no_model(gate: Gate) -> None:
    """Unknown callers write nothing, and a known caller's invention makes no series of its own."""
    before = len(gate.records())
    for data in (chat("sk-gl-x", model="invented-1"), request("GET", "/invented-2"), b"\x00\x01\r\n\r\n"):
        assert ask(gate.port, data).status >= 400
    assert len(gate.records()) == before
    assert ask(gate.port, chat(gate.token, model="invented-3")).status == 404
    rows: list[dict[str, Any]] = gate.records()
    assert (len(rows), rows[-1]["model"]) == (before + 1, "")
    assert "invented" not in gate.metrics_text()
