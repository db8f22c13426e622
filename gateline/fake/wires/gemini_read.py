"""Gemini's generateContent, read: what is asked, and 400 in Google's words for what Google refuses. Pure.

After ai.google.dev/api/generate-content and ai.google.dev/gemini-api/docs/thought-signatures. Google reads JSON as
protocol buffers: names in camel and in snake case, and no unknown ones.
"""

from __future__ import annotations

import re
from base64 import b64encode
from typing import Any

from gateline.fake.ask import Ask, Tool
from gateline.fake.reply import Refusal, Voice
from gateline.fake.request import Request
from gateline.fake.seal import judge
from gateline.fake.wires.names import names

_TOP = names(
    """contents tools toolConfig safetySettings systemInstruction generationConfig cachedContent labels model
    serviceTier store"""
)
_CONFIG = names(
    """stopSequences responseMimeType responseSchema responseJsonSchema _responseJsonSchema responseModalities
    candidateCount maxOutputTokens temperature topP topK seed presencePenalty frequencyPenalty responseLogprobs
    logprobs enableEnhancedCivicAnswers speechConfig thinkingConfig imageConfig mediaResolution audioTimestamp
    responseFormat"""
)
_THINKING = frozenset({"includeThoughts", "thinkingBudget", "thinkingLevel"})
_DECLARATION = frozenset(
    {"name", "description", "parameters", "parametersJsonSchema", "response", "responseJsonSchema", "behavior"}
)
_PART = names(
    """text inlineData fileData functionCall functionResponse executableCode codeExecutionResult toolCall toolResponse
    thought thoughtSignature videoMetadata partMetadata mediaResolution"""
)
_SCHEMA = names(
    """type format title description nullable enum maxItems minItems properties required minProperties maxProperties
    minLength maxLength pattern example anyOf propertyOrdering default items minimum maximum"""
)
_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,127}")
_SIGNED = re.compile(r"gemini-3")
_SKIPS = ("skip_thought_signature_validator", "context_engineering_is_the_way_to_go")
# The documentation gives these as strings; clients whose field is of bytes send their base64.
SKIPPED = frozenset(_SKIPS) | {b64encode(text.encode()).decode() for text in _SKIPS}
_DOCS = "https://ai.google.dev/gemini-api/docs/thought-signatures"
MAX_CANDIDATES = 8


