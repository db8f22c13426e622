"""Anthropic's Messages, read: what is asked, and 400 in Anthropic's words for what Anthropic refuses. Pure.

After docs.claude.com/en/api/messages and build-with-claude/extended-thinking (what a turn with tools must bring back).
"""

from __future__ import annotations

import re
from typing import Any

from gateline.fake.ask import Ask, Tool
from gateline.fake.reply import Refusal, Voice
from gateline.fake.request import Request
from gateline.fake.seal import judge
from gateline.fake.wires.names import names

_KNOWN = names(
    """max_tokens messages model cache_control container context_management diagnostics inference_geo mcp_servers
    metadata output_config service_tier speed stop_sequences stream system temperature thinking tool_choice tools top_k
    top_p"""
)
_CACHED = frozenset({"type", "cache_control"})
_BLOCKS = {
    "text": _CACHED | {"text", "citations"},
    "image": _CACHED | {"source"},
    "document": _CACHED | {"source", "citations", "context", "title"},
    "search_result": _CACHED | {"content", "source", "title", "citations"},
    "thinking": {"type", "thinking", "signature"},
    "redacted_thinking": {"type", "data"},
    "tool_use": _CACHED | {"id", "name", "input", "caller"},
    "tool_result": _CACHED | {"tool_use_id", "content", "is_error"},
}
# What comes of tools that Anthropic runs: taken as it is, since the fake runs none.
_SERVED = names(
    """server_tool_use web_search_tool_result web_fetch_tool_result code_execution_tool_result tool_reference
    bash_code_execution_tool_result text_editor_code_execution_tool_result tool_search_tool_result mcp_tool_use
    mcp_tool_result container_upload compaction browser_state"""
)
_ALLOWED = {
    "user": ("text", "image", "document", "search_result", "tool_result"),
    "assistant": ("text", "thinking", "redacted_thinking", "tool_use"),
    "system": ("text",),
}
_PARTS = {
    "metadata": frozenset({"user_id"}),
    "thinking": frozenset({"type", "budget_tokens", "display"}),
    "output_config": frozenset({"effort", "format"}),
    "tool_choice": frozenset({"type", "name", "disable_parallel_tool_use"}),
}
_TOOL = names(
    """type name description input_schema cache_control strict allowed_callers defer_loading eager_input_streaming
    input_examples"""
)
_SOURCES = {
    "image": {"base64", "url", "file"},
    "document": {"base64", "url", "file", "text", "content"},
}
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_IMAGES = {"image/jpeg", "image/png", "image/gif", "image/webp"}
_CACHE_BLOCKS = 4
_LEAST_BUDGET = 1024
_DOCS = "https://docs.claude.com/en/docs/build-with-claude/extended-thinking"


