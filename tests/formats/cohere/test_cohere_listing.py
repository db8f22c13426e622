from __future__ import annotations

from cohere.types.get_model_response import GetModelResponse
from cohere.types.list_models_response import ListModelsResponse

from gateline.formats.cohere.listing import model_object, models_page
from gateline.model.snapshot import Card, Model

KNOWN = Model("command", (), card=Card("Command", "chat", 256_000, 8_000, input=("text", "image"), tools=True))
EMBEDS = Model("embed", (), card=Card("Embed", "embeddings", 512))
BARE = Model("house/é", ())


def test_the_vendors_sdk_reads_the_list() -> None:
    """Names, what may be asked of each, and how much it takes; of what is unknown, nothing is said."""
    page = ListModelsResponse.model_validate_json(models_page([KNOWN, EMBEDS, BARE]))
    known, embeds, bare = page.models
    assert (known.name, known.endpoints, known.context_length) == ("command", ["chat"], 256_000)
    assert known.features == ["tools", "vision"]
    assert (embeds.endpoints, embeds.features) == (["embed"], None)
    assert (bare.name, bare.endpoints, bare.context_length) == ("house/é", ["chat", "embed", "rerank"], None)
    assert page.next_page_token is None
    assert ListModelsResponse.model_validate_json(models_page([])).models == []


def test_one_model_is_an_entry_of_the_list() -> None:
    assert GetModelResponse.model_validate_json(model_object(KNOWN)).name == "command"
