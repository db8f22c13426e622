"""AWS's library (botocore, which boto3 is made of), Converse."""

from __future__ import annotations

import json
import re
from contextlib import closing
from typing import Any

import botocore.config
import botocore.session
from botocore.exceptions import ClientError, EventStreamError, HTTPClientError

from tests.contract.scene import PICTURE, PROMPT, RESULT, SCHEMA, SYSTEM, TOOLS, Scene
from tests.contract.shown import Failed, Finish, Shown, arguments

_FINISH: dict[str, Finish] = {
    "end_turn": "stop", "max_tokens": "length", "tool_use": "tools", "guardrail_intervened": "refusal",
    "content_filtered": "refusal",
}  # fmt: skip


class ConverseLibrary:
    def __init__(self, origin: str, token: str) -> None:
        self.ids: list[str] = []
        config = botocore.config.Config(retries={"total_max_attempts": 1}, signature_version=botocore.UNSIGNED)
        session = botocore.session.Session()
        self.client: Any = session.create_client(
            "bedrock-runtime", region_name="eu-west-1", endpoint_url=origin, config=config
        )
        self._token = token
        events = self.client.meta.events
        events.register("before-send.bedrock-runtime.*", self._show_key)
        events.register("response-received.bedrock-runtime.*", self._note)

    def _show_key(self, request: Any, **_: Any) -> None:
        request.headers["Authorization"] = f"Bearer {self._token}"

    def _note(self, response_dict: Any, **_: Any) -> None:
        self.ids.append(response_dict["headers"]["x-request-id"])

    def talk(self, model: str, scene: Scene) -> ConverseTalk:
        return ConverseTalk(self.client, model, scene)

    def close(self) -> None:
        self.client.close()


class ConverseTalk:
    def __init__(self, client: Any, model: str, scene: Scene) -> None:
        self._client = client
        self.model = model
        content: list[Any] = [{"text": PROMPT}]
        if scene.image:
            content.append({"image": {"format": "png", "source": {"bytes": PICTURE}}})
        self.messages: list[Any] = [{"role": "user", "content": content}]
        self._more: dict[str, Any] = {"system": [{"text": SYSTEM}]}
        if scene.tools:
            tools = [
                {"toolSpec": {"name": name, "description": told, "inputSchema": {"json": schema}}}
                for name, told, schema in TOOLS
            ]
            self._more["toolConfig"] = {"tools": tools}
        if scene.schema:
            form = {"jsonSchema": {"schema": json.dumps(SCHEMA), "name": "where"}}
            self._more["outputConfig"] = {"textFormat": {"type": "json_schema", "structure": form}}
        if scene.thinks:
            thinking = {"type": "enabled", "budget_tokens": 2048}
            self._more["inferenceConfig"] = {"maxTokens": 4096}
            self._more["additionalModelRequestFields"] = {"thinking": thinking}

    def say(self, *, stream: bool) -> Shown:
        asked = {"modelId": self.model, "messages": self.messages, **self._more}
        try:
            if not stream:
                made = self._client.converse(**asked)
                return show(made["output"]["message"], made["stopReason"], made["usage"])
            with closing(self._client.converse_stream(**asked)["stream"]) as events:
                return from_events(list(events))
        except EventStreamError as error:
            raise Failed(None, str(error)) from error
        except ClientError as error:
            raise Failed(error.response["ResponseMetadata"]["HTTPStatusCode"], str(error)) from error
        except HTTPClientError as error:
            raise Failed(None, str(error)) from error

    def go_on(self, shown: Shown) -> None:
        self.messages.append(shown.reply)
        results = [{"toolResult": {"toolUseId": name, "content": [{"text": RESULT}]}} for name in shown.ids]
        self.messages.append({"role": "user", "content": results})


def from_events(events: list[dict[str, Any]]) -> Shown:
    """The message that the events of a stream grow into: docs.aws.amazon.com/bedrock, ConverseStream."""
    blocks: dict[int, dict[str, Any]] = {}
    reason, usage = "", None
    for event in events:
        ((kind, told),) = event.items()
        if kind == "contentBlockStart":
            blocks[told["contentBlockIndex"]] = {"toolUse": {**told["start"]["toolUse"], "input": ""}}
        elif kind == "contentBlockDelta":
            _grow(blocks.setdefault(told["contentBlockIndex"], {}), told["delta"])
        elif kind == "messageStop":
            reason = told["stopReason"]
        elif kind == "metadata":
            usage = told["usage"]
    if not reason or usage is None:
        raise Failed(None, "the stream ended before its message")
    content = [blocks[at] for at in sorted(blocks)]
    for block in content:
        if "toolUse" in block:
            block["toolUse"]["input"] = arguments(block["toolUse"]["input"])
    return show({"role": "assistant", "content": content}, reason, usage)


def _grow(block: dict[str, Any], delta: dict[str, Any]) -> None:
    if "text" in delta:
        block["text"] = block.get("text", "") + delta["text"]
    elif "toolUse" in delta:
        block["toolUse"]["input"] += delta["toolUse"]["input"]
    elif "reasoningContent" in delta:
        told = delta["reasoningContent"]
        held = block.setdefault("reasoningContent", {})
        if "redactedContent" in told:
            held["redactedContent"] = held.get("redactedContent", b"") + told["redactedContent"]
        for name in ("text", "signature"):
            if name in told:
                text = held.setdefault("reasoningText", {})
                text[name] = text.get(name, "") + told[name]


def show(message: dict[str, Any], reason: str, usage: dict[str, Any]) -> Shown:
    content = message["content"]
    used = [block["toolUse"] for block in content if "toolUse" in block]
    thoughts = [block["reasoningContent"].get("reasoningText", {}) for block in content if "reasoningContent" in block]
    cached = usage.get("cacheReadInputTokens", 0)
    taken = usage["inputTokens"] + cached + usage.get("cacheWriteInputTokens", 0)
    assert usage["totalTokens"] == taken + usage["outputTokens"], usage
    return Shown(
        words="".join(block.get("text", "") for block in content),
        calls=[(each["name"], arguments(each["input"])) for each in used],
        finish=_FINISH[reason],
        usage=(taken, usage["outputTokens"], cached, None),
        thought="".join(each.get("text", "") for each in thoughts),
        ids=[each["toolUseId"] for each in used],
        reply={"role": "assistant", "content": [_sendable(block) for block in content]},
    )


def _sendable(block: dict[str, Any]) -> dict[str, Any]:
    """A block as it may be sent: what is empty may not."""
    return {name: value for name, value in block.items() if re.match(r"text|toolUse|reasoningContent|image", name)}
