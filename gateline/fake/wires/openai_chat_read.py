"""OpenAI's chat completions, read: what is asked, and 400 in OpenAI's words for what OpenAI refuses. Pure.

Unknown arguments are refused by a strict script and for OpenAI's own models only: the fake stands for the many vendors
that speak this format with additions, and for the OpenAI of tomorrow.
"""

from __future__ import annotations

import re
from typing import Any

from gateline.fake.ask import Ask, Tool
from gateline.fake.objects import OPENAI
from gateline.fake.reply import Refusal
from gateline.fake.request import Request
from gateline.fake.wires.names import names

KNOWN = names(
    """audio frequency_penalty function_call functions logit_bias logprobs max_completion_tokens max_tokens messages
    metadata modalities model moderation n parallel_tool_calls prediction presence_penalty prompt_cache_key
    prompt_cache_options prompt_cache_retention reasoning_effort response_format safety_identifier seed service_tier
    stop store stream stream_options temperature tool_choice tools top_logprobs top_p user verbosity
    web_search_options"""
)
_MESSAGE = names("role content name tool_calls tool_call_id function_call refusal audio annotations")
_ROLES = ("system", "assistant", "user", "function", "tool", "developer")
_OWN = re.compile(r"(gpt-|chatgpt-|o[1-9](?![a-z]))")
_REASONS = re.compile(r"(gpt-5(?!.*chat)|o[1-9](?![a-z]))")
_NAME = re.compile(r"[a-zA-Z0-9_-]+")
MAX_CHOICES = 8


def bad(message: str, param: str | None = None, code: str | None = None) -> Refusal:
    return Refusal(OPENAI.refuse(400, message, code, param))


def read_object(request: Request, model: str | None = None) -> dict[str, Any]:
    """The body, which names a model unless the path did. Raises Refusal."""
    try:
        fields = request.json()
    except ValueError as error:
        raise bad(f"We could not parse the JSON body of your request: {error}") from error
    if model is not None:
        return {**fields, "model": model}
    if not isinstance(fields.get("model"), str):
        raise bad("you must provide a model parameter", "model")
    return fields


def read_chat(request: Request, model: str | None = None) -> Ask:
    """`model` wins over the body's where the path names it. Raises Refusal."""
    fields = read_object(request, model)
    name = fields["model"].rpartition("/")[2]
    messages = fields.get("messages")
    if messages is None:
        raise bad("Missing required parameter: 'messages'.", "messages", "missing_required_parameter")
    _check_numbers(fields, reasons=_REASONS.match(name) is not None)
    _check_messages(messages)
    tools = _tools(fields)
    choice = fields.get("tool_choice")
    limit = fields.get("max_completion_tokens")
    metadata = fields.get("metadata") or {}
    return Ask(
        model=fields["model"],
        asked=request.raw("messages"),
        stream=bool(fields.get("stream")),
        told=metadata.get("fake") if isinstance(metadata, dict) else None,
        limit=limit if limit is not None else fields.get("max_tokens"),
        tools=() if choice == "none" else _chosen(tools, choice),
        forced=choice == "required" or isinstance(choice, dict),
        is_answered=bool(messages) and isinstance(messages[-1], dict) and messages[-1].get("role") == "tool",
        schema=_schema(fields, request),
        logprobs=bool(fields.get("logprobs")),
        tells_usage=bool((fields.get("stream_options") or {}).get("include_usage")),
        choices=fields.get("n") or 1,
        fields=fields,
    )


def check_arguments(ask: Ask, model: str) -> None:
    """Refuses arguments that OpenAI does not know, of its own models. Raises Refusal."""
    unknown = sorted(set(ask.fields) - KNOWN) if _OWN.match(model) else []
    if unknown:
        raise bad(f"Unrecognized request argument{'s' if unknown[1:] else ''} supplied: {', '.join(unknown)}")
    for at, message in enumerate(ask.fields["messages"] if _OWN.match(model) else []):
        for name in set(message) - _MESSAGE:
            raise bad(f"Unknown parameter: 'messages[{at}].{name}'.", f"messages[{at}].{name}", "unknown_parameter")


