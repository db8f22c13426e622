"""Calls over 256 KiB between formats: another process writes them, their answers come back as those of small ones."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from gateline.fake.script import Script
from gateline.gateway.translate import APART_FROM
from tests.journey.gate import Gate, settings, tokens_of
from tests.journey.upstream import Upstream
from tests.journey.wire import Answer, ask, request

_PATHS = {"chat": "/v1/chat/completions", "messages": "/v1/messages"}
_MODELS = {"chat": "claude", "messages": "plain"}  # of the other format
_TEXT = "Grüße " * (APART_FROM // 3)


@pytest.fixture(scope="module")
def large_upstream() -> Iterator[Upstream]:
    with Upstream(Script(tokens=100_000, chunk_tokens=2_000)) as running:
        yield running


@pytest.fixture(scope="module")
def gate(large_upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    config = settings(
        large_upstream.url,
        providers={"an": {"kind": "anthropic", "base_url": large_upstream.url, "api_key": "sk-ant"}},
        models={"claude": {"targets": [{"provider": "an", "model": "claude-x"}]}},
    )
    with Gate(tmp_path_factory.mktemp("gate"), config) as running:
        running.settle()
        yield running


def asked(gate: Gate, form: str, *lines: str, **fields: Any) -> Answer:
    said = {"model": _MODELS[form], "max_tokens": 100_000, "messages": [{"role": "user", "content": _TEXT}]}
    body = json.dumps({**said, **fields}, ensure_ascii=False).encode()
    return ask(gate.port, request("POST", _PATHS[form], gate.token, body, *lines))


def text_of(form: str, answer: Answer) -> str:
    if answer.header("content-type") == "application/json":
        whole = answer.json()
        return str(whole["choices"][0]["message"]["content"] if form == "chat" else whole["content"][0]["text"])
    events = [json.loads(line[6:]) for line in answer.body.decode().splitlines() if line.startswith("data: {")]
    if form == "chat":
        return "".join(each["choices"][0]["delta"].get("content") or "" for each in events if each["choices"])
    return "".join(each["delta"]["text"] for each in events if each["type"] == "content_block_delta")


@pytest.mark.parametrize("form", ["chat", "messages"])
def test_a_large_call_and_its_large_answer_are_translated(form: str, gate: Gate, large_upstream: Upstream) -> None:
    """Whole and as a stream, in both directions: the vendor gets every word, and so does the client."""
    texts = set()
    for stream in (False, True):
        answer = asked(gate, form, stream=stream)
        assert answer.status == 200, answer.body[:500]
        texts.add(text_of(form, answer))
        heard = large_upstream.heard()
        assert heard["target"] != _PATHS[form]
        assert _TEXT in heard["body"]
        assert tokens_of(gate.record(answer.id))[1] == 100_000
    (text,) = texts
    assert len(text) > APART_FROM


def test_what_it_could_not_carry_is_told_as_of_a_small_one(gate: Gate) -> None:
    """A strict caller is refused, with the field."""
    assert asked(gate, "chat", seed=3).header("x-gateline-dropped") == "seed"
    refused = asked(gate, "chat", "x-gateline-strict: true", seed=3)
    assert (refused.status, refused.error["code"], refused.error["param"]) == (400, "untranslatable", "seed")


def test_a_call_that_is_none_is_refused_and_costs_no_other(gate: Gate) -> None:
    """With its field named, at once; the next call is served."""
    for fields in ({"seed": 2**65}, {"messages": [{"role": "x" * 70_000, "content": _TEXT}]}):
        refused = asked(gate, "chat", **fields)
        assert (refused.status, refused.error["type"]) == (400, "invalid_request_error")
    assert asked(gate, "chat", max_tokens=5).status == 200
