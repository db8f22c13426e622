"""OpenAI's library, Responses."""

from __future__ import annotations

from typing import Any

import httpx2
import openai
from openai.types.responses import Response

from tests.contract.scene import PICTURE_TEXT, PROMPT, RESULT, SCHEMA, SYSTEM, TOOLS, Scene
from tests.contract.sdk.talk import hooks
from tests.contract.shown import Failed, Finish, Shown, arguments


class ResponsesLibrary:
    def __init__(self, origin: str, token: str) -> None:
        self.ids: list[str] = []
        self._http = httpx2.Client(event_hooks=hooks(self.ids))
        self.client = openai.OpenAI(api_key=token, base_url=f"{origin}/v1", max_retries=0, http_client=self._http)

    def talk(self, model: str, scene: Scene) -> ResponsesTalk:
        return ResponsesTalk(self.client, model, scene)

    def close(self) -> None:
        self.client.close()


class ResponsesTalk:
    """Keeps the conversation itself: `store` is false, and reasoning comes back encrypted."""

    def __init__(self, client: openai.OpenAI, model: str, scene: Scene) -> None:
        self._client = client
        self.model = model
        content: Any = PROMPT
        if scene.image:
            url = f"data:image/png;base64,{PICTURE_TEXT}"
            content = [
                {"type": "input_text", "text": PROMPT},
                {"type": "input_image", "image_url": url, "detail": "auto"},
            ]
        self.items: list[Any] = [{"role": "user", "content": content}]
        self._more: dict[str, Any] = {"instructions": SYSTEM, "store": False}
        if scene.tools:
            self._more["tools"] = [
                {"type": "function", "name": name, "description": told, "parameters": schema, "strict": False}
                for name, told, schema in TOOLS
            ]
        if scene.schema:
            form = {"type": "json_schema", "name": "where", "schema": SCHEMA, "strict": True}
            self._more["text"] = {"format": form}
        if scene.thinks:
            self._more["reasoning"] = {"effort": "low", "summary": "auto"}
            self._more["include"] = ["reasoning.encrypted_content"]

    def say(self, *, stream: bool) -> Shown:
        try:
            if not stream:
                return show(self._client.responses.create(model=self.model, input=self.items, **self._more))
            with self._client.responses.stream(model=self.model, input=self.items, **self._more) as events:
                grown: dict[tuple[str, int], str] = {}
                final: Response | None = None
                for event in events:
                    if event.type.endswith(".delta"):
                        told: Any = event
                        place = (event.type, told.output_index)
                        grown[place] = grown.get(place, "") + told.delta
                    elif event.type in {"response.completed", "response.incomplete"}:
                        final = event.response
                    elif event.type in {"response.failed", "error"}:
                        raise Failed(None, event.to_json())
            if final is None:
                raise Failed(None, "the stream ended without a response")
            check_pieces(final, grown)
            return show(final)
        except openai.APIStatusError as error:
            raise Failed(error.status_code, str(error)) from error
        except (openai.APIError, httpx2.HTTPError) as error:
            raise Failed(None, str(error)) from error

    def go_on(self, shown: Shown) -> None:
        self.items += shown.reply
        self.items += [{"type": "function_call_output", "call_id": name, "output": RESULT} for name in shown.ids]


def check_pieces(final: Response, grown: dict[tuple[str, int], str]) -> None:
    """What the stream told in pieces is what the last event has whole."""
    told: dict[tuple[str, int], str] = {}
    for at, item in enumerate(final.output):
        if item.type == "message":
            for part in item.content:
                kind = "output_text" if part.type == "output_text" else "refusal"
                told[f"response.{kind}.delta", at] = part.text if part.type == "output_text" else part.refusal
        elif item.type == "function_call":
            told["response.function_call_arguments.delta", at] = item.arguments
        elif item.type == "reasoning":
            told["response.reasoning_summary_text.delta", at] = "".join(each.text for each in item.summary)
    for place, text in grown.items():
        assert text == told.get(place), (place, text, told)
    missing = {place for place, text in told.items() if text and place not in grown}
    # arguments may come whole, in their `.done` event
    assert not {place for place in missing if "arguments" not in place[0]}, missing


def show(made: Response) -> Shown:
    words = thought = ""
    finish: Finish = "stop"
    calls, ids = [], []
    for item in made.output:
        if item.type == "message":
            for part in item.content:
                words += part.text if part.type == "output_text" else part.refusal
                finish = "refusal" if part.type == "refusal" else finish
        elif item.type == "function_call":
            calls.append((item.name, arguments(item.arguments)))
            ids.append(item.call_id)
            finish = "tools"
        elif item.type == "reasoning":
            thought += "".join(each.text for each in item.summary)
    if made.status == "incomplete":
        assert made.incomplete_details is not None
        finish = "length" if made.incomplete_details.reason == "max_output_tokens" else "refusal"
    usage = made.usage
    assert usage is not None
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens
    cached, reasoning = usage.input_tokens_details.cached_tokens, usage.output_tokens_details.reasoning_tokens
    reply = [item.model_dump(mode="json", exclude_unset=True, exclude={"parsed_arguments"}) for item in made.output]
    for sent in reply:
        for part in sent.get("content") or []:
            part.pop("parsed", None)
    return Shown(
        words, calls, finish, (usage.input_tokens, usage.output_tokens, cached, reasoning), thought, ids, reply
    )
