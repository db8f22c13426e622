"""The vendors of the contract: what each speaks, and what it can tell of an answer at all."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Literal

from gateline.fake.answer import Answer
from gateline.fake.seal import make_seal
from gateline.model.call import Operation
from tests.contract.shown import Finish

Maker = Literal["", "anthropic", "gemini", "openai"]


@dataclass(frozen=True, slots=True)
class Vendor:
    """`root`: the path of its API at the fake. `hidden`: events of a stream ahead of what a client sees. `maker`: whose
    seals it makes and takes. `refusal`: what its format says of one; `mute`: its words are not told."""

    title: str
    kind: str
    operation: Operation
    root: str
    model: str
    hidden: int
    maker: Maker = ""
    refusal: Finish = "refusal"
    mute: bool = False

    def seal(self, answer: Answer) -> str:
        """The one seal in an answer that reasons and calls a tool, as it stands in a body."""
        if self.operation == "generate_content":
            return make_seal("gemini", answer.id, answer.calls[0].name)
        if self.operation == "responses":
            return make_seal("openai", answer.id, "")
        seal = make_seal("anthropic", answer.id, "".join(answer.thought or []))
        is_bytes = self.operation == "converse" and not answer.thought
        return base64.b64encode(seal.encode()).decode() if is_bytes else seal


VENDORS: dict[str, Vendor] = {
    "chat": Vendor("OpenAI Chat", "openai-compatible", "chat.completions", "/v1", "gpt-4o", 1),
    "responses": Vendor("OpenAI Responses", "openai-responses", "responses", "/v1", "gpt-5.1", 2, "openai"),
    "anthropic": Vendor(
        "Anthropic Messages", "anthropic", "messages", "/v1", "claude-sonnet-4-5", 2, "anthropic", mute=True
    ),
    "gemini": Vendor("Gemini", "gemini", "generate_content", "/v1beta", "gemini-2.5-flash", 0, "gemini", mute=True),
    "bedrock": Vendor(
        "Bedrock Converse", "bedrock", "converse", "", "anthropic.claude-sonnet-4-5-20250929-v1:0", 1, "anthropic"
    ),
    "cohere": Vendor("Cohere v2", "cohere", "cohere.chat", "", "command-a-03-2025", 1, refusal="stop"),
    "ollama": Vendor("Ollama", "ollama", "ollama.chat", "", "qwen3:8b", 0, refusal="stop"),
}