def _check_numbers(fields: dict[str, Any], *, reasons: bool) -> None:
    for name, least, most in (
        ("temperature", 0, 2),
        ("top_p", 0, 1),
        ("presence_penalty", -2, 2),
        ("n", 1, MAX_CHOICES),
    ):
        value = fields.get(name)
        if value is not None and not isinstance(value, int | float):
            raise bad(f"Invalid type for '{name}': expected a decimal.", name, "invalid_type")
        if value is not None and not least <= value <= most:
            kind = "integer" if name == "n" else "decimal"
            word, sign = ("above maximum", f"<= {most}") if value > most else ("below minimum", f">= {least}")
            raise bad(
                f"Invalid '{name}': {kind} {word} value. Expected a value {sign}, but got {value} instead.",
                name,
                f"{kind}_above_max_value" if value > most else f"{kind}_below_min_value",
            )
    for name in ("max_tokens", "max_completion_tokens"):
        value = fields.get(name)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
            raise bad(f"Invalid type for '{name}': expected an integer.", name, "invalid_type")
    stop = fields.get("stop")
    if isinstance(stop, list) and len(stop) > 4:
        told = f"array with maximum length 4, but got an array with length {len(stop)} instead."
        raise bad(f"Invalid 'stop': array too long. Expected an {told}", "stop", "array_above_max_length")
    if reasons and fields.get("max_tokens") is not None:
        told = "'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
        raise bad(f"Unsupported parameter: {told}", "max_tokens", "unsupported_parameter")
    if reasons and fields.get("temperature") not in {None, 1}:
        told = f"does not support {fields['temperature']} with this model. Only the default (1) value is supported."
        raise bad(f"Unsupported value: 'temperature' {told}", "temperature", "unsupported_value")


def _check_messages(messages: Any) -> None:
    if not isinstance(messages, list):
        raise bad("Invalid type for 'messages': expected an array of objects.", "messages", "invalid_type")
    open_calls: list[str] = []
    for at, message in enumerate(messages):
        where = f"messages.[{at}]"
        role = message.get("role") if isinstance(message, dict) else None
        if role not in _ROLES:
            supported = ", ".join(f"'{name}'" for name in _ROLES[:-1])
            told = f"Invalid value: '{role}'. Supported values are: {supported}, and 'developer'."
            raise bad(told, f"messages[{at}].role", "invalid_value")
        if role == "tool":
            if message.get("tool_call_id") not in open_calls:
                told = "messages with role 'tool' must be a response to a preceeding message with 'tool_calls'."
                raise bad(f"Invalid parameter: {told}", f"{where}.role")
            open_calls.remove(message["tool_call_id"])
            continue
        if open_calls:
            raise _unanswered(open_calls, at)
        open_calls = [str(call.get("id")) for call in message.get("tool_calls") or []]
        _check_content(message, role, where)
    if open_calls:
        raise _unanswered(open_calls, len(messages))


def _unanswered(calls: list[str], at: int) -> Refusal:
    told = "An assistant message with 'tool_calls' must be followed by tool messages responding to each"
    missing = ", ".join(calls)
    return bad(
        f"{told} 'tool_call_id'. The following tool_call_ids did not have response messages: {missing}",
        f"messages.[{at}].role",
    )


