"""The official OpenAI client against a running gateway: what it asks for arrives, and it gets what was sent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import openai
import pytest
import uvloop
from openai.types.chat import ChatCompletionMessageParam

from tests.journey.gate import Gate, settings, tokens_of
from tests.journey.invoice import compare
from tests.journey.upstream import Upstream
from tests.journey.wire import ask, chat, chat_body, request

HI: list[ChatCompletionMessageParam] = [{"role": "user", "content": "hi"}]
MODEL = "gpt-4o-2024-08-06"


@pytest.fixture(scope="module")
def gate(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    models = {"embed": {"targets": [{"provider": "up", "model": "text-embedding-3-small"}]}}
    with Gate(tmp_path_factory.mktemp("gate"), settings(upstream.url, models=models), workers=2) as running:
        yield running


@pytest.fixture
def client(gate: Gate) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key=gate.token, base_url=gate.url, max_retries=0) as made:
        yield made


def play(gate: Gate, story: Callable[[openai.AsyncOpenAI], Awaitable[None]]) -> None:
    async def run() -> None:
        async with openai.AsyncOpenAI(api_key=gate.token, base_url=gate.url, max_retries=0) as made:
            await story(made)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


def test_models_are_listed_and_found(client: openai.OpenAI) -> None:
    """The list has the public names, each can be asked for, and a name that is not there is the client's NotFound."""
    assert [(model.id, model.object) for model in client.models.list()] == [("plain", "model"), ("embed", "model")]
    assert client.models.retrieve("plain").owned_by == "gateline"
    with pytest.raises(openai.NotFoundError) as missing:
        client.models.retrieve("gpt-4o-2024-08-06")
    assert missing.value.code == "model_not_found"


def test_a_chat_is_answered_billed_and_traceable(client: openai.OpenAI, gate: Gate, upstream: Upstream) -> None:
    """One id names the response, the upstream request and the ledger record, which has the tokens the client saw."""
    reply = client.chat.completions.with_raw_response.create(model="plain", messages=HI, max_tokens=5)
    answer = reply.parse()
    assert answer.usage is not None
    assert answer.choices[0].message.content
    request_id = reply.headers["x-request-id"]
    line, row = upstream.line(request_id), gate.record(request_id)
    assert (line.model, line.outcome) == (MODEL, "finished")
    assert tokens_of(row) == (answer.usage.prompt_tokens, answer.usage.completion_tokens, 0, 0)
    assert (row["model"], row["target"], row["status"], row["error"]) == ("plain", f"up/{MODEL}", 200, "")
    assert (row["operation"], row["stream"], row["client_gone"]) == ("chat.completions", 0, 0)
    assert row["usage_source"] == "provider"
    assert row["started"] <= row["first_byte"] <= row["finished"]
    heard = dict(upstream.heard()["headers"])
    assert heard["X-Request-Id"] == request_id


def test_a_stream_assembles_to_the_whole_answer(client: openai.OpenAI, gate: Gate) -> None:
    """Streamed or not: one text; the stream's record has the usage that the client did not ask for."""
    whole = client.chat.completions.create(model="plain", messages=HI, max_tokens=5)
    with client.chat.completions.with_streaming_response.create(
        model="plain", messages=HI, max_tokens=5, stream=True
    ) as reply:
        request_id = reply.headers["x-request-id"]
        chunks = list(reply.parse())
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == whole.choices[0].message.content
    assert all(chunk.usage is None for chunk in chunks)
    assert whole.usage is not None
    row = gate.record(request_id)
    assert tokens_of(row) == (whole.usage.prompt_tokens, whole.usage.completion_tokens, 0, 0)
    assert (row["stream"], row["usage_source"]) == (1, "provider")


def test_usage_is_asked_upstream_and_taken_out_again(gate: Gate, upstream: Upstream) -> None:
    """A client that did not ask gets a stream without the word; the upstream was asked for it."""
    answer = ask(gate.port, chat(gate.token, stream=True))
    assert b"usage" not in answer.body
    assert answer.body.endswith(b"data: [DONE]\n\n")
    assert json.loads(upstream.heard()["body"])["stream_options"] == {"include_usage": True}


