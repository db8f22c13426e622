"""OpenAI's Responses, read: what is asked, and 400 in OpenAI's words for what OpenAI refuses. Pure.

After platform.openai.com/docs/api-reference/responses and guides/reasoning (which items must come back, and how).
"""

from __future__ import annotations

import re
from typing import Any

from gateline.fake.ask import Ask, Tool
from gateline.fake.objects import OPENAI
from gateline.fake.reply import Refusal
from gateline.fake.request import Request
from gateline.fake.seal import judge, make_seal
from gateline.fake.turn import Memory
from gateline.fake.wires.names import names
from gateline.fake.wires.openai_chat_read import bad, check_strict, read_object

_KNOWN = names(
    """background context_management conversation include input instructions max_output_tokens max_tool_calls metadata
    model moderation parallel_tool_calls previous_response_id prompt prompt_cache_key prompt_cache_options
    prompt_cache_retention reasoning safety_identifier service_tier store stream stream_options temperature text
    tool_choice tools top_logprobs top_p truncation user"""
)
_ITEMS = {
    "message": {"type", "role", "content", "id", "status", "phase"},
    "function_call": {"type", "id", "call_id", "name", "arguments", "status", "caller", "namespace"},
    "function_call_output": {"type", "id", "call_id", "output", "status", "caller"},
    "reasoning": {"type", "id", "summary", "content", "encrypted_content", "status"},
    "item_reference": {"type", "id"},
}
# What comes of tools that OpenAI runs, and of kinds of calls that the fake makes none of: taken as it is.
_SERVED = names(
    """web_search_call file_search_call computer_call computer_call_output image_generation_call code_interpreter_call
    local_shell_call local_shell_call_output shell_call shell_call_output apply_patch_call apply_patch_call_output
    mcp_list_tools mcp_approval_request mcp_approval_response mcp_call custom_tool_call custom_tool_call_output
    compaction tool_search_call tool_search_output"""
)
_PARTS = {
    "text": {"format", "verbosity"},
    "reasoning": {"effort", "summary", "generate_summary", "context", "mode"},
    "stream_options": {"include_obfuscation"},
}
_TOOL = names("type name description parameters strict defer_loading allowed_callers output_schema")
_ROLES = ("assistant", "system", "developer", "user")
_REASONS = re.compile(r"(gpt-5(?!.*chat)|o[1-9](?![a-z]))")
_LEAST_LIMIT = 16
_ID = 24  # characters of an answer's id
THOUGHTFUL = "r"  # ends the ids of items that need their reasoning with them; no digit of an id


def read_response(request: Request, memory: Memory) -> Ask:
    """Raises Refusal."""
    fields = read_object(request)
    for name in fields:
        if name not in _KNOWN:
            raise bad(f"Unknown parameter: '{name}'.", name, "unknown_parameter")
    for part, known in _PARTS.items():
        for name in set(fields.get(part) or {}) - known:
            raise bad(f"Unknown parameter: '{part}.{name}'.", f"{part}.{name}", "unknown_parameter")
    if fields.get("input") is None and fields.get("prompt") is None:
        raise bad("Missing required parameter: 'input'.", "input", "missing_required_parameter")
    _check_numbers(fields)
    before = _previous(fields, memory)
    items = fields["input"]
    items = [{"role": "user", "content": items}] if isinstance(items, str) else items
    if not isinstance(items, list):
        raise bad("Invalid type for 'input': expected a string or an array.", "input", "invalid_type")
    for at, item in enumerate(items):
        _check_item(item, f"input[{at}]", memory)
    _check_order([*before, *items])
    choice = fields.get("tool_choice")
    reasoning = fields.get("reasoning") or {}
    include = fields.get("include") or []
    tools = _tools(fields)
    metadata = fields.get("metadata")
    return Ask(
        model=fields["model"],
        asked=request.raw("previous_response_id") + request.raw("input"),
        stream=bool(fields.get("stream")),
        told=metadata.get("fake") if isinstance(metadata, dict) else None,
        limit=fields.get("max_output_tokens"),
        tools=() if choice == "none" else _chosen(tools, choice),
        forced=choice == "required" or (isinstance(choice, dict) and choice.get("type") == "function"),
        is_answered=bool(items) and items[-1].get("type") == "function_call_output",
        schema=_schema(fields),
        thinks=reasoning.get("summary") is not None or reasoning.get("effort") not in {None, "none"},
        is_sealed="reasoning.encrypted_content" in include,
        logprobs="message.output_text.logprobs" in include,
        fields={**fields, "input": [*before, *items]},
    )


