"""Calls that choose for themselves where a vendor sends them: refused to limited keys, of unknown cost to others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateline.model.snapshot import Provider
from gateline.providers.table import TABLE
from tests.gateway.rig import PRICE, TOKEN, Gate, chat, error, model, provider, reply, snapshot, status
from tests.net.transport import on_loop

MODEL = {"model": "anthropic/claude"}


def vendor(kind: str) -> Provider:
    return Provider("up", kind, "http", "127.0.0.1", 9000, "/v1", "sk-of-up")


def asked_of(path: str, **fields: Any) -> bytes:
    body = json.dumps({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "a"}], **fields})
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: {len(body)}\r\n\r\n"
    return (head + body).encode()


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        ("openrouter", {"models": ["openai/gpt-5-pro"]}),
        ("openrouter", {"provider": {"only": ["x"]}}),
        ("openrouter", {"preset": "dear"}),
        ("litellm", {"fallbacks": ["gpt-5-pro"]}),
        ("litellm", {"api_base": "http://h.example"}),
        ("litellm", {"API_Base": "http://h.example"}),
        ("groq", {"compound_custom": {"models": {"answering_model": "x"}}}),
        ("openai-compatible", {"providerOptions": {"gateway": {"models": ["x"]}}}),
        ("openai", {"tools": [{"type": "image_generation", "model": "gpt-image-2"}]}),
        ("openrouter", {"tools": [{"type": "openrouter:advisor", "parameters": MODEL}]}),
        ("openrouter", {"tools": [7, {"type": "function", "parameters": []}, {"type": "a", "parameters": MODEL}]}),
    ],
)
@on_loop
async def test_a_limited_key_cannot_reach_other_models_by_a_field(
    tmp_path: Path, kind: str, field: dict[str, Any]
) -> None:
    """400 with the field's name and the reason, and nothing is sent."""
    gate = Gate(tmp_path, snapshot(model("m", vendor(kind))), models=("m",))
    client = await gate.ask(chat(**field))
    assert status(client) == 400
    told = error(client)
    assert (told["param"], told["code"]) == (next(iter(field)), "key_is_limited")
    assert not gate.connector.opened
    assert gate.record.attempts == []


@pytest.mark.parametrize("field", [{"fallbacks": [{"model": "claude-opus-5"}]}, {"tools": [{"name": "a", **MODEL}]}])
@on_loop
async def test_nor_by_what_an_anthropic_client_can_say(tmp_path: Path, field: dict[str, Any]) -> None:
    """Server-side fallbacks, and tools that ask another model."""
    gate = Gate(tmp_path, snapshot(model("m", vendor("anthropic"))), models=("m",))
    client = await gate.ask(asked_of("/v1/messages", **field))
    assert status(client) == 400
    assert not gate.connector.opened


@on_loop
async def test_nor_by_a_field_of_a_form(tmp_path: Path) -> None:
    """Forms name their fields too."""
    gate = Gate(tmp_path, snapshot(model("m", vendor("litellm"))), models=("m",))
    parts = (("model", "m"), ("fallbacks[]", "gpt-5-pro"), ("file", "sound"))
    body = "".join(f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in parts)
    body += "--b--\r\n"
    head = f"POST /v1/audio/transcriptions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\n"
    head += f"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {len(body)}\r\n\r\n"
    client = await gate.ask((head + body).encode())
    assert status(client) == 400
    assert error(client)["param"] == "fallbacks[]"


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"properties": {"model": {}}}}}]},
        {"metadata": {"models": "a"}},
        {"modalities": ["text"]},
    ],
)
@on_loop
async def test_a_limited_key_may_ask_for_all_else(tmp_path: Path, fields: dict[str, Any]) -> None:
    """A function's argument may be called as it likes."""
    gate = Gate(tmp_path, snapshot(model("m", vendor("openrouter"))), models=("m",))
    client, upstream = await gate.asked(chat(**fields))
    upstream.reply(reply())
    await gate.settle()
    assert status(client) == 200
    assert gate.record.cost == PRICE.input * 2 // 10_000_000 + PRICE.output * 3 // 10_000_000


@on_loop
async def test_a_vendor_that_knows_no_such_field_is_asked(tmp_path: Path) -> None:
    """What it does with the field is its own affair: it has no other model to turn to."""
    gate = Gate(tmp_path, snapshot(model("m", vendor("openai"))), models=("m",))
    await gate.ask(chat(models=["x"]))
    assert gate.connector.opened


@on_loop
async def test_a_call_that_is_translated_loses_the_field(tmp_path: Path) -> None:
    """The body is written anew, without it: there is nothing to refuse."""
    gate = Gate(tmp_path, snapshot(model("m", vendor("groq"))), models=("m",))
    await gate.ask(asked_of("/v1/messages", compound_custom={"models": {}}))
    (upstream,) = gate.connector.opened
    assert b"compound_custom" not in bytes(upstream.transport.out)


@on_loop
async def test_another_target_is_held_to_the_same(tmp_path: Path) -> None:
    """Of several targets each is looked at when its turn comes."""
    first, second = vendor("openrouter"), provider("second")
    gate = Gate(tmp_path, snapshot(model("m", first, second, weights=(1, 1))), models=("m",))
    client = await gate.ask(chat(models=["x"]))
    assert status(client) == 400
    assert not gate.connector.opened


@on_loop
async def test_other_keys_may_route_and_the_cost_is_unknown(tmp_path: Path) -> None:
    """The configured price is another model's, perhaps: the tokens are on record, the cost is not."""
    gate = Gate(tmp_path, snapshot(model("m", vendor("openrouter"))))
    client, upstream = await gate.asked(chat(models=["openai/gpt-5-pro"]))
    assert b'"models":["openai/gpt-5-pro"]' in bytes(upstream.transport.out)
    upstream.reply(reply())
    await gate.settle()
    assert status(client) == 200
    assert gate.record.usage is not None
    assert gate.record.cost is None


def test_field_names_are_compared_without_case() -> None:
    """So they are written in lower case."""
    for row in TABLE.values():
        assert row.routed_by == {name.casefold() for name in row.routed_by}
