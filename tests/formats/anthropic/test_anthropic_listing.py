from __future__ import annotations

import json
from datetime import UTC, datetime

from anthropic.pagination import SyncPage
from anthropic.types import ModelInfo

from gateline.formats.anthropic.listing import model_object, models_page
from gateline.model.snapshot import Card, Model

KNOWN = Model("claude", (), created=1_700_000_000, card=Card("Claude", "chat", 200_000, 64_000))
BARE = Model("house/é", ())


def listed(body: bytes) -> list[ModelInfo]:
    """As the vendor's SDK reads them; it would ask for no further page."""
    page = SyncPage[ModelInfo].model_validate_json(body)
    assert not page.has_next_page()
    return page.data


def test_the_vendors_sdk_reads_the_list() -> None:
    """One page: names, titles, limits, and when a model came; what is unknown is None."""
    known, bare = listed(models_page([KNOWN, BARE]))
    assert (known.id, known.display_name, known.type, known.lifecycle) == ("claude", "Claude", "model", "active")
    assert (known.max_input_tokens, known.max_tokens) == (200_000, 64_000)
    assert known.created_at == datetime.fromtimestamp(1_700_000_000, UTC)
    assert (bare.id, bare.display_name, bare.max_tokens) == ("house/é", "house/é", None)
    assert listed(models_page([])) == []


def test_every_field_of_an_entry_is_the_vendors() -> None:
    """Each entry is valid by the vendor's own schema, and the page says where it begins and ends."""
    page = json.loads(models_page([KNOWN, BARE]))
    assert (page["first_id"], page["last_id"], page["has_more"]) == ("claude", "house/é", False)
    for entry in (*page["data"], json.loads(model_object(KNOWN))):
        assert ModelInfo.model_validate(entry).model_extra in ({}, None)
    assert json.loads(models_page([])) == {"data": [], "first_id": None, "last_id": None, "has_more": False}
