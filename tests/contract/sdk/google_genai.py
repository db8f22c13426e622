"""Google's library, generateContent."""

from __future__ import annotations

from typing import Any

import httpx
from google import genai
from google.genai import errors, types

from tests.contract.scene import PICTURE, PROMPT, RESULT, SCHEMA, SYSTEM, TOOLS, Scene
from tests.contract.sdk.talk import hooks
from tests.contract.shown import Failed, Finish, Shown, arguments


class GenaiLibrary:
    def __init__(self, origin: str, token: str) -> None:
        self.ids: list[str] = []
        self._http = httpx.Client(event_hooks=hooks(self.ids))
        options = types.HttpOptions(base_url=origin, httpx_client=self._http)
        self.client = genai.Client(api_key=token, http_options=options)

    def talk(self, model: str, scene: Scene) -> GenaiTalk:
        return GenaiTalk(self.client, model, scene)

    def close(self) -> None:
        self._http.close()


class GenaiTalk:
    def __init__(self, client: genai.Client, model: str, scene: Scene) -> None:
        self._client = client
        self.model = model
        parts = [types.Part(text=PROMPT)]
        if scene.image:
            parts.append(types.Part.from_bytes(data=PICTURE, mime_type="image/png"))
        self.contents: list[Any] = [types.Content(role="user", parts=parts)]
        more: dict[str, Any] = {"system_instruction": SYSTEM}
        if scene.tools:
            declared = [
                types.FunctionDeclaration(name=name, description=told, parameters_json_schema=schema)
                for name, told, schema in TOOLS
            ]
            more["tools"] = [types.Tool(function_declarations=declared)]
            more["automatic_function_calling"] = types.AutomaticFunctionCallingConfig(disable=True)
        if scene.schema:
            more |= {"response_mime_type": "application/json", "response_json_schema": SCHEMA}
        if scene.thinks:
            more["thinking_config"] = types.ThinkingConfig(include_thoughts=True, thinking_budget=2048)
        self._config = types.GenerateContentConfig(**more)

    def say(self, *, stream: bool) -> Shown:
        asked: dict[str, Any] = {"model": self.model, "contents": self.contents, "config": self._config}
        try:
            if not stream:
                return show([self._client.models.generate_content(**asked)])
            return show(list(self._client.models.generate_content_stream(**asked)))
        except errors.APIError as error:
            is_event = stream and error.response is not None and getattr(error.response, "status_code", 0) == 200
            raise Failed(None if is_event else error.code, str(error)) from error
        except (httpx.HTTPError, ValueError) as error:
            raise Failed(None, str(error)) from error

    def go_on(self, shown: Shown) -> None:
        self.contents.append(shown.reply)
        parts = []
        for (name, _), known in zip(shown.calls, shown.ids, strict=True):
            response = types.FunctionResponse(id=known or None, name=name, response={"output": RESULT})
            parts.append(types.Part(function_response=response))
        self.contents.append(types.Content(role="user", parts=parts))


def show(pieces: list[types.GenerateContentResponse]) -> Shown:
    parts: list[types.Part] = []
    reason = ""
    for piece in pieces:
        for candidate in piece.candidates or []:
            parts += (candidate.content.parts if candidate.content else None) or []
            reason = candidate.finish_reason.value if candidate.finish_reason else reason
    if not reason:
        raise Failed(None, "the stream ended without a finish reason")
    called = [part.function_call for part in parts if part.function_call]
    finish: Finish = "refusal"
    if reason in {"STOP", "MAX_TOKENS"}:
        finish = "length" if reason == "MAX_TOKENS" else "tools" if called else "stop"
    usage = pieces[-1].usage_metadata
    assert usage is not None
    reasoning = usage.thoughts_token_count or 0
    output = (usage.candidates_token_count or 0) + reasoning
    taken = usage.prompt_token_count or 0
    assert usage.total_token_count == taken + output, usage
    return Shown(
        words="".join(part.text or "" for part in parts if not part.thought),
        calls=[(call.name or "", arguments(call.args)) for call in called],
        finish=finish,
        usage=(taken, output, usage.cached_content_token_count or 0, reasoning),
        thought="".join(part.text or "" for part in parts if part.thought),
        ids=[call.id or "" for call in called],
        reply=types.Content(role="model", parts=parts),
    )
