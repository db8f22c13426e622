"""Asks one model through each framework, with base URL and key changed and nothing else. Runs in `.venv-frameworks`.

Prints a JSON object: what each was answered, by its name.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from langchain_anthropic import ChatAnthropic
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from llama_index.core.llms import ChatMessage
from llama_index.llms.openai_like import OpenAILike
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

PROMPT = "Where does the line go?"


@tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


def ask_langchain(origin: str, token: str, model: str, caller: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    chats: dict[str, Any] = {
        "langchain-openai": ChatOpenAI(model=model, base_url=f"{origin}/v1", api_key=token, max_retries=0),
        "langchain-anthropic": ChatAnthropic(model=model, base_url=origin, api_key=token, max_retries=0),
    }
    callers: dict[str, Any] = {
        "langchain-openai": ChatOpenAI(model=caller, base_url=f"{origin}/v1", api_key=token, max_retries=0),
        "langchain-anthropic": ChatAnthropic(model=caller, base_url=origin, api_key=token, max_retries=0),
    }
    for name, chat in chats.items():
        found[f"{name}, whole"] = chat.invoke(PROMPT).text
        found[f"{name}, streamed"] = "".join(chunk.text for chunk in chat.stream(PROMPT))
        called = callers[name].bind_tools([weather]).invoke(PROMPT).tool_calls
        found[f"{name}, tool"] = [[call["name"], call["args"]] for call in called]
    return found


def ask_llama_index(origin: str, token: str, model: str) -> dict[str, Any]:
    # its own default of 0.1 is refused by models that reason, whoever asks them
    made = OpenAILike(
        model=model, api_base=f"{origin}/v1", api_key=token, is_chat_model=True, max_retries=0, temperature=1.0
    )
    messages = [ChatMessage(role="user", content=PROMPT)]
    return {
        "llama-index, whole": made.chat(messages).message.content,
        "llama-index, streamed": "".join(part.delta or "" for part in made.stream_chat(messages)),
    }


def ask_pydantic_ai(origin: str, token: str, model: str) -> dict[str, Any]:
    made = OpenAIChatModel(model, provider=OpenAIProvider(base_url=f"{origin}/v1", api_key=token))
    return {"pydantic-ai, whole": Agent(made).run_sync(PROMPT).output}


def main() -> None:
    origin, token, model, caller = sys.argv[1:]
    found = ask_langchain(origin, token, model, caller)
    found |= ask_llama_index(origin, token, model) | ask_pydantic_ai(origin, token, model)
    print(json.dumps(found))  # noqa: T201 - what the caller reads


if __name__ == "__main__":
    main()
