"""What a sound configuration hardly means is told, and nothing else is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateline.control.config import load
from gateline.control.doubts import doubts


def told(folder: Path, **provider: Any) -> list[str]:
    file = folder / "gateline.yaml"
    file.write_text(
        json.dumps({"providers": {"up": provider}, "models": {"m": {"targets": [{"provider": "up", "model": "x"}]}}})
    )
    return doubts(load(file))


@pytest.mark.parametrize(
    ("provider", "field", "word"),
    [
        ({"kind": "openai"}, "api_key", "missing"),
        ({"kind": "openai", "api_key": "$OPENAI_API_KEY"}, "api_key", "${NAME}"),
        ({"kind": "openai", "api_key": "os.environ/OPENAI_API_KEY"}, "api_key", "${NAME}"),
        ({"kind": "anthropic", "api_keys": ["sk-CANARY", "$B"]}, "api_keys", "${NAME}"),
        ({"kind": "openai-compatible", "base_url": "https://x.example/v1/chat/completions"}, "base_url", "endpoint"),
        ({"kind": "openai-compatible", "base_url": "https://x.example/v1/messages/"}, "base_url", "endpoint"),
        ({"kind": "vllm", "base_url": "http://localhost:8000/v1/v1"}, "base_url", "twice"),
        ({"kind": "openai", "base_url": "https://api.openai.com", "api_key": "k"}, "base_url", "/v1"),
    ],
)
def test_what_is_hardly_meant_is_told(tmp_path: Path, provider: dict[str, Any], field: str, word: str) -> None:
    (said,) = told(tmp_path, **provider)
    assert said.startswith(f"providers.up.{field}: ")
    assert word in said
    assert "CANARY" not in said
    assert "OPENAI_API_KEY" not in said


@pytest.mark.parametrize(
    "provider",
    [
        {"kind": "openai", "api_key": "sk-1"},
        {"kind": "openai", "base_url": "https://proxy.example/openai"},
        {"kind": "ollama"},
        {"kind": "vllm"},
        {"kind": "bedrock", "region": "us-east-1"},
        {"kind": "openai-compatible", "base_url": "http://10.0.0.7:8000/v1"},
        {"kind": "cohere", "base_url": "https://api.cohere.com", "api_key": "k"},
    ],
)
def test_what_is_usual_is_not_doubted(tmp_path: Path, provider: dict[str, Any]) -> None:
    """Keys are no need of servers at an address of one's own."""
    assert told(tmp_path, **provider) == []