def _check_numbers(fields: dict[str, Any]) -> None:
    limit = fields.get("max_output_tokens")
    if limit is not None and limit < _LEAST_LIMIT:
        told = f"integer below minimum value. Expected a value >= {_LEAST_LIMIT}, but got {limit} instead."
        raise bad(f"Invalid 'max_output_tokens': {told}", "max_output_tokens", "integer_below_min_value")
    reasons = _REASONS.match(fields["model"]) is not None
    for name, most in (("temperature", 2), ("top_p", 1)):
        value = fields.get(name)
        if value is None:
            continue
        if reasons and value != 1:
            raise bad(f"Unsupported parameter: '{name}' is not supported with this model.", name)
        if not 0 <= value <= most:
            told = f"decimal above maximum value. Expected a value <= {most}, but got {value} instead."
            raise bad(f"Invalid '{name}': {told}", name, "decimal_above_max_value")


def _previous(fields: dict[str, Any], memory: Memory) -> list[dict[str, Any]]:
    """All that was said before, where the request continues a response that the fake has kept."""
    known = fields.get("previous_response_id")
    if known is None:
        return []
    if known not in memory:
        told = f"Previous response with id '{known}' not found."
        raise bad(told, "previous_response_id", "previous_response_not_found")
    kept = memory[known]
    return [*kept["input"], *kept["response"]["output"]]


def _check_item(item: Any, where: str, memory: Memory) -> None:
    kind = item.get("type", "message" if "role" in item else None) if isinstance(item, dict) else None
    if kind in _SERVED:
        return
    if kind not in _ITEMS:
        supported = ", ".join(f"'{name}'" for name in _ITEMS)
        raise bad(f"Invalid value: '{kind}'. Supported values are: {supported}.", where, "invalid_value")
    for name in item:
        if name not in _ITEMS[kind]:
            raise bad(f"Unknown parameter: '{where}.{name}'.", f"{where}.{name}", "unknown_parameter")
    if kind == "message":
        _check_message(item, where)
    elif kind == "reasoning":
        _check_reasoning(item, where, memory)
    elif kind == "item_reference" and item.get("id") not in memory:
        raise Refusal(OPENAI.refuse(404, f"Item with id '{item.get('id')}' not found.", None, "input"))
    elif kind.startswith("function_call"):
        for name in ("call_id", *(("output",) if kind.endswith("output") else ("name", "arguments"))):
            if item.get(name) is None:
                told = f"Missing required parameter: '{where}.{name}'."
                raise bad(told, f"{where}.{name}", "missing_required_parameter")


def _check_message(item: dict[str, Any], where: str) -> None:
    role = item.get("role")
    if role not in _ROLES:
        told = f"Invalid value: '{role}'. Supported values are: 'assistant', 'system', 'developer', and 'user'."
        raise bad(told, where, "invalid_value")
    content = item.get("content")
    if content is None:
        raise bad(f"Missing required parameter: '{where}.content'.", f"{where}.content", "missing_required_parameter")
    allowed = ("output_text", "refusal") if role == "assistant" else ("input_text", "input_image", "input_file")
    for at, part in enumerate(content if isinstance(content, list) else []):
        kind = part.get("type") if isinstance(part, dict) else None
        if kind not in allowed:
            supported = " and ".join(f"'{name}'" for name in allowed)
            told = f"Invalid value: '{kind}'. Supported values are: {supported}."
            raise bad(told, f"{where}.content[{at}]", "invalid_value")
        if kind == "input_image" and not isinstance(part.get("image_url", ""), str):
            told = (
                f"Invalid type for '{where}.content[{at}].image_url': expected an image URL, but got an object instead."
            )
            raise bad(told, f"{where}.content[{at}].image_url", "invalid_type")


