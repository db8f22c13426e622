"""Anthropic's library, Messages."""

from __future__ import annotations

from typing import Any

import anthropic
import httpx2
from anthropic.types import Message

from tests.contract.scene import PICTURE_TEXT, PROMPT, RESULT, SCHEMA, SYSTEM, TOOLS, Scene
from tests.contract.sdk.talk import hooks
from tests.contract.shown import Failed, Finish, Shown, arguments

_FINISH: dict[str | None, Finish] = {
    "end_turn": "stop", "max_tokens": "length", "tool_use": "tools", "refusal": "refusal",
}  # fmt: skip


class MessagesLibrary:
    def __init__(self, origin: str, token: str) -> None:
        self.ids: list[str] = []
        self._http = httpx2.Client(event_hooks=hooks(self.ids))
        self.client = anthropic.Anthropic(api_key=token, base_url=origin, max_retries=0, http_client=self._http)

    def talk(self, model: str, scene: Scene) -> MessagesTalk:
        return MessagesTalk(self.client, model, scene)

    def close(self) -> None:
        self.client.close()


class MessagesTalk:
    def __init__(self, client: anthropic.Anthropic, model: str, scene: Scene) -> None:
        self._client = client
        self.model = model
        content: Any = PROMPT
        if scene.image:
            source = {"type": "base64", "media_type": "image/png", "data": PICTURE_TEXT}
            content = [{"type": "image", "source": source}, {"type": "text", "text": PROMPT}]
        self.messages: list[Any] = [{"role": "user", "content": content}]
        self._more: dict[str, Any] = {"system": SYSTEM, "max_tokens": 4096}
        if scene.tools:
            self._more["tools"] = [
                {"name": name, "description": told, "input_schema": schema} for name, told, schema in TOOLS
            ]
        if scene.schema:
            self._more["output_config"] = {"format": {"type": "json_schema", "schema": SCHEMA}}
        if scene.thinks:
            self._more["thinking"] = {"type": "enabled", "budget_tokens": 2048}

    def say(self, *, stream: bool) -> Shown:
        try:
            if not stream:
                return show(self._client.messages.create(model=self.model, messages=self.messages, **self._more))
            with self._client.messages.stream(model=self.model, messages=self.messages, **self._more) as events:
                ends = [event.type for event in events if event.type == "message_stop"]
                if ends != ["message_stop"]:
                    raise Failed(None, "the stream ended without message_stop")
                return show(events.get_final_message())
        except anthropic.APIStatusError as error:
            # an error event in a stream that began well has the status of its head
            raise Failed(None if error.status_code == 200 else error.status_code, str(error)) from error
        except (anthropic.APIError, httpx2.HTTPError) as error:
            raise Failed(None, str(error)) from error

    def go_on(self, shown: Shown) -> None:
        self.messages.append({"role": "assistant", "content": shown.reply})
        results = [{"type": "tool_result", "tool_use_id": name, "content": RESULT} for name in shown.ids]
        self.messages.append({"role": "user", "content": results})


def show(made: Message) -> Shown:
    used = [block for block in made.content if block.type == "tool_use"]
    usage = made.usage
    details = usage.output_tokens_details
    cached = usage.cache_read_input_tokens or 0
    taken = usage.input_tokens + cached + (usage.cache_creation_input_tokens or 0)
    return Shown(
        words="".join(block.text for block in made.content if block.type == "text"),
        calls=[(block.name, arguments(block.input)) for block in used],
        finish=_FINISH[made.stop_reason],
        usage=(taken, usage.output_tokens, cached, details.thinking_tokens if details else 0),
        thought="".join(block.thinking for block in made.content if block.type == "thinking"),
        ids=[block.id for block in used],
        reply=made.content,
    )
