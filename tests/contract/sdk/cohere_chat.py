"""Cohere's library, chat of version 2."""

from __future__ import annotations

from typing import Any

import cohere
import httpx
from cohere.core.api_error import ApiError

from tests.contract.scene import PICTURE_TEXT, PROMPT, RESULT, SCHEMA, SYSTEM, TOOLS, Scene
from tests.contract.sdk.talk import hooks
from tests.contract.shown import Failed, Finish, Shown, arguments

_FINISH: dict[str | None, Finish] = {
    "COMPLETE": "stop", "MAX_TOKENS": "length", "TOOL_CALL": "tools", "ERROR_TOXIC": "refusal",
}  # fmt: skip


class CohereLibrary:
    def __init__(self, origin: str, token: str) -> None:
        self.ids: list[str] = []
        self._http = httpx.Client(event_hooks=hooks(self.ids))
        self.client = cohere.ClientV2(token, base_url=origin, max_retries=0, httpx_client=self._http)

    def talk(self, model: str, scene: Scene) -> CohereTalk:
        return CohereTalk(self.client, model, scene)

    def close(self) -> None:
        self._http.close()


class CohereTalk:
    def __init__(self, client: cohere.ClientV2, model: str, scene: Scene) -> None:
        self._client = client
        self.model = model
        content: Any = PROMPT
        if scene.image:
            url = {"url": f"data:image/png;base64,{PICTURE_TEXT}"}
            content = [{"type": "text", "text": PROMPT}, {"type": "image_url", "image_url": url}]
        self.messages: list[Any] = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": content}]
        self._more: dict[str, Any] = {}
        if scene.tools:
            self._more["tools"] = [
                {"type": "function", "function": {"name": name, "description": told, "parameters": schema}}
                for name, told, schema in TOOLS
            ]
        if scene.schema:
            self._more["response_format"] = {"type": "json_object", "json_schema": SCHEMA}
        if scene.thinks:
            self._more["thinking"] = {"type": "enabled", "token_budget": 2048}

    def say(self, *, stream: bool) -> Shown:
        try:
            if stream:
                return self._streamed()
            made = self._client.chat(model=self.model, messages=self.messages, **self._more)
            message = made.message.model_dump(mode="json", exclude_unset=True)
            return show(message, made.finish_reason, made.usage)
        except ApiError as error:
            raise Failed(error.status_code, str(error.body)) from error
        except httpx.HTTPError as error:
            raise Failed(None, str(error)) from error

    def _streamed(self) -> Shown:
        message: dict[str, Any] = {"role": "assistant"}
        ended: Any = None
        for event in self._client.chat_stream(model=self.model, messages=self.messages, **self._more):
            told = event.model_dump(mode="json", exclude_unset=True)
            if event.type == "message-end":
                ended = event.delta
            else:
                grow(message, told)
        if ended is None or ended.finish_reason in {"ERROR", "TIMEOUT"}:
            raise Failed(None, str(ended))
        return show(message, ended.finish_reason, ended.usage)

    def go_on(self, shown: Shown) -> None:
        self.messages.append(shown.reply)
        self.messages += [{"role": "tool", "tool_call_id": name, "content": RESULT} for name in shown.ids]


def grow(message: dict[str, Any], event: dict[str, Any]) -> None:
    """A message by one event: docs.cohere.com/v2/docs/streaming."""
    told = (event.get("delta") or {}).get("message") or {}
    kind = event["type"]
    if kind == "content-start":
        content = message.setdefault("content", [])
        assert event["index"] == len(content), event
        content.append(told["content"])
    elif kind == "content-delta":
        part = message["content"][event["index"]]
        for name, value in told["content"].items():
            part[name] = part.get(name, "") + value if name in {"text", "thinking"} else value
    elif kind == "tool-plan-delta":
        message["tool_plan"] = message.get("tool_plan", "") + told["tool_plan"]
    elif kind == "tool-call-start":
        calls = message.setdefault("tool_calls", [])
        assert event["index"] == len(calls), event
        calls.append(told["tool_calls"])
    elif kind == "tool-call-delta":
        function = message["tool_calls"][event["index"]]["function"]
        function["arguments"] = function.get("arguments", "") + told["tool_calls"]["function"]["arguments"]


def show(message: dict[str, Any], reason: str | None, usage: Any) -> Shown:
    content = message.get("content") or []
    used = message.get("tool_calls") or []
    tokens = usage.tokens
    return Shown(
        words=str(message.get("tool_plan") or "") + "".join(part.get("text") or "" for part in content),
        calls=[(call["function"]["name"], arguments(call["function"].get("arguments"))) for call in used],
        finish=_FINISH[reason],
        usage=(int(tokens.input_tokens), int(tokens.output_tokens), int(usage.cached_tokens or 0), None),
        thought="".join(part.get("thinking") or "" for part in content),
        ids=[call["id"] for call in used],
        reply=message,
    )