def test_usage_is_kept_for_who_asked(client: openai.OpenAI, upstream: Upstream) -> None:
    """With `include_usage` the stream is the upstream's own, byte for byte."""
    stream = client.chat.completions.create(
        model="plain", messages=HI, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 16
    assert json.loads(upstream.heard()["body"])["stream_options"] == {"include_usage": True}


def test_completions_and_embeddings(client: openai.OpenAI, gate: Gate) -> None:
    """The other two operations, whole and streamed, in both codings, each with its record."""
    done = client.completions.create(model="plain", prompt="hi", max_tokens=4)
    parts = client.completions.create(model="plain", prompt="hi", max_tokens=4, stream=True)
    assert "".join(part.choices[0].text for part in parts) == done.choices[0].text
    packed = client.embeddings.create(model="embed", input=["a", "b"], dimensions=8)
    floats = client.embeddings.create(model="embed", input=["a", "b"], dimensions=8, encoding_format="float")
    for one, two in zip(packed.data, floats.data, strict=True):
        assert one.embedding == pytest.approx(two.embedding, rel=1e-6, abs=1e-9)
    reply = client.embeddings.with_raw_response.create(model="embed", input="abc")
    row = gate.record(reply.headers["x-request-id"])
    assert (row["operation"], row["model"], tokens_of(row)[0]) == ("embeddings", "embed", 1)


def test_the_asynchronous_client_holds_many_streams_at_once(gate: Gate) -> None:
    """Thirty streams side by side, each whole."""

    async def story(client: openai.AsyncOpenAI) -> None:
        async def one(number: int) -> tuple[str, str | None]:
            said: list[ChatCompletionMessageParam] = [{"role": "user", "content": f"number {number}"}]
            whole = await client.chat.completions.create(model="plain", messages=said)
            stream = await client.chat.completions.create(model="plain", messages=said, stream=True)
            return "".join([c.choices[0].delta.content or "" async for c in stream]), whole.choices[0].message.content

        texts = await asyncio.gather(*map(one, range(30)))
        assert all(streamed == whole for streamed, whole in texts)
        assert len({whole for _, whole in texts}) > 1

    play(gate, story)


def test_what_the_gateway_need_not_change_is_not_changed(gate: Gate, upstream: Upstream) -> None:
    """Unknown fields, odd numbers, escapes and blanks reach the upstream as written; only the model differs."""
    values = (
        b'"new_field": {"deep" : [1.50e+3, -0, 12345678901234567890.10], "\\u0061":"\\ud83d\\ude00 \\/ \xc3\xa9"},'
        b'"seed":   7, "messages": [ {"role":"user" ,"content":"a\\tb","model":"not this one"} ]'
    )
    body = b'{ "model" : "plain" , ' + values + b"}"
    assert ask(gate.port, request("POST", "/v1/chat/completions", gate.token, body)).status == 200
    heard = upstream.heard()["body"].encode()
    for value in (
        b'{"deep" : [1.50e+3, -0, 12345678901234567890.10], "\\u0061":"\\ud83d\\ude00 \\/ \xc3\xa9"}',
        b'[ {"role":"user" ,"content":"a\\tb","model":"not this one"} ]',
    ):
        assert value in heard
    assert list(json.loads(heard)) == ["model", "new_field", "seed", "messages"]
    assert json.loads(heard)["model"] == MODEL


def test_a_repeated_or_escaped_model_is_read_as_the_upstream_reads_it(gate: Gate, upstream: Upstream) -> None:
    """Of two models the last counts, for the check and for the upstream alike, however its key is written."""
    token, _ = gate.make_key("only-plain", models=("plain",))
    for first, second, status in (("embed", "plain", 200), ("plain", "embed", 403)):
        body = b'{"model":"%b","mod\\u0065l":"%b","messages":[]}' % (first.encode(), second.encode())
        assert ask(gate.port, request("POST", "/v1/chat/completions", token, body)).status == status
    assert upstream.heard()["body"].count('"model"') == 1
    folded = b'{"model":"plain","MODEL":"embed","messages":[]}'
    answer = ask(gate.port, request("POST", "/v1/chat/completions", token, folded))
    assert (answer.status, answer.error["code"], answer.error["param"]) == (400, "unknown_parameter", "model")


@pytest.mark.parametrize("header", ["Authorization: Bearer {}", "x-api-key: {}", "api-key: {}", "x-goog-api-key: {}"])
def test_each_credential_header_is_taken_and_none_goes_on(header: str, gate: Gate, upstream: Upstream) -> None:
    """Four ways to show a key; the upstream sees the provider's alone, and no header that nobody allowed."""
    lines = (header.format(gate.token), "Cookie: c=1", "OpenAI-Organization: org", "X-Forwarded-For: 1.2.3.4")
    answer = ask(gate.port, request("POST", "/v1/chat/completions", "", chat_body(), *lines))
    assert answer.status == 200
    heard = upstream.heard()["headers"]
    assert [value for name, value in heard if name.lower() == "authorization"] == ["Bearer sk-of-the-provider"]
    assert gate.token not in json.dumps(upstream.heard())
    assert {name.lower() for name, _ in heard} == {
        "host", "accept-encoding", "authorization", "user-agent", "x-request-id", "content-type", "content-length",
    }  # fmt: skip


def test_every_answer_has_an_id_of_its_own(gate: Gate) -> None:
    """Whatever is asked, known caller or not, and never twice the same."""
    asked = [chat(gate.token), chat(gate.token, stream=True), chat("sk-gl-no"), chat(""), b"GET / HTTP/3.0\r\n\r\n"]
    asked += [
        request("GET", path, gate.token) for path in ("/v1/models", "/v1/models/no", "/nowhere", "/livez", "/readyz")
    ]
    asked += [request(method, "/v1/models", gate.token) for method in ("OPTIONS", "DELETE", "PUT")]
    ids = [ask(gate.port, data).id for data in asked]
    assert all(ids)
    assert len(set(ids)) == len(ids)


def test_the_totals_that_are_printed_are_those_of_the_ledger(gate: Gate, tmp_path: Path) -> None:
    """`gateline usage --json` counts what the record table holds."""
    rows = gate.records()
    printed = gate.command("usage", "--json")
    assert printed.returncode == 0, printed.stderr
    totals = {total["name"]: total for total in json.loads(printed.stdout)}
    for model in {row["model"] for row in rows}:
        mine = [row for row in rows if row["model"] == model]
        assert totals[model]["requests"] == len(mine)
        assert totals[model]["input_tokens"] == sum(row["input_tokens"] or 0 for row in mine)
        assert totals[model]["errors"] == sum(bool(row["error"]) for row in mine)


def test_the_ledger_is_the_invoice(gate: Gate, upstream: Upstream) -> None:
    """After all of the above: same ids, each once, equal tokens."""
    rows = gate.records()
    assert len(rows) > 60
    compare(rows, upstream.lines())
