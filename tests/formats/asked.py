"""Calls as clients send them, read; and who is there to be asked."""

from __future__ import annotations

import json
from typing import Any

from gateline.formats.call import read_call
from gateline.formats.contract import Ask
from gateline.formats.table import SERVERS
from gateline.model.call import Operation

IN_PATH = frozenset({"generate_content", "converse", "embed_content", "batch_embed_contents"})
# Vendors' formats, each with a vendor that speaks it and a model of its own.
CHATS: list[tuple[Operation, str, str]] = [
    ("chat.completions", "openai", "gpt-5"),
    ("responses", "openai-responses", "gpt-5"),
    ("messages", "anthropic", "claude-sonnet-4-5"),
    ("generate_content", "gemini", "gemini-2.5-pro"),
    ("converse", "bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
    ("cohere.chat", "cohere", "command-a-03-2025"),
    ("ollama.chat", "ollama", "qwen3"),
]


def read(operation: Operation, fields: dict[str, Any]) -> Ask:
    """Raises BadRequest."""
    body = json.dumps(fields).encode()
    model, stream = ("m", False) if operation in IN_PATH else ("", None)
    ask: Ask = SERVERS[operation].read(read_call(body, operation, model, stream), body)
    return ask
