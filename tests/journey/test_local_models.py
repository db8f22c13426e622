"""Local models through the whole gateway: the official client, a batch, an engine killed under 16 streams."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from gateline.model.engine import FromEngine, State
from gateline.net.link import Link
from tests.journey.gate import Gate, settings
from tests.journey.patience import until, until_async
from tests.journey.upstream import Upstream

pytestmark = pytest.mark.local

_LOADED = 300.0  # seconds: on a fresh machine the weights are fetched first
_STREAMS = 16
_SOON = 2.0  # seconds beyond the load time within which a killed engine serves again; what it takes: the benchmarks
_LONG: list[ChatCompletionMessageParam] = [
    {"role": "user", "content": "Count from one to one thousand in words, one number after the other."}
]


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory, upstream: Upstream) -> Iterator[Gate]:
    folder: Path = tmp_path_factory.mktemp("local")
    models: dict[str, dict[str, str]] = {"local-chat": {}, "local-embed": {}}
    with Gate(folder, settings(upstream.url, models=models), workers=2) as running:
        for model in models:
            until(partial(_is_ready, running, model), f"{model} is loaded", within=_LOADED)
        yield running


def _status(gate: Gate, model: str) -> str:
    page = httpx.get(f"{gate.url}/models/{model}", headers={"authorization": f"Bearer {gate.token}"})
    return str(page.json()["status"])


def _is_ready(gate: Gate, model: str) -> bool:
    return _status(gate, model) == "ready"


def _engine_pid(engine: str) -> int:
    """The process of this gateway's engine, found as a person would find it."""
    mine = {os.getpid()}
    found = 0
    for folder in sorted(Path("/proc").glob("[0-9]*"), key=lambda path: int(path.name)):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError, ValueError):
            continue
        if parent in mine:
            mine.add(int(folder.name))
            if b"gateline.app.engine" in words and engine.encode() in words:
                found = int(folder.name)
    assert found, f"no process runs {engine}"
    return found


def test_the_official_client_chats_and_embeds_locally(gate: Gate) -> None:
    """A streamed answer, a whole one and an embedding come from the local models, with usage from the engine."""
    client = openai.OpenAI(base_url=gate.url, api_key=gate.token, max_retries=0)
    question: list[ChatCompletionMessageParam] = [{"role": "user", "content": "What is the capital of France?"}]
    whole = client.chat.completions.create(
        model="local-chat",
        messages=question,
        temperature=0,
        max_tokens=12,
    )
    stream = client.chat.completions.create(
        model="local-chat",
        messages=question,
        temperature=0,
        max_tokens=12,
        stream=True,
    )
    streamed = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
    assert "Paris" in streamed
    assert streamed == whole.choices[0].message.content
    embedding = client.embeddings.create(model="local-embed", input="a sentence")
    assert len(embedding.data[0].embedding) == 384
    rows = [row for row in gate.records() if row["model"].startswith("local-")]
    assert len(rows) == 3
    assert {row["usage_source"] for row in rows} == {"provider"}
    assert {row["cost"] for row in rows} == {0}
    assert all(row["engine_cpu"] > 0 for row in rows)


def test_sixteen_chats_run_as_one_batch(gate: Gate) -> None:
    """The engine reports more than eight sequences in one step while sixteen chats are open."""
    batches: list[int] = []

    def note(message: object) -> None:
        if isinstance(message, State):
            batches.append(message.batch)

    async def chats() -> None:
        link = Link(
            gate.data.engine_socket("local-chat"), FromEngine, receive=note, opened=lambda: None, lost=lambda: None
        )
        link.start()
        async with openai.AsyncOpenAI(base_url=gate.url, api_key=gate.token, max_retries=0) as client:
            calls = [
                client.chat.completions.create(model="local-chat", messages=_LONG, max_tokens=48)
                for _ in range(_STREAMS)
            ]
            await asyncio.gather(*calls)
        link.close()

    asyncio.run(chats())
    assert max(batches) > 8


def test_a_killed_engine_ends_its_streams_in_band_and_serves_again(gate: Gate) -> None:
    """Sixteen open streams each end in an error event and one record; another model does not notice; the engine
    comes back by itself."""
    before = {row["id"] for row in gate.records()}

    async def story() -> list[list[str]]:
        async with httpx.AsyncClient(
            base_url=gate.url, headers={"authorization": f"Bearer {gate.token}"}, timeout=60
        ) as client:
            heard: list[list[str]] = [[] for _ in range(_STREAMS)]
            streams = [asyncio.create_task(_listen(client, lines)) for lines in heard]
            await until_async(lambda: all(len(lines) > 2 for lines in heard), "every stream has begun", within=60)
            os.kill(_engine_pid("local-chat"), signal.SIGKILL)
            other = await client.post("/chat/completions", json={"model": "plain", "messages": _LONG})
            assert other.status_code == 200
            await asyncio.gather(*streams)
            return heard

    for lines in asyncio.run(story()):
        assert '"error"' in lines[-1]
        assert "[DONE]" not in lines[-1]
    rows = [row for row in gate.records() if row["id"] not in before and row["model"] == "local-chat"]
    assert len(rows) == _STREAMS
    assert {row["error"] for row in rows} == {"upstream_broken"}
    assert {row["usage_source"] for row in rows} == {"none"}
    until(lambda: _status(gate, "local-chat") != "ready", "the gateway says that the model is away")
    until(lambda: _status(gate, "local-chat") == "ready", "the model serves again", within=_LOADED)
    assert _restarted(gate) <= _SOON
    client = openai.OpenAI(base_url=gate.url, api_key=gate.token, max_retries=0)
    again = client.chat.completions.create(model="local-chat", messages=_LONG, max_tokens=4)
    assert again.choices[0].message.content


def _restarted(gate: Gate) -> float:
    """The pause in seconds that the supervisor chose before it started the killed engine again. Fails unless, after
    that, the log tells of one start and one load, and of nothing that held them up."""
    story = [json.loads(line) for line in gate.log().splitlines()]
    (died,) = [place for place, line in enumerate(story) if line["event"] == "process_died"]
    assert (story[died]["process"], story[died]["how"]) == ("engine-local-chat", "signal 9")
    after = [line for line in story[died:] if line.get("engine") == "local-chat"]
    assert (after[0]["event"], after[-1]["event"]) == ("engine started", "engine ready")
    assert [line["level"] for line in after] == ["info"] * len(after)
    assert after[-1]["load_seconds"] > 0
    assert len([line for line in after if line["event"] == "engine started"]) == 1
    return float(story[died]["restart_in"])


async def _listen(client: httpx.AsyncClient, lines: list[str]) -> None:
    body = {"model": "local-chat", "messages": _LONG, "stream": True, "max_tokens": 2000}
    async with client.stream("POST", "/chat/completions", json=body) as reply:
        assert reply.status_code == 200
        async for line in reply.aiter_lines():
            lines += [line[6:]] if line.startswith("data: ") else []
