"""Bedrock's Converse, read: what is asked, and 400 in Bedrock's words for what it refuses. Pure.

After docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html.
"""

from __future__ import annotations

import re
from base64 import b64decode
from typing import Any

import msgspec

from gateline.fake.ask import Ask, Tool
from gateline.fake.reply import Refusal, Voice
from gateline.fake.request import Request
from gateline.fake.seal import judge
from gateline.fake.wires.names import names

_KNOWN = names(
    """messages system inferenceConfig toolConfig guardrailConfig additionalModelRequestFields promptVariables
    additionalModelResponseFieldPaths requestMetadata performanceConfig serviceTier outputConfig projectIdentifier"""
)
_BLOCKS = names(
    """text image document video audio toolUse toolResult guardContent cachePoint reasoningContent citationsContent
    searchResult"""
)
_INFERENCE = names("maxTokens temperature topP stopSequences")
_FORMATS = {"png", "jpeg", "gif", "webp"}
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_AGAIN = "Make sure the conversation alternates between user and assistant roles and try again."
_LEAST_BUDGET = 1024


class Rules:
    """The rules of one request: `voice` says no."""

    def __init__(self, voice: Voice) -> None:
        self._voice = voice

    def bad(self, message: str) -> Refusal:
        return Refusal(self._voice.refuse(400, message))

    def read(self, request: Request, model: str, *, stream: bool) -> Ask:
        """Raises Refusal."""
        try:
            fields = request.json()
        except ValueError as error:
            raise self.bad(f"Unable to parse the request: {error}") from error
        self._known(fields, _KNOWN, "")
        inference = fields.get("inferenceConfig") or {}
        self._known(inference, _INFERENCE, "inferenceConfig.")
        self._check_inference(inference)
        messages = fields.get("messages")
        if not isinstance(messages, list) or not messages:
            raise self.bad("The request must have at least one message in messages.")
        config = fields.get("toolConfig") or {}
        thinking = (fields.get("additionalModelRequestFields") or {}).get("thinking") or {}
        self._check_messages(messages, has_tools=bool(config))
        if thinking.get("type") == "enabled":
            self._check_thinking(thinking, inference, messages)
        choice = config.get("toolChoice") or {}
        tools = self._tools(config)
        named = (choice.get("tool") or {}).get("name")
        return Ask(
            model=model,
            asked=request.raw("messages"),
            stream=stream,
            limit=inference.get("maxTokens"),
            tools=tuple(tool for tool in tools if named in {None, tool.name}),
            forced="any" in choice or "tool" in choice,
            is_answered=any("toolResult" in block for block in messages[-1]["content"]),
            schema=self._schema(fields),
            thinks=thinking.get("type") in {"enabled", "adaptive"},
        )

    def _known(self, given: dict[str, Any], known: frozenset[str], where: str) -> None:
        unknown = sorted(set(given) - known)
        if unknown:
            raise self.bad(f"Malformed input request: #/{where}{unknown[0]}: extraneous key is not permitted")

    def _check_inference(self, inference: dict[str, Any]) -> None:
        limit = inference.get("maxTokens")
        if limit is not None and limit < 1:
            raise self.bad(
                f"1 validation error detected: Value '{limit}' at 'inferenceConfig.maxTokens' failed to satisfy "
                "constraint: Member must have value greater than or equal to 1"
            )
        for name in ("temperature", "topP"):
            value = inference.get(name)
            if value is not None and not 0 <= value <= 1:
                raise self.bad(
                    f"1 validation error detected: Value '{value}' at 'inferenceConfig.{name}' failed to satisfy "
                    "constraint: Member must have value less than or equal to 1"
                )

    def _check_messages(self, messages: list[dict[str, Any]], *, has_tools: bool) -> None:
        called: list[str] = []
        role = "assistant"
        for at, message in enumerate(messages):
            if message.get("role") not in {"user", "assistant"}:
                raise self.bad(
                    f"1 validation error detected: Value '{message.get('role')}' at 'messages.{at + 1}.member.role' "
                    "failed to satisfy constraint: Member must satisfy enum value set: [user, assistant]"
                )
            if message["role"] == role:
                start = (
                    "A conversation must start with a user message. Try again with a conversation that starts with a"
                )
                told = f"{start} user message." if at == 0 else f"A conversation must alternate between roles. {_AGAIN}"
                raise self.bad(told)
            role = message["role"]
            blocks = message.get("content")
            if not isinstance(blocks, list) or not blocks:
                told = f"The content field in the Message object at messages.{at} is empty."
                raise self.bad(f"{told} Add a ContentBlock object to the content field and try again.")
            for index, block in enumerate(blocks):
                self._check_block(block, role, f"messages.{at}.content.{index}")
            self._check_results(blocks, called, at, has_tools=has_tools)
            called = [block["toolUse"]["toolUseId"] for block in blocks if "toolUse" in block]
        if called:
            raise self.bad(
                f"Expected toolResult blocks at messages.{len(messages)}.content for the following Ids: {called[0]}"
            )

    def _check_results(self, blocks: list[dict[str, Any]], called: list[str], at: int, *, has_tools: bool) -> None:
        answered = [block["toolResult"]["toolUseId"] for block in blocks if "toolResult" in block]
        if (answered or any("toolUse" in block for block in blocks)) and not has_tools:
            raise self.bad("The toolConfig field must be defined when using toolUse and toolResult content blocks.")
        missing = [known for known in called if known not in answered]
        if missing:
            told = f"Expected toolResult blocks at messages.{at}.content for the following Ids: {', '.join(missing)}"
            raise self.bad(told)
        if len(answered) > len(called) or set(answered) - set(called):
            told = f"The number of toolResult blocks at messages.{at}.content exceeds the number of toolUse blocks"
            raise self.bad(f"{told} of previous turn.")

    def _check_block(self, block: Any, role: str, where: str) -> None:
        kinds = sorted(block) if isinstance(block, dict) else []
        if len(kinds) != 1 or kinds[0] not in _BLOCKS:
            raise self.bad(
                f"The ContentBlock object at {where} must set one of the following keys: {', '.join(sorted(_BLOCKS))}."
            )
        kind, value = kinds[0], block[kinds[0]]
        if kind == "text" and not value.strip():
            told = f"The text field in the ContentBlock object at {where} is blank."
            raise self.bad(f"{told} Add text to the text field, and try again.")
        if kind == "toolUse" and not isinstance(value.get("input"), dict):
            raise self.bad(
                f"The format of the value at {where}.toolUse.input is invalid. Provide a json object for the field."
            )
        if kind == "toolResult":
            self._check_result(value, where)
        if kind == "image" and value.get("format") not in _FORMATS:
            raise self.bad(f"The provided image format at {where} is not one of: png, jpeg, gif, webp.")
        if kind in {"toolUse", "reasoningContent"} and role != "assistant":
            raise self.bad(f"The {kind} content block at {where} is only allowed in a message of the assistant role.")
        if kind == "reasoningContent":
            self._check_reasoning(value, where)

    def _check_result(self, value: dict[str, Any], where: str) -> None:
        for at, part in enumerate(value.get("content") or []):
            kinds = sorted(part)
            if len(kinds) != 1 or kinds[0] not in {"json", "text", "image", "document", "video", "searchResult"}:
                raise self.bad(f"The ToolResultContentBlock object at {where}.toolResult.content.{at} is invalid.")
            if kinds == ["json"] and not isinstance(part["json"], dict):
                told = f"The format of the value at {where}.toolResult.content.{at}.json is invalid."
                raise self.bad(f"{told} Provide a json object for the field.")

    def _check_reasoning(self, value: dict[str, Any], where: str) -> None:
        """Claude's signatures are the same on Bedrock as at Anthropic's, and are accepted from there."""
        if "redactedContent" in value:
            try:
                sealed = b64decode(str(value["redactedContent"]), validate=True).decode("latin-1")
            except ValueError:
                sealed = ""
            if judge("anthropic", sealed, "") != "own":
                raise self.bad(self._from_model(f"{where}: Invalid `data` in `redacted_thinking` block"))
            return
        text = value.get("reasoningText") or {}
        if judge("anthropic", text.get("signature"), str(text.get("text"))) != "own":
            raise self.bad(self._from_model(f"{where}: Invalid `signature` in `thinking` block"))

    def _from_model(self, message: str) -> str:
        return f"The model returned the following errors: {message}"

    def _check_thinking(
        self, thinking: dict[str, Any], inference: dict[str, Any], messages: list[dict[str, Any]]
    ) -> None:
        budget = thinking.get("budget_tokens", 0)
        if budget < _LEAST_BUDGET or budget >= inference.get("maxTokens", budget + 1):
            told = "`max_tokens` must be greater than `thinking.budget_tokens`, which is at least 1024"
            raise self.bad(self._from_model(told))
        if inference.get("temperature") not in {None, 1}:
            raise self.bad(self._from_model("`temperature` may only be set to 1 when thinking is enabled."))
        for at in range(len(messages) - 1, -1, -1):
            blocks = messages[at]["content"]
            if any("toolUse" in block for block in blocks):
                if "reasoningContent" not in blocks[0]:
                    told = f"messages.{at}.content.0.type: Expected `thinking` or `redacted_thinking`, but found"
                    raise self.bad(self._from_model(f"{told} `{next(iter(blocks[0]))}`."))
            elif not any("toolResult" in block for block in blocks):
                return

    def _tools(self, config: dict[str, Any]) -> list[Tool]:
        tools = []
        offered = config.get("tools")
        if config and not offered:
            raise self.bad("The toolConfig.tools field must have at least one tool.")
        for at, tool in enumerate(offered or []):
            spec = tool.get("toolSpec")
            if spec is None:
                continue  # a cache point, or a tool that the model's vendor runs
            if not _NAME.fullmatch(str(spec.get("name", ""))):
                raise self.bad(
                    f"1 validation error detected: Value '{spec.get('name')}' at 'toolConfig.tools.{at + 1}.member."
                    "toolSpec.name' failed to satisfy constraint: Member must satisfy regular expression pattern: "
                    "[a-zA-Z0-9_-]+"
                )
            schema = (spec.get("inputSchema") or {}).get("json")
            if not isinstance(schema, dict) or schema.get("type") != "object":
                told = f"The value at toolConfig.tools.{at}.toolSpec.inputSchema.json.type must be one of the following"
                raise self.bad(f"{told}: object.")
            if spec.get("description") == "":
                raise self.bad(f"toolConfig.tools.{at + 1}.member.toolSpec.description must have length at least 1")
            tools.append(Tool(spec["name"], schema))
        return tools

    def _schema(self, fields: dict[str, Any]) -> dict[str, Any] | None:
        """The schema is a text here: JSON inside of JSON."""
        given = ((fields.get("outputConfig") or {}).get("textFormat") or {}).get("structure") or {}
        text = (given.get("jsonSchema") or {}).get("schema")
        if text is None:
            return None
        try:
            found: dict[str, Any] = msgspec.json.decode(text, type=dict[str, Any])
        except (msgspec.DecodeError, TypeError) as error:
            raise self.bad("The value at outputConfig.textFormat.structure.jsonSchema.schema is not JSON.") from error
        return found