def _check_content(message: dict[str, Any], role: str, where: str) -> None:
    content = message.get("content")
    if content is None and role != "assistant":
        raise bad("Invalid value for 'content': expected a string, got null.", f"{where}.content")
    for at, part in enumerate(content if isinstance(content, list) else []):
        kind = part.get("type") if isinstance(part, dict) else None
        allowed = ("text", "refusal") if role == "assistant" else ("text", "image_url", "input_audio", "file")
        if kind not in allowed:
            supported = ", ".join(f"'{name}'" for name in allowed)
            told = f"Invalid value: '{kind}'. Supported values are: {supported}."
            raise bad(told, f"{where}.content[{at}].type", "invalid_value")
        if kind == "image_url":
            url = str((part.get("image_url") or {}).get("url", ""))
            if not re.match(r"https?://|data:image/(png|jpeg|gif|webp);base64,", url):
                told = "Invalid MIME type. Only image types are supported."
                raise bad(told, f"{where}.content[{at}].image_url.url", "invalid_image_format")


def _tools(fields: dict[str, Any]) -> list[Tool]:
    offered = fields.get("tools") or []
    if not offered and fields.get("tool_choice") is not None:
        raise bad(
            "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified.", "tool_choice"
        )
    tools = []
    for at, tool in enumerate(offered):
        function = tool.get("function") if isinstance(tool, dict) and tool.get("type") == "function" else None
        if not isinstance(function, dict):
            raise bad(f"Missing required parameter: 'tools[{at}].function'.", f"tools[{at}].function")
        name = str(function.get("name", ""))
        if not _NAME.fullmatch(name) or len(name) > 64:
            told = "string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'."
            raise bad(f"Invalid 'tools[{at}].function.name': {told}", f"tools[{at}].function.name", "invalid_value")
        schema = function.get("parameters") or {"type": "object", "properties": {}}
        if function.get("strict"):
            check_strict(schema, f"Invalid schema for function '{name}'", f"tools[{at}].function.parameters")
        tools.append(Tool(name, schema))
    return tools


def check_strict(schema: dict[str, Any], told: str, param: str) -> None:
    """Structured outputs want every object closed and every property required (guides/structured-outputs)."""
    if schema.get("type") != "object":
        told = f"{told}: schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{schema.get('type')}\"'."
        raise bad(told, param, "invalid_function_parameters")
    if schema.get("additionalProperties") is not False:
        told = f"{told}: In context=(), 'additionalProperties' is required to be supplied and to be false."
        raise bad(told, param, "invalid_json_schema")
    missing = sorted(set(schema.get("properties") or {}) - set(schema.get("required") or []))
    if missing:
        told = f"{told}: In context=(), 'required' is required to be supplied and to be an array including every key in"
        raise bad(f"{told} properties. Missing '{missing[0]}'.", param, "invalid_json_schema")


def _chosen(tools: list[Tool], choice: Any) -> tuple[Tool, ...]:
    """The tools that may be called: the one that the choice names, or all."""
    if not isinstance(choice, dict):
        return tuple(tools)
    name = (choice.get("function") or choice).get("name")
    found = tuple(tool for tool in tools if tool.name == name)
    if choice.get("type") == "function" and not found:
        raise bad(f"Tool choice 'function' not found in 'tools' parameter: {name}.", "tool_choice")
    return found or tuple(tools)


def _schema(fields: dict[str, Any], request: Request) -> dict[str, Any] | None:
    wanted = fields.get("response_format") or {}
    kind = wanted.get("type")
    if kind == "json_object":
        if b"json" not in request.raw("messages").lower():
            told = "must contain the word 'json' in some form, to use 'response_format' of type 'json_object'."
            raise bad(f"'messages' {told}", "messages")
        return {"type": "object", "properties": {"answer": {"type": "string"}}}
    if kind == "json_schema":
        given = wanted.get("json_schema") or {}
        if not given.get("name"):
            told = "Missing required parameter: 'response_format.json_schema.name'."
            raise bad(told, "response_format.json_schema.name", "missing_required_parameter")
        schema: dict[str, Any] = given.get("schema") or {"type": "object"}
        if given.get("strict"):
            told = f"Invalid schema for response_format '{given['name']}'"
            check_strict(schema, told, "response_format")
        return schema
    return None
