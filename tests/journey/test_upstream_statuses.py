"""An upstream's refusal reaches the client as what it was: status, type, code, Retry-After, streamed or not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.journey.gate import Gate, settings
from tests.journey.upstream import Upstream
from tests.journey.wire import ask, chat

# status -> type, code, the SDK's error
GOLDEN: dict[int, tuple[str, str | None, type[openai.APIStatusError]]] = {
    400: ("invalid_request_error", None, openai.BadRequestError),
    401: ("authentication_error", "upstream_key_refused", openai.AuthenticationError),
    403: ("permission_error", "permission_denied", openai.PermissionDeniedError),
    404: ("invalid_request_error", "model_not_found", openai.NotFoundError),
    408: ("invalid_request_error", None, openai.APIStatusError),
    413: ("invalid_request_error", None, openai.APIStatusError),
    429: ("rate_limit_error", "rate_limit_exceeded", openai.RateLimitError),
    500: ("server_error", None, openai.InternalServerError),
    503: ("server_error", None, openai.InternalServerError),
    529: ("server_error", None, openai.InternalServerError),
}


@pytest.fixture(scope="module")
def gate(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    models: dict[str, Any] = {
        f"s{status}{letter}": {"targets": [{"provider": "up", "model": f"{letter}@status={status},retry_after=7"}]}
        for status in GOLDEN
        for letter in "abc"
    }
    with Gate(tmp_path_factory.mktemp("gate"), settings(upstream.url, models=models)) as running:
        yield running


@pytest.mark.parametrize("status", GOLDEN)
def test_a_refusal_keeps_its_status_type_and_wait(status: int, gate: Gate) -> None:
    """Streaming and not are told the same, and the SDK raises the error that belongs to the status."""
    kind, code, raised = GOLDEN[status]
    whole = ask(gate.port, chat(gate.token, model=f"s{status}a"))
    stream = ask(gate.port, chat(gate.token, model=f"s{status}b", stream=True))
    message = f"The fake provider was told to answer {status}."
    for answer in (whole, stream):
        assert (answer.status, answer.header("retry-after")) == (status, "7")
        assert answer.header("content-type") == "application/json"
        assert (answer.error["type"], answer.error["code"]) == (kind, code)
        assert message in answer.error["message"]
        row = gate.record(answer.id)
        assert (row["status"], row["error"]) == (status, code or kind)
        assert [attempt["status"] for attempt in row["attempts"]] == [status]
        assert (row["usage_source"], row["cost"]) == ("none", 0), "known: a refusal costs nothing"
    assert {**whole.error, "message": ""} == {**stream.error, "message": ""}
    with openai.OpenAI(api_key=gate.token, base_url=gate.url, max_retries=0) as client, pytest.raises(raised) as error:
        client.chat.completions.create(model=f"s{status}c", messages=[])
    assert error.value.status_code == status
    assert error.value.code == code


def test_no_answer_at_all_is_a_502_and_a_late_one_a_504(upstream: Upstream, tmp_path: Any) -> None:
    """What the gateway says itself names the provider and says what to do."""
    timeouts = {"first_byte": "200ms", "total": "400ms"}
    provider = {"kind": "openai-compatible", "base_url": upstream.url, "timeouts": timeouts}
    models = {
        "late": {"targets": [{"provider": "hasty", "model": "x@stall"}]},
        "away": {"targets": [{"provider": "up", "model": "x@reset"}]},
        "moved": {"targets": [{"provider": "up", "model": "x@redirect"}]},
    }
    with Gate(tmp_path, settings(upstream.url, providers={"hasty": provider}, models=models)) as gate:
        for stream in (False, True):
            for model, status, code in (
                ("late", 504, "upstream_timeout"),
                ("away", 502, "upstream_unreachable"),
                ("moved", 502, "upstream_broken"),
            ):
                answer = ask(gate.port, chat(gate.token, model=model, stream=stream))
                assert (answer.status, answer.error["code"], answer.error["type"]) == (status, code, "upstream_error")
                assert answer.id in answer.error["message"]
                assert gate.record(answer.id)["status"] == status
