"""`models: auto` in a running gateway: the provider is asked, its list is served, a call to it is priced."""

from __future__ import annotations

from pathlib import Path

import openai

from tests.journey.gate import Gate, Settings, settings
from tests.journey.patience import until
from tests.journey.upstream import Upstream

LISTED = ["up/gpt-4o", "up/gpt-4o-mini", "up/text-embedding-3-small"]  # what the fake says it serves


def automatic(upstream: Upstream) -> Settings:
    config = settings(upstream.url)
    config["providers"]["up"]["kind"] = "openai"
    config["models"] = "auto"
    return config


def test_a_providers_list_is_served_and_kept(upstream: Upstream, tmp_path: Path) -> None:
    """Ready with the catalogue; a moment later with what the provider says itself, and so at once after a restart. A
    listed model is called, priced and counted like one that is named."""
    gate = Gate(tmp_path, automatic(upstream))
    with gate, openai.OpenAI(api_key=gate.token, base_url=gate.url, max_retries=0) as client:
        until(lambda: [model.id for model in client.models.list()] == LISTED, "the provider's own list is served")
        model = client.models.retrieve("up/gpt-4o").to_dict()
        assert (model["context_window"], model["max_output_tokens"]) == (128_000, 16_384)
        assert model["pricing"] == {
            "currency": "USD", "per_tokens": 1_000_000, "input": "2.5", "output": "10", "cached": "1.25",
        }  # fmt: skip
        raw = client.chat.completions.with_raw_response.create(
            model="up/gpt-4o-mini", messages=[{"role": "user", "content": "hi"}]
        )
        usage = raw.parse().usage
        assert usage is not None
        row = gate.record_soon(raw.headers["x-request-id"])
        assert row["target"] == "up/gpt-4o-mini"
        assert row["cost"] == usage.prompt_tokens * 150 + usage.completion_tokens * 600
    again = Gate(tmp_path, automatic(upstream))
    with again, openai.OpenAI(api_key=again.token, base_url=again.url, max_retries=0) as client:
        assert [model.id for model in client.models.list()] == LISTED
