from __future__ import annotations

import json

import httpx
from google import genai
from google.genai import types

from gateline.formats.gemini.listing import model_object, models_page
from gateline.model.snapshot import Card, Model

CHAT = Model("up/gemini-3.5-flash", (), card=Card("Gemini 3.5 Flash", "chat", 1_048_576, 65_536, reasoning=True))
EMBED = Model("embed", (), card=Card("", "embeddings", 8_192))
BARE = Model("house", ())


def listed(body: bytes) -> list[types.Model]:
    """As the vendor's SDK gives them, its transport answered with `body`."""
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=body, headers={"x": "y"}))
    options = types.HttpOptions(httpx_client=httpx.Client(transport=transport))
    with genai.Client(api_key="k", http_options=options) as client:
        return list(client.models.list())


def test_the_vendors_sdk_reads_the_list() -> None:
    """Names, limits and what a model is good for, as `client.models.list()` has them; unknown limits are None."""
    models = listed(models_page([CHAT, EMBED, BARE]))
    assert [(model.name, model.display_name) for model in models] == [
        ("models/up/gemini-3.5-flash", "Gemini 3.5 Flash"),
        ("models/embed", "embed"),
        ("models/house", "house"),
    ]
    assert [(model.input_token_limit, model.output_token_limit) for model in models] == [
        (1_048_576, 65_536),
        (8_192, None),
        (None, None),
    ]
    assert "generateContent" in (models[0].supported_actions or [])
    assert models[1].supported_actions == ["embedContent", "batchEmbedContents"]
    assert {"generateContent", "embedContent"} <= set(models[2].supported_actions or [])
    assert listed(models_page([])) == []


def test_one_model_is_an_entry_of_the_list() -> None:
    assert json.loads(model_object(CHAT)) == json.loads(models_page([CHAT]))["models"][0]
    assert json.loads(model_object(CHAT))["thinking"] is True