def _check_reasoning(item: dict[str, Any], where: str, memory: Memory) -> None:
    if not isinstance(item.get("summary"), list):
        told = f"Missing required parameter: '{where}.summary'."
        raise bad(told, f"{where}.summary", "missing_required_parameter")
    known, sealed = item.get("id"), item.get("encrypted_content")
    if sealed is None:
        if known is not None and known not in memory:
            told = "Items are not persisted when `store` is set to false. Try again with `store` set to true, or remove"
            message = f"Item with id '{known}' not found. {told} this item from your input."
            raise Refusal(OPENAI.refuse(404, message, None, "input"))
        return
    if judge("openai", sealed, "") != "own":
        shown = f"{str(sealed)[:4]}...{str(sealed)[-4:]}"
        told = "Reason: Encrypted content could not be decrypted or parsed."
        raise bad(f"The encrypted content {shown} could not be verified. {told}", None, "invalid_encrypted_content")
    if known is not None and make_seal("openai", str(known).removeprefix("rs_"), "") != sealed:
        told = (
            f"The encrypted content for item {known} could not be verified. Reason: Encrypted content item_id did not"
        )
        raise bad(f"{told} match the target item id.", None, "invalid_encrypted_content")


def _check_order(items: list[dict[str, Any]]) -> None:
    """Calls and outputs belong together, and so do reasoning and what came of it."""
    calls = {item["call_id"] for item in items if item.get("type") == "function_call"}
    outputs = {item["call_id"] for item in items if item.get("type") == "function_call_output"}
    if lone := sorted(outputs - calls):
        raise bad(f"No tool call found for function call output with call_id {lone[0]}.", "input")
    if lone := sorted(calls - outputs):
        raise bad(f"No tool output found for function call {lone[0]}.", "input")
    thoughts: set[str] = set()
    for at, item in enumerate(items):
        known, kind = str(item.get("id") or ""), item.get("type", "message")
        if kind == "reasoning":
            thoughts.add(known)
            following = items[at + 1] if at + 1 < len(items) else {}
            if not (following.get("type") in {"function_call", "reasoning"} or following.get("role") == "assistant"):
                told = f"Item '{known}' of type 'reasoning' was provided without its required following item."
                raise bad(told, "input")
        needed = f"rs_{known.partition('_')[2][:_ID]}"
        if known.endswith(THOUGHTFUL) and needed not in thoughts and "" not in thoughts:
            told = f"Item '{known}' of type '{kind}' was provided without its required 'reasoning' item: '{needed}'."
            raise bad(told, "input")


def _tools(fields: dict[str, Any]) -> list[Tool]:
    tools = []
    for at, tool in enumerate(fields.get("tools") or []):
        if tool.get("type") != "function":
            continue  # a tool that OpenAI runs: nothing for the caller to call
        if not tool.get("name"):
            raise bad(
                f"Missing required parameter: 'tools[{at}].name'.", f"tools[{at}].name", "missing_required_parameter"
            )
        for name in set(tool) - _TOOL:
            raise bad(f"Unknown parameter: 'tools[{at}].{name}'.", f"tools[{at}].{name}", "unknown_parameter")
        schema = tool.get("parameters") or {"type": "object", "properties": {}}
        if tool.get("strict"):
            check_strict(schema, f"Invalid schema for function '{tool['name']}'", f"tools[{at}].parameters")
        tools.append(Tool(tool["name"], schema))
    return tools


def _chosen(tools: list[Tool], choice: Any) -> tuple[Tool, ...]:
    if not isinstance(choice, dict) or choice.get("type") != "function":
        return tuple(tools)
    found = tuple(tool for tool in tools if tool.name == choice.get("name"))
    if not found:
        raise bad(f"Tool choice 'function' not found in 'tools' parameter: {choice.get('name')}.", "tool_choice")
    return found


def _schema(fields: dict[str, Any]) -> dict[str, Any] | None:
    wanted = (fields.get("text") or {}).get("format") or {}
    if wanted.get("type") == "json_object":
        return {"type": "object", "properties": {"answer": {"type": "string"}}}
    if wanted.get("type") != "json_schema":
        return None
    for name in ("name", "schema"):
        if not wanted.get(name):
            told = f"Missing required parameter: 'text.format.{name}'."
            raise bad(told, f"text.format.{name}", "missing_required_parameter")
    schema: dict[str, Any] = wanted["schema"]
    if wanted.get("strict"):
        check_strict(schema, f"Invalid schema for response_format '{wanted['name']}'", "text.format.schema")
    return schema
