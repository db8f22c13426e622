"""OpenAI's library, chat completions."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import openai
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion
from openai.types.chat.chat_completion import Choice

from tests.contract.scene import PICTURE_TEXT, PROMPT, RESULT, SCHEMA, SYSTEM, TOOLS, Scene
from tests.contract.sdk.talk import hooks
from tests.contract.shown import Counts, Failed, Finish, Shown, arguments

_FINISH: dict[str | None, Finish] = {
    "stop": "stop", "length": "length", "tool_calls": "tools", "content_filter": "refusal",
}  # fmt: skip


class ChatLibrary:
    def __init__(self, origin: str, token: str) -> None:
        self.ids: list[str] = []
        self._http = httpx2.Client(event_hooks=hooks(self.ids))
        self.client = openai.OpenAI(api_key=token, base_url=f"{origin}/v1", max_retries=0, http_client=self._http)

    def talk(self, model: str, scene: Scene) -> ChatTalk:
        return ChatTalk(self.client, model, scene)

    def close(self) -> None:
        self.client.close()


class ChatTalk:
    def __init__(self, client: openai.OpenAI, model: str, scene: Scene) -> None:
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
            self._more["response_format"] = {
                "type": "json_schema", "json_schema": {"name": "where", "schema": SCHEMA, "strict": True},
            }  # fmt: skip
        if scene.thinks:
            self._more["reasoning_effort"] = "low"

    def say(self, *, stream: bool) -> Shown:
        try:
            if not stream:
                made = self._client.chat.completions.create(model=self.model, messages=self.messages, **self._more)
                return show(made)
            state: ChatCompletionStreamState[Any] = ChatCompletionStreamState()
            chunks = self._client.chat.completions.create(
                model=self.model, messages=self.messages, stream=True, stream_options={"include_usage": True},
                **self._more,
            )  # fmt: skip
            for chunk in chunks:
                if chunk.choices and chunk.choices[0].finish_reason in {"length", "content_filter"}:
                    # the library's state raises for these ends; its snapshot is what a caller of `create` has
                    self._keep(state, chunk)
                else:
                    state.handle_chunk(chunk)
            return show(state.current_completion_snapshot)
        except openai.APIStatusError as error:
            raise Failed(error.status_code, str(error)) from error
        except (openai.APIError, httpx2.HTTPError) as error:
            raise Failed(None, str(error)) from error

    def _keep(self, state: ChatCompletionStreamState[Any], chunk: Any) -> None:
        try:
            state.handle_chunk(chunk)
        except (openai.LengthFinishReasonError, openai.ContentFilterFinishReasonError):
            assert state.current_completion_snapshot.choices[0].finish_reason == chunk.choices[0].finish_reason

    def go_on(self, shown: Shown) -> None:
        self.messages.append(shown.reply)
        self.messages += [{"role": "tool", "tool_call_id": name, "content": RESULT} for name in shown.ids]


def show(made: ChatCompletion) -> Shown:
    choice: Choice = made.choices[0]
    message = choice.message
    calls = [call for call in message.tool_calls or [] if call.type == "function"]
    return Shown(
        words=(message.content or "") + (message.refusal or ""),
        calls=[(call.function.name, arguments(call.function.arguments)) for call in calls],
        finish="refusal" if message.refusal else _FINISH[choice.finish_reason],
        usage=_counts(made),
        thought=str((message.model_extra or {}).get("reasoning_content") or ""),
        ids=[call.id for call in calls],
        reply=_plain(message.model_dump(mode="json", exclude_unset=True)),
    )


def _plain(message: Any) -> Any:
    """Without what the library's own parser adds, which no API takes."""
    if isinstance(message, list):
        return [_plain(each) for each in message]
    if not isinstance(message, dict):
        return message
    return {name: _plain(value) for name, value in message.items() if name not in {"parsed", "parsed_arguments"}}


def _counts(made: ChatCompletion) -> Counts:
    usage = made.usage
    assert usage is not None, json.dumps(made.model_dump())
    told, spent = usage.prompt_tokens_details, usage.completion_tokens_details
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    cached = (told.cached_tokens if told else 0) or 0
    reasoning = (spent.reasoning_tokens if spent else 0) or 0
    return usage.prompt_tokens, usage.completion_tokens, cached, reasoning
