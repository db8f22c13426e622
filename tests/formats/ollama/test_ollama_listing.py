from __future__ import annotations

import json
from datetime import UTC, datetime

from ollama import ListResponse

from gateline.formats.ollama.listing import models_page
from gateline.model.snapshot import Model


def test_the_vendors_types_read_the_list() -> None:
    """Names in order, each with a digest of its own, as `ollama list` shows them."""
    body = models_page([Model("openai/gpt-5", (), created=1_700_000_000), Model("house", ())])
    first, second = ListResponse.model_validate_json(body).models
    assert (first.model, second.model) == ("openai/gpt-5", "house")
    assert first.modified_at == datetime.fromtimestamp(1_700_000_000, UTC)
    assert first.digest != second.digest
    assert first.details is not None
    assert [entry["name"] for entry in json.loads(body)["models"]] == ["openai/gpt-5", "house"]
    assert ListResponse.model_validate_json(models_page([])).models == []
