from __future__ import annotations

import json

import pytest
from ollama import ShowResponse

from gateline.formats.ollama.show import VERSION, model_object, read_asked
from gateline.model.errors import BadRequest
from gateline.model.snapshot import Card, Model


def shown(card: Card | None) -> ShowResponse:
    body = model_object(Model("house", (), created=1_700_000_000, card=card))
    return ShowResponse.model_validate_json(body)


def test_a_model_is_shown_as_the_vendors_type_wants_it() -> None:
    """What it can do, and the size of its context where clients look for it."""
    card = Card("House", "chat", 8192, input=("text", "image"), tools=True, reasoning=True)
    found = shown(card)
    assert found.capabilities == ["completion", "tools", "vision", "thinking"]
    assert found.modelinfo is not None
    assert found.modelinfo[f"{found.modelinfo['general.architecture']}.context_length"] == 8192
    assert found.modified_at is not None
    assert found.modified_at.timestamp() == 1_700_000_000
    assert shown(Card("E", "embeddings")).capabilities == ["embedding"]
    assert shown(Card("I", "image")).capabilities == []
    assert shown(None).capabilities == ["completion"]


def test_the_model_asked_for_is_read() -> None:
    """By the field's name of today or of before."""
    assert read_asked(b'{"model":"a","verbose":true}') == "a"
    assert read_asked(b'{"name":"b"}') == "b"
    for body in (b"{}", b'{"model":1}', b"[", b'{"model":""}'):
        with pytest.raises(BadRequest):
            read_asked(body)


def test_the_version_is_one_that_clients_compare() -> None:
    assert all(part.isdecimal() for part in json.loads(VERSION)["version"].split("."))