class Rules:
    """The rules of one request: `voice` says no."""

    def __init__(self, voice: Voice) -> None:
        self._voice = voice

    def bad(self, message: str) -> Refusal:
        return Refusal(self._voice.refuse(400, message))

    def read(self, request: Request, *, model: str | None = None, stream: bool | None = None) -> Ask:
        """`model`, `stream`: where the path names them, the body may not (Vertex). Raises Refusal."""
        try:
            fields = request.json()
        except ValueError as error:
            raise self.bad(f"The request body is not valid JSON: {error}") from error
        self._check_fields(fields, model)
        limit = fields["max_tokens"]
        messages = fields["messages"]
        thinking = self._thinking(fields)
        self._check_messages(messages, has_thinking=thinking == "enabled")
        choice = fields.get("tool_choice") or {}
        tools = self._tools(fields)
        last = messages[-1]["content"]
        return Ask(
            model=model or fields["model"],
            asked=request.raw("messages"),
            stream=bool(fields.get("stream")) if stream is None else stream,
            limit=limit,
            tools=() if choice.get("type") == "none" else self._chosen(tools, choice),
            forced=choice.get("type") in {"any", "tool"},
            is_answered=isinstance(last, list) and any(block["type"] == "tool_result" for block in last),
            schema=((fields.get("output_config") or {}).get("format") or {}).get("schema"),
            thinks=thinking in {"enabled", "adaptive"},
            omits=(fields.get("thinking") or {}).get("display") == "omitted",
            fields=fields,
        )

    def _check_fields(self, fields: dict[str, Any], model: str | None) -> None:
        known = _KNOWN if model is None else (_KNOWN - {"model"}) | {"anthropic_version"}
        for name in fields:
            if name not in known:
                raise self.bad(f"{name}: Extra inputs are not permitted")
        for name in ("model", "messages", "max_tokens"):
            if fields.get(name) is None and name in known:
                raise self.bad(f"{name}: Field required")
        limit = fields["max_tokens"]
        if not isinstance(limit, int) or isinstance(limit, bool):
            raise self.bad("max_tokens: Input should be a valid integer")
        if limit < 1:
            raise self.bad("max_tokens: Input should be greater than or equal to 1")
        for name in ("temperature", "top_p"):
            if (value := fields.get(name)) is not None and not 0 <= value <= 1:
                raise self.bad(f"{name}: range: 0..1")
        for name, parts in _PARTS.items():
            extra = set(fields.get(name) or {}) - parts
            if extra:
                raise self.bad(f"{name}.{min(extra)}: Extra inputs are not permitted")
        for at, stop in enumerate(fields.get("stop_sequences") or []):
            if not stop.strip():
                raise self.bad(f"stop_sequences: each stop sequence must contain non-whitespace (index {at})")
        marked = str(fields).count("'cache_control': {")
        if marked > _CACHE_BLOCKS:
            raise self.bad(f"A maximum of 4 blocks with cache_control may be provided. Found {marked}.")

    def _thinking(self, fields: dict[str, Any]) -> str:
        thinking = fields.get("thinking") or {}
        kind = thinking.get("type", "disabled")
        if kind not in {"enabled", "adaptive", "disabled"}:
            raise self.bad(f"thinking: Input tag '{kind}' found using 'type' does not match any of the expected tags")
        if kind != "enabled":
            return str(kind)
        budget = thinking.get("budget_tokens")
        if not isinstance(budget, int) or budget < _LEAST_BUDGET:
            raise self.bad("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024")
        if budget >= fields["max_tokens"]:
            raise self.bad(f"`max_tokens` must be greater than `thinking.budget_tokens`. Please consult {_DOCS}")
        if fields.get("temperature") not in {None, 1}:
            raise self.bad(f"`temperature` may only be set to 1 when thinking is enabled. Please consult {_DOCS}")
        if fields.get("top_k") is not None:
            raise self.bad(f"`top_k` must be unset when thinking is enabled. Please consult {_DOCS}")
        if (fields.get("tool_choice") or {}).get("type") in {"any", "tool"}:
            raise self.bad("Thinking may not be enabled when tool_choice forces tool use.")
        return "enabled"

    def _check_messages(self, messages: Any, *, has_thinking: bool) -> None:
        if not isinstance(messages, list):
            raise self.bad("messages: Input should be a valid list")
        if not messages:
            raise self.bad("messages: at least one message is required")
        called: list[str] = []
        for at, message in enumerate(messages):
            extra = sorted(set(message) - {"role", "content"})
            if extra:
                raise self.bad(f"messages.{at}.{extra[0]}: Extra inputs are not permitted")
            role = message.get("role")
            if role not in _ALLOWED or (role == "system" and at == 0):
                told = 'The Messages API accepts a top-level `system` parameter, not "system" as an input message role.'
                raise self.bad(f'messages: Unexpected role "{role}". {told}')
            blocks = self._blocks(message.get("content"), role, f"messages.{at}")
            self._check_results(blocks, called, at)
            called = [block["id"] for block in blocks if block["type"] == "tool_use"]
        if called:
            raise self._unanswered(called, len(messages) - 1)
        if messages[0]["role"] != "user":
            raise self.bad('messages: first message must use the "user" role')
        if has_thinking:
            self._check_last_turn(messages)

    def _check_results(self, blocks: list[dict[str, Any]], called: list[str], at: int) -> None:
        """Each result answers a call of the message before, and each call of that has its result here."""
        answered = set()
        for index, block in enumerate(blocks):
            if block["type"] == "tool_result":
                if block["tool_use_id"] not in called:
                    told = f"unexpected `tool_use_id` found in `tool_result` blocks: {block['tool_use_id']}."
                    rule = (
                        "Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
                    )
                    raise self.bad(f"messages.{at}.content.{index}: {told} {rule}")
                answered.add(block["tool_use_id"])
        left = [known for known in called if known not in answered]
        if left:
            raise self._unanswered(left, at - 1)

    def _unanswered(self, calls: list[str], at: int) -> Refusal:
        told = f"`tool_use` ids were found without `tool_result` blocks immediately after: {', '.join(calls)}."
        rule = "Each `tool_use` block must have a corresponding `tool_result` block in the next message."
        return self.bad(f"messages.{at}: {told} {rule}")

    def _blocks(self, content: Any, role: str, where: str) -> list[dict[str, Any]]:
        if isinstance(content, str):
            if not content:
                raise self.bad(f"{where}: text content blocks must be non-empty")
            return []
        if not isinstance(content, list):
            raise self.bad(f"{where}.content: Input should be a valid list")
        for at, block in enumerate(content):
            self._check_block(block, role, f"{where}.content.{at}")
        return content

    def _check_block(self, block: Any, role: str, where: str) -> None:
        kind = block.get("type") if isinstance(block, dict) else None
        if kind in _SERVED:
            return
        if kind not in _BLOCKS or kind not in _ALLOWED[role]:
            expected = ", ".join(f"'{name}'" for name in _ALLOWED[role])
            told = f"Input tag '{kind}' found using 'type' does not match any of the expected tags: {expected}"
            raise self.bad(f"{where}: {told}")
        extra = sorted(set(block) - _BLOCKS[kind])
        if extra:
            raise self.bad(f"{where}.{kind}.{extra[0]}: Extra inputs are not permitted")
        if kind == "text" and not block.get("text"):
            raise self.bad(f"{where}: text content blocks must be non-empty")
        if kind == "tool_use" and not isinstance(block.get("input"), dict):
            raise self.bad(f"{where}.tool_use.input: Input should be a valid dictionary")
        if kind in _SOURCES:
            self._check_source(kind, block.get("source") or {}, where)
        if kind == "thinking" and judge("anthropic", block.get("signature"), str(block.get("thinking"))) != "own":
            raise self.bad(f"{where}: Invalid `signature` in `thinking` block")
        if kind == "redacted_thinking" and judge("anthropic", block.get("data"), "") != "own":
            raise self.bad(f"{where}: Invalid `data` in `redacted_thinking` block")
        if kind == "tool_result" and isinstance(block.get("content"), list):
            for at, part in enumerate(block["content"]):
                self._check_block(part, "user", f"{where}.tool_result.content.{at}")

    def _check_source(self, kind: str, source: dict[str, Any], where: str) -> None:
        if source.get("type") not in _SOURCES[kind]:
            told = f"Input tag '{source.get('type')}' found using 'type' does not match any of the expected tags"
            raise self.bad(f"{where}.{kind}.source: {told}")
        if kind == "image" and source["type"] == "base64" and source.get("media_type") not in _IMAGES:
            expected = "'image/jpeg', 'image/png', 'image/gif' or 'image/webp'"
            raise self.bad(f"{where}.image.source.base64.media_type: Input should be {expected}")
        if source["type"] == "base64" and str(source.get("data", "")).startswith(("data:", "http")):
            raise self.bad(f"{where}.{kind}.source.base64.data: URL sources are not supported")

    def _check_last_turn(self, messages: list[dict[str, Any]]) -> None:
        """With thinking enabled, the message whose tools are being answered begins with its thinking."""
        at = len(messages) - 1
        while at >= 0 and not self._calls(messages[at]):
            if messages[at]["role"] == "assistant" or not self._answers(messages[at]):
                return
            at -= 1
        if at >= 0 and messages[at]["content"][0]["type"] not in {"thinking", "redacted_thinking"}:
            found = messages[at]["content"][0]["type"]
            told = (
                f"Expected `thinking` or `redacted_thinking`, but found `{found}`. When `thinking` is enabled, a final"
            )
            rule = (
                "`assistant` message must start with a thinking block (preceeding the lastmost set of `tool_use` and "
                "`tool_result` blocks). We recommend you include thinking blocks from previous turns. To avoid this "
                "requirement, disable `thinking`."
            )
            raise self.bad(f"messages.{at}.content.0.type: {told} {rule} Please consult our documentation at {_DOCS}")

    def _calls(self, message: dict[str, Any]) -> bool:
        content = message["content"]
        return message["role"] == "assistant" and any(b["type"] == "tool_use" for b in content if isinstance(b, dict))

    def _answers(self, message: dict[str, Any]) -> bool:
        return any(block["type"] == "tool_result" for block in message["content"] if isinstance(block, dict))

    def _tools(self, fields: dict[str, Any]) -> list[Tool]:
        tools = []
        for at, tool in enumerate(fields.get("tools") or []):
            if tool.get("type") not in {None, "custom"}:
                continue  # a tool that Anthropic runs: nothing for the caller to call
            if not _NAME.fullmatch(str(tool.get("name", ""))):
                raise self.bad(f"tools.{at}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'")
            extra = set(tool) - _TOOL
            if extra:
                raise self.bad(f"tools.{at}.custom.{min(extra)}: Extra inputs are not permitted")
            schema = tool.get("input_schema")
            if not isinstance(schema, dict):
                raise self.bad(f"tools.{at}.custom.input_schema: Field required")
            if schema.get("type") != "object":
                raise self.bad(f"tools.{at}.custom.input_schema.type: Field required")
            tools.append(Tool(tool["name"], schema))
        if fields.get("tool_choice") and not fields.get("tools"):
            raise self.bad("tool_choice: tool_choice may only be specified while providing tools")
        return tools

    def _chosen(self, tools: list[Tool], choice: dict[str, Any]) -> tuple[Tool, ...]:
        kind = choice.get("type", "auto")
        if kind not in {"auto", "any", "tool"}:
            raise self.bad(
                f"tool_choice: Input tag '{kind}' found using 'type' does not match any of the expected tags"
            )
        if kind != "tool":
            return tuple(tools)
        found = tuple(tool for tool in tools if tool.name == choice.get("name"))
        if not found:
            raise self.bad(f"Tool '{choice.get('name')}' not found in provided tools")
        return found
