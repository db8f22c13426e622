"""The clients of the contract: vendors' own libraries, which change nothing but base URL and key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gateline.model.call import Operation
from tests.contract.sdk.anthropic_messages import MessagesLibrary
from tests.contract.sdk.botocore_converse import ConverseLibrary
from tests.contract.sdk.cohere_chat import CohereLibrary
from tests.contract.sdk.google_genai import GenaiLibrary
from tests.contract.sdk.ollama_chat import OllamaLibrary
from tests.contract.sdk.openai_chat import ChatLibrary
from tests.contract.sdk.openai_responses import ResponsesLibrary
from tests.contract.sdk.talk import Library


@dataclass(frozen=True, slots=True)
class Speaker:
    """`keeps_seals`: what it sends back of an answer has the seals in it. `refuses`: it can be told of a refusal."""

    title: str
    operation: Operation
    open: Callable[[str, str], Library]
    keeps_seals: bool = True
    refuses: bool = True


SPEAKERS: dict[str, Speaker] = {
    "openai-chat": Speaker("OpenAI Chat (`openai`)", "chat.completions", ChatLibrary),
    "openai-responses": Speaker("OpenAI Responses (`openai`)", "responses", ResponsesLibrary),
    "anthropic": Speaker("Anthropic Messages (`anthropic`)", "messages", MessagesLibrary),
    "google-genai": Speaker("Gemini (`google-genai`)", "generate_content", GenaiLibrary),
    "botocore": Speaker("Bedrock Converse (`botocore`)", "converse", ConverseLibrary),
    "cohere": Speaker("Cohere v2 (`cohere`)", "cohere.chat", CohereLibrary, refuses=False),
    "ollama": Speaker("Ollama (`ollama`)", "ollama.chat", OllamaLibrary, keeps_seals=False, refuses=False),
}
