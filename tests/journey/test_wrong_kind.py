"""An upstream that answers with the wrong kind of body: a stream where none was asked for, or none where one was."""

from __future__ import annotations

from collections.abc import Iterator

import openai
import pytest

from tests.journey.gate import Gate, settings, tokens_of
from tests.journey.invoice import compare
from tests.journey.upstream import Upstream
from tests.journey.wire import ask, chat

CASES = pytest.mark.parametrize(
    ("fault", "stream"), [(f, s) for f in ("wrong_type", "false_type") for s in (True, False)]
)


@pytest.fixture(scope="module")
def gate(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    target = {"provider": "up", "model": "m", "price": {"input": 1, "output": 2}}
    config = settings(upstream.url, models={"priced": {"targets": [target]}}, retry={"attempts": 1})
    with Gate(tmp_path_factory.mktemp("gate"), config) as running:
        yield running
        compare(running.records(), upstream.lines())


@CASES
def test_it_is_a_502_in_the_clients_format_with_one_record(
    fault: str, stream: bool, gate: Gate, upstream: Upstream
) -> None:
    """The client's library would read an answer without content from it. The record says what it cost where the
    upstream told, and that it is unknown where it did not."""
    answer = ask(gate.port, chat(gate.token, model="priced", stream=stream, metadata={"fake": fault}))
    assert (answer.status, answer.header("content-type")) == (502, "application/json")
    assert (answer.error["code"], answer.error["type"]) == ("upstream_broken", "upstream_error")
    row = gate.record(answer.id)
    assert (row["status"], row["error"], row["stream"]) == (502, "upstream_broken", int(stream))
    assert [(attempt["status"], attempt["error"]) for attempt in row["attempts"]] == [(200, "upstream_broken")]
    if fault == "wrong_type" and stream:
        reported = upstream.line(answer.id).reported
        assert reported is not None
        assert (row["usage_source"], tokens_of(row)[:2]) == ("provider", (reported.input, reported.output))
        assert row["cost"] == reported.input * 1_000 + reported.output * 2_000
    else:
        assert (row["usage_source"], tokens_of(row), row["cost"]) == ("none", (None,) * 4, None)


@CASES
def test_the_official_client_raises(fault: str, stream: bool, gate: Gate) -> None:
    """Never an answer that looks empty."""
    with (
        openai.OpenAI(api_key=gate.token, base_url=gate.url, max_retries=0) as client,
        pytest.raises(openai.InternalServerError, match=r"stream.*asked for") as raised,
    ):
        client.chat.completions.create(model="priced", messages=[], stream=stream, metadata={"fake": fault})
    assert (raised.value.status_code, raised.value.code) == (502, "upstream_broken")