class Rules:
    """The rules of one request: `voice` says no."""

    def __init__(self, voice: Voice) -> None:
        self._voice = voice

    def bad(self, message: str) -> Refusal:
        return Refusal(self._voice.refuse(400, message))

    def fields(self, request: Request) -> dict[str, Any]:
        """The body, its names in camel case. Raises Refusal."""
        try:
            fields: dict[str, Any] = camel(request.json())
        except ValueError as error:
            raise self.bad(f"Invalid JSON payload received. {error}") from error
        return fields

    def known(self, given: dict[str, Any], names: frozenset[str], where: str = "") -> None:
        unknown = sorted(set(given) - names)
        if unknown:
            at = f" at '{where}'" if where else ""
            raise self.bad(f'Invalid JSON payload received. Unknown name "{unknown[0]}"{at}: Cannot find field.')

    def read(self, request: Request, model: str, *, stream: bool) -> Ask:
        """Raises Refusal."""
        fields = self.fields(request)
        self.known(fields, _TOP)
        config = fields.get("generationConfig") or {}
        self.known(config, _CONFIG, "generation_config")
        thinking = config.get("thinkingConfig") or {}
        self.known(thinking, _THINKING, "generation_config.thinking_config")
        contents = fields.get("contents")
        if not contents:
            raise self.bad("* GenerateContentRequest.contents: contents is not specified\n")
        contents = contents if isinstance(contents, list) else [contents]
        self._check_contents(contents, model)
        self._check_config(config)
        calling = (fields.get("toolConfig") or {}).get("functionCallingConfig") or {}
        mode = str(calling.get("mode", "AUTO")).upper()
        tools = self._tools(fields.get("tools") or [])
        allowed = calling.get("allowedFunctionNames")
        if allowed and mode not in {"ANY", "VALIDATED"}:
            raise self.bad("Function calling config is set without the mode ANY while allowed_function_names is set.")
        return Ask(
            model=model,
            asked=request.raw("contents"),
            stream=stream,
            limit=config.get("maxOutputTokens"),
            tools=() if mode == "NONE" else tuple(tool for tool in tools if not allowed or tool.name in allowed),
            forced=mode == "ANY",
            is_answered=any("functionResponse" in part for part in contents[-1].get("parts") or []),
            schema=self._schema(config),
            thinks=bool(thinking.get("includeThoughts")),
            is_sealed=_SIGNED.match(model) is not None,
            logprobs=bool(config.get("responseLogprobs")),
            choices=config.get("candidateCount") or 1,
        )

    def _check_config(self, config: dict[str, Any]) -> None:
        count = config.get("candidateCount")
        if count is not None and not 1 <= count <= MAX_CANDIDATES:
            raise self.bad(
                f"* GenerateContentRequest.generation_config.candidate_count: must be in [1, {MAX_CANDIDATES}]\n"
            )
        temperature = config.get("temperature")
        if temperature is not None and not 0 <= temperature <= 2:
            raise self.bad(
                "* GenerateContentRequest.generation_config.temperature: temperature must be in the range [0.0, 2.0].\n"
            )
        limit = config.get("maxOutputTokens")
        if limit is not None and limit < 1:
            raise self.bad("max_output_tokens must be positive.")
        if config.get("logprobs") is not None and not config.get("responseLogprobs"):
            raise self.bad("Logprobs is set without response_logprobs.")
        if len(config.get("stopSequences") or []) > 5:
            raise self.bad("* GenerateContentRequest.generation_config.stop_sequences: at most 5 stop sequences\n")
        if "thinkingBudget" in (thinking := config.get("thinkingConfig") or {}) and "thinkingLevel" in thinking:
            raise self.bad("You can only set only one of thinking budget and thinking level.")

    def _schema(self, config: dict[str, Any]) -> dict[str, Any] | None:
        schema = config.get("responseSchema")
        loose = config.get("responseJsonSchema") or config.get("_responseJsonSchema")
        mime = config.get("responseMimeType")
        if (schema or loose) and mime not in {"application/json", "text/x.enum"}:
            raise self.bad("Function calling or a response schema needs response_mime_type: application/json")
        if schema:
            self._check_schema(schema, "generation_config.response_schema")
        if mime == "application/json":
            found: dict[str, Any] = schema or loose or {"type": "object", "properties": {"answer": {"type": "string"}}}
            return found
        return None

    def _check_schema(self, schema: Any, where: str) -> None:
        """Google's schemas are a part of OpenAPI's: what else JSON Schema has is an unknown field."""
        if not isinstance(schema, dict):
            raise self.bad(f"Invalid value at '{where}' (type.googleapis.com/google.ai.generativelanguage.Schema)")
        self.known(schema, _SCHEMA, where)
        if isinstance(schema.get("type"), list):
            raise self.bad(f"Invalid value at '{where}.type' (Type), unknown enum value")
        for name, inner in (schema.get("properties") or {}).items():
            self._check_schema(inner, f"{where}.properties[{name}]")
        if "items" in schema:
            self._check_schema(schema["items"], f"{where}.items")
        for at, inner in enumerate(schema.get("anyOf") or []):
            self._check_schema(inner, f"{where}.any_of[{at}]")

    def _tools(self, offered: list[dict[str, Any]]) -> list[Tool]:
        tools = []
        for at, tool in enumerate(offered):
            for index, declared in enumerate(tool.get("functionDeclarations") or []):
                where = f"tools[{at}].function_declarations[{index}]"
                self.known(declared, _DECLARATION, where)
                if not _NAME.fullmatch(str(declared.get("name", ""))):
                    told = "Invalid function name. Must start with a letter or an underscore."
                    raise self.bad(f"* GenerateContentRequest.{where}.name: {told}\n")
                if "parameters" in declared and "parametersJsonSchema" in declared:
                    raise self.bad(f"{where}: parameters and parameters_json_schema are mutually exclusive")
                if declared.get("parameters"):
                    self._check_schema(declared["parameters"], f"{where}.parameters")
                schema = declared.get("parameters") or declared.get("parametersJsonSchema") or {"type": "object"}
                tools.append(Tool(declared["name"], schema))
        return tools

    def _check_contents(self, contents: list[dict[str, Any]], model: str) -> None:
        called = 0
        for at, content in enumerate(contents):
            self.known(content, frozenset({"role", "parts"}), f"contents[{at}]")
            if content.get("role") not in {None, "user", "model", "function"}:
                raise self.bad("Please use a valid role: user, model.")
            parts = content.get("parts")
            if not parts:
                raise self.bad(f"* GenerateContentRequest.contents[{at}].parts: contents.parts must not be empty.\n")
            for index, part in enumerate(parts):
                self._check_part(part, f"contents[{at}].parts[{index}]")
            answers = sum("functionResponse" in part for part in parts)
            if answers and not called:
                raise self.bad(
                    "Please ensure that function response turn comes immediately after a function call turn."
                )
            if called and answers != called:
                told = "the number of function response parts is equal to the number of function call parts"
                raise self.bad(f"Please ensure that {told} of the function call turn.")
            called = sum("functionCall" in part for part in parts)
            if called and (at == 0 or contents[at - 1].get("role") == "model"):
                told = "function call turn comes immediately after a user turn or after a function response turn."
                raise self.bad(f"Please ensure that {told}")
        if _SIGNED.match(model):
            self._check_signed(contents)

    def _check_part(self, part: dict[str, Any], where: str) -> None:
        self.known(part, _PART, where)
        data = [
            name for name in part if name not in {"thought", "thoughtSignature", "videoMetadata", "mediaResolution"}
        ]
        if len(data) != 1 and (data or "thoughtSignature" not in part):
            kind = "more than one" if data else "no"
            raise self.bad(
                f"* GenerateContentRequest.{where}.data: required oneof field 'data' must have one initialized field, "
                f"not {kind}\n"
            )
        signature = part.get("thoughtSignature")
        if signature is None or signature in SKIPPED:
            return
        name = str((part.get("functionCall") or {}).get("name", ""))
        if judge("gemini", signature, name) != "own":
            raise self.bad("Thought signature is not valid.")

    def _check_signed(self, contents: list[dict[str, Any]]) -> None:
        """In the current turn, the first call of each step has its signature."""
        begin = max(
            (at for at, content in enumerate(contents) if content.get("role") != "model" and self._says(content)),
            default=0,
        )
        for at in range(begin, len(contents)):
            first = next((part for part in contents[at]["parts"] if "functionCall" in part), None)
            if first is not None and contents[at].get("role") == "model" and not first.get("thoughtSignature"):
                told = (
                    "Function call is missing a thought_signature in functionCall parts. This is required for tools to "
                    "work correctly, and missing thought_signature may lead to degraded model performance. Additional "
                    f"data, function call `default_api:{first['functionCall'].get('name')}` , position {at + 1}."
                )
                raise self.bad(f"{told} Please refer to {_DOCS} for more details.")

    def _says(self, content: dict[str, Any]) -> bool:
        return any("functionResponse" not in part for part in content["parts"])


# Of these the values' names are the caller's own.
_OPAQUE = frozenset(
    {"args", "response", "parametersJsonSchema", "responseJsonSchema", "_responseJsonSchema", "default"}
)


def camel(value: Any) -> Any:
    """Names in camel case, however they came; the names of properties and what tools take and give stay as they are."""
    if isinstance(value, list):
        return [camel(item) for item in value]
    if not isinstance(value, dict):
        return value
    made: dict[str, Any] = {}
    for name, inner in value.items():
        known = re.sub(r"(?<=[a-z0-9])_([a-z])", lambda found: found[1].upper(), name)
        if known == "properties" and isinstance(inner, dict):
            made[known] = {own: camel(schema) for own, schema in inner.items()}
        elif known == "functionResponse" and isinstance(inner, dict):
            made[known] = inner
        else:
            made[known] = inner if known in _OPAQUE else camel(inner)
    return made
