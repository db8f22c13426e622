"""Ollama's library, chat."""

from __future__ import annotations

from typing import Any

import httpx
import ollama

from tests.contract.scene import PICTURE, PROMPT, RESULT, SCHEMA, SYSTEM, TOOLS, Scene
from tests.contract.sdk.talk import hooks
from tests.contract.shown import Failed, Finish, Shown, arguments

_FINISH: dict[str | None, Finish] = {"stop": "stop", "length": "length"}


class OllamaLibrary:
    def __init__(self, origin: str, token: str) -> None:
        self.ids: list[str] = []
        self.client = ollama.Client(
            host=origin, headers={"Authorization": f"Bearer {token}"}, event_hooks=hooks(self.ids)
        )

    def talk(self, model: str, scene: Scene) -> OllamaTalk:
        return OllamaTalk(self.client, model, scene)

    def close(self) -> None:
        self.client.close()  # type: ignore[no-untyped-call]


class OllamaTalk:
    def __init__(self, client: ollama.Client, model: str, scene: Scene) -> None:
        self._client = client
        self.model = model
        user: dict[str, Any] = {"role": "user", "content": PROMPT}
        if scene.image:
            user["images"] = [PICTURE]
        self.messages: list[Any] = [{"role": "system", "content": SYSTEM}, user]
        self._more: dict[str, Any] = {}
        if scene.tools:
            self._more["tools"] = [
                {"type": "function", "function": {"name": name, "description": told, "parameters": schema}}
                for name, told, schema in TOOLS
            ]
        if scene.schema:
            self._more["format"] = SCHEMA
        if scene.thinks:
            self._more["think"] = True

    def say(self, *, stream: bool) -> Shown:
        try:
            if not stream:
                return show([self._client.chat(self.model, self.messages, **self._more)])
            return show(list(self._client.chat(self.model, self.messages, stream=True, **self._more)))
        except ollama.ResponseError as error:
            raise Failed(None if error.status_code == -1 else error.status_code, error.error) from error
        except httpx.HTTPError as error:
            raise Failed(None, str(error)) from error

    def go_on(self, shown: Shown) -> None:
        self.messages.append(shown.reply)
        self.messages += [{"role": "tool", "tool_name": name, "content": RESULT} for name, _ in shown.calls]


def show(lines: list[ollama.ChatResponse]) -> Shown:
    last = lines[-1]
    if not last.done:
        raise Failed(None, "the stream ended before it was done")
    words = "".join(line.message.content or "" for line in lines)
    thought = "".join(line.message.thinking or "" for line in lines)
    used = [call for line in lines for call in line.message.tool_calls or []]
    finish = "tools" if used and last.done_reason == "stop" else _FINISH[last.done_reason]
    return Shown(
        words=words,
        calls=[(call.function.name, arguments(call.function.arguments)) for call in used],
        finish=finish,
        usage=(last.prompt_eval_count or 0, last.eval_count or 0, None, None),
        thought=thought,
        ids=["" for _ in used],
        reply=ollama.Message(role="assistant", content=words, thinking=thought or None, tool_calls=used or None),
    )
