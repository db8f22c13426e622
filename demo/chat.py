"""The steps that a client sees: models, a streamed answer, JSON, an embedding, a revoked key. All with `openai`."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence

import openai
from rich.console import Console
from rich.text import Text

from demo.engines import wait_for_engines
from demo.failed import DemoFailed, must
from demo.gateway import Gateway, run
from demo.stopwatch import Stopwatch

QUESTION = "What is a library? Answer in one short sentence."
SENTENCES = ("The cat sleeps on the sofa.", "A kitten naps on the couch.", "The invoice is due on Friday.")
_READY_SECONDS = 10.0
_SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "country": {"type": "string"}},
    "required": ["city", "country"],
    "additionalProperties": False,
}


def show_local_models(console: Console, gateway: Gateway, watch: Stopwatch) -> None:
    """Raises DemoFailed when a step does not hold."""
    client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.token, max_retries=0, timeout=120)
    try:
        console.print("\n[bold]2  Models[/]   client.models.list(), while they are on their way")
        _list(console, client)
        wait_for_engines(console, gateway, watch)
        _await_ready(client)
        _list(console, client)
        _chat(console, client, watch)
        _json(console, client)
        _embed(console, client)
        _revoke(console, gateway)
    except openai.APIStatusError as error:
        raise DemoFailed(f"the gateway answered {error.status_code}: {error.message}") from error
    except openai.APIError as error:
        raise DemoFailed(f"the gateway did not answer: {error.message}") from error


def _statuses(client: openai.OpenAI) -> dict[str, str]:
    return {model.id: str(getattr(model, "status", "?")) for model in client.models.list()}


def _await_ready(client: openai.OpenAI) -> None:
    """An engine says that it is ready to the log first, and a moment later to the workers."""
    until = time.monotonic() + _READY_SECONDS
    while set(_statuses(client).values()) != {"ready"}:
        must(time.monotonic() < until, "the engines are ready, but /v1/models does not say so")
        time.sleep(0.05)


def _list(console: Console, client: openai.OpenAI) -> None:
    models = _statuses(client)
    must({"local-chat", "local-embed"} <= models.keys(), f"the list of models lacks the local ones: {sorted(models)}")
    console.print("   " + "   ".join(f"[cyan]{name}[/] {status}" for name, status in models.items()))


def _chat(console: Console, client: openai.OpenAI, watch: Stopwatch) -> None:
    console.print("\n[bold]3  Chat[/]     local-chat, each token as it arrives")
    console.print(f"   [dim]>[/] {QUESTION}\n   [dim]<[/] ", end="")
    began = time.monotonic()
    first = total = 0.0
    usage = None
    stream = client.chat.completions.create(
        model="local-chat",
        messages=[{"role": "user", "content": QUESTION}],
        stream=True,
        stream_options={"include_usage": True},
        max_tokens=60,
        temperature=0,
    )
    for chunk in stream:
        piece = chunk.choices[0].delta.content if chunk.choices else None
        if piece:
            if not first:
                first, total = time.monotonic() - began, watch.since_start()
                watch.steps["first token of the answer"] = first
            console.print(Text(piece), end="", style="green")
        usage = chunk.usage or usage
    seconds = time.monotonic() - began
    must(first > 0 and usage is not None, "the streamed answer was empty")
    assert usage is not None
    console.print(
        f"\n   first token after {first * 1000:.0f} ms; {usage.completion_tokens} tokens in {seconds:.1f} s, "
        f"{usage.completion_tokens / seconds:.0f} a second"
    )
    slowest = ", ".join(f"{name} {taken:.1f} s" for name, taken in watch.slowest())
    console.print(f"   [bold]From `make demo` to the first streamed token: {total:.0f} s[/]")
    console.print(f"   slowest steps: {slowest}")


def _json(console: Console, client: openai.OpenAI) -> None:
    console.print("\n[bold]4  JSON[/]     response_format with a schema, which the engine cannot leave")
    reply = client.chat.completions.create(
        model="local-chat",
        messages=[{"role": "user", "content": "Name the capital of France and its country, as JSON."}],
        response_format={"type": "json_schema", "json_schema": {"name": "place", "schema": _SCHEMA, "strict": True}},
        max_tokens=60,
        temperature=0,
    )
    content = reply.choices[0].message.content or ""
    try:
        place = json.loads(content)
    except ValueError:
        raise DemoFailed(f"the JSON answer is none: {content[:200]!r}") from None
    fits = isinstance(place, dict) and place.keys() == {"city", "country"}
    must(
        fits and all(isinstance(value, str) for value in place.values()),
        f"the JSON answer does not follow its schema: {content[:200]!r}",
    )
    console.print(Text(f"   {json.dumps(place)}", style="green"))


def _embed(console: Console, client: openai.OpenAI) -> None:
    console.print("\n[bold]5  Embedding[/]  local-embed")
    rows = client.embeddings.create(model="local-embed", input=list(SENTENCES)).data
    first, near, far = (row.embedding for row in rows)
    near_to, far_to = _cosine(first, near), _cosine(first, far)
    console.print(f"   {SENTENCES[0]!r} in {len(first)} numbers is")
    console.print(f"   {near_to:+.2f} like {SENTENCES[1]!r} and {far_to:+.2f} like {SENTENCES[2]!r}")
    must(near_to > far_to + 0.2, "the embeddings do not tell a cat from an invoice")


def _cosine(one: Sequence[float], other: Sequence[float]) -> float:
    product = sum(a * b for a, b in zip(one, other, strict=True))
    return product / math.sqrt(sum(a * a for a in one) * sum(b * b for b in other))


def _revoke(console: Console, gateway: Gateway) -> None:
    console.print("\n[bold]6  Keys[/]     made, used, revoked, refused")
    key_id, token = gateway.make_key("visitor")
    client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=token, max_retries=0, timeout=120)
    client.embeddings.create(model="local-embed", input="Let me in.")
    console.print("   gateline keys create --name visitor: a call with this key is answered")
    said = run("keys", "revoke", key_id, "--data-dir", str(gateway.data_dir)).strip()
    console.print(f"   gateline keys revoke {key_id}: {said}")
    try:
        client.embeddings.create(model="local-embed", input="Let me in.")
    except openai.AuthenticationError as refusal:
        body = refusal.body if isinstance(refusal.body, dict) else {}
        console.print(Text(f"   the same call again: 401 {body.get('code')}: {body.get('message')}", style="green"))
    else:
        raise DemoFailed("a revoked key was served")
