"""A client's messages as turns. Mistakes are named by their place, such as `messages[2].content[0].type`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from gateline.formats.openai.media import read_audio, read_file, read_url
from gateline.formats.openai.message import (
    Annotation,
    Audio,
    CacheControl,
    ContentPart,
    MediaUrl,
    Message,
    ToolCall,
)
from gateline.formats.openai.reasoning_details import read_details
from gateline.model.chat import (
    CacheLife,
    Citation,
    Media,
    Part,
    Reasoning,
    Refusal,
    Role,
    Seal,
    Text,
    ToolResult,
    ToolUse,
    Turn,
)
from gateline.model.errors import BadRequest

_MEDIA = frozenset({"image_url", "video_url", "input_audio", "file", "document_url", "file_url"})
_RESULTS = frozenset({"tool", "function"})
_ROLES: dict[str, Role] = {"system": "system", "developer": "developer", "user": "user", "assistant": "assistant"}


def read_turns(messages: Sequence[Message], unmapped: list[str]) -> list[Turn]:
    """The turns of `messages`; what has no place in them is named in `unmapped`. Raises BadRequest."""
    turns: list[Turn] = []
    last: Message | None = None
    called: dict[str, str] = {}  # of functions (the old way, without ids): the id made for the last call of each
    for at, message in enumerate(messages):
        place = f"messages[{at}]"
        if message.role in _RESULTS:
            result = _result(message, place, unmapped, called)
            if last is not None and last.role in _RESULTS:
                turns[-1].parts.append(result)
            else:
                turns.append(Turn(role="user", parts=[result]))
        else:
            role = _ROLES.get(message.role)
            if role is None:
                _refuse(f"{place}.role", f"{message.role!a} is no role")
            if role == "assistant":
                parts = _assistant(message, place, unmapped, called)
            else:
                parts = _content(message, place, unmapped)
                if not parts:
                    _refuse(f"{place}.content", "it must not be empty")
            if parts:
                turns.append(Turn(role=role, parts=parts, name=message.name or ""))
        last = message
    return turns


def read_cache(part_cache: CacheControl | None) -> CacheLife:
    if part_cache is None:
        return ""
    return "1h" if part_cache.ttl == "1h" else "5m"


def _content(message: Message, place: str, unmapped: list[str]) -> list[Part]:
    content = message.content
    if isinstance(content, str):
        return [Text(text=content)]
    if not isinstance(content, list):
        _refuse(f"{place}.content", "a string or a list of parts is required", code="missing_required_parameter")
    return [_part(part, f"{place}.content[{at}]", unmapped) for at, part in enumerate(content)]


def _part(part: ContentPart, place: str, unmapped: list[str]) -> Text | Media | Refusal | Reasoning:
    cache = read_cache(part.cache_control) or ("5m" if part.prompt_cache_breakpoint else "")
    kind = part.type
    if kind == "text":
        if part.text is None:
            _refuse(f"{place}.text", "a string is required", code="missing_required_parameter")
        return Text(text=part.text, cache=cache)
    if kind == "refusal":
        return Refusal(text=part.refusal or "")
    if kind == "thinking":
        return Reasoning(text=_thought(part.thinking))
    found = _media(part)
    if found is None:
        if kind in _MEDIA:
            _refuse(f"{place}.{kind}", "it is required", code="missing_required_parameter")
        _refuse(f"{place}.type", f"{kind!a} is no type of content")
    if not (found.data or found.url or found.file_id):
        _refuse(f"{place}.{kind}", "it is empty")
    if cache:
        found.cache = cache
    return found


def _media(part: ContentPart) -> Media | None:
    if part.type == "image_url" and part.image_url is not None:
        url = part.image_url
        return read_url("image", _address(url), detail=(url.detail or "") if isinstance(url, MediaUrl) else "")
    if part.type == "video_url" and part.video_url is not None:
        return read_url("video", _address(part.video_url))
    if part.type == "input_audio" and part.input_audio is not None:
        return read_audio(part.input_audio)
    if part.type == "file" and part.file is not None:
        return read_file(part.file)
    if part.type == "document_url" and part.document_url is not None:
        return read_url("file", part.document_url)
    if part.type == "file_url" and part.file_url is not None:
        return read_url("file", _address(part.file_url))
    return None


def _thought(found: object) -> str:
    pieces = found if isinstance(found, list) else [{"text": found}]
    texts = (piece.get("text") for piece in pieces if isinstance(piece, dict))
    return "".join(text for text in texts if isinstance(text, str))


def _address(url: MediaUrl | str) -> str:
    return url if isinstance(url, str) else url.url


def _assistant(message: Message, place: str, unmapped: list[str], called: dict[str, str]) -> list[Part]:
    """Reasoning first, then what was said, then the tools that were called: in the order they came about."""
    calls = message.tool_calls or ()
    details = message.reasoning_details
    known = read_details(details, {call.id for call in calls if call.id}) if details else None
    parts: list[Part] = list(known.reasoning) if known is not None else []
    if not any(isinstance(part, Reasoning) and part.text for part in parts):
        words = message.reasoning_content or message.reasoning
        if isinstance(words, str) and words:
            parts.insert(0, Reasoning(text=words))
    if isinstance(message.content, str):
        if message.content:
            parts.append(Text(text=message.content))
    elif isinstance(message.content, list):
        parts += _content(message, place, unmapped)
    _add_to_text(parts, message.annotations, known.text if known is not None else None)
    if message.refusal:
        parts.append(Refusal(text=message.refusal))
    if message.audio is not None:
        parts.append(read_spoken(message.audio))
    seals = known.tools if known is not None else {}
    for at, call in enumerate(calls):
        use = _use(call, f"{place}.tool_calls[{at}]", seals, unmapped)
        if use is not None:
            parts.append(use)
    function = message.function_call
    if function is not None:
        called[function.name] = f"call_{place}"
        parts.append(ToolUse(id=called[function.name], name=function.name, arguments=function.arguments or ""))
    return parts


def _add_to_text(parts: list[Part], annotations: Sequence[Annotation] | None, seal: Seal | None) -> None:
    if not annotations and seal is None:
        return
    text = next((part for part in reversed(parts) if isinstance(part, Text)), None)
    if text is None:
        if seal is not None:
            parts.append(Text(text="", seal=seal))
        return
    text.seal = seal
    if annotations:
        text.citations = read_annotations(annotations)


def read_annotations(annotations: Sequence[Annotation]) -> list[Citation]:
    return [
        Citation(url=found.url, title=found.title or "", start=found.start_index, end=found.end_index)
        for annotation in annotations
        if (found := annotation.url_citation) is not None
    ]


def read_spoken(audio: Audio) -> Media:
    return Media(kind="audio", file_id=audio.id or "", data=audio.data or "", transcript=audio.transcript or "")


def _use(call: ToolCall, place: str, seals: dict[str, Seal], unmapped: list[str]) -> ToolUse | None:
    function = call.function
    if function is None:
        if call.type == "custom":
            unmapped.append(f"{place}.custom")
            return None
        _refuse(f"{place}.function", "it is required", code="missing_required_parameter")
    if not call.id:
        _refuse(f"{place}.id", "a string is required", code="missing_required_parameter")
    return ToolUse(
        id=call.id,
        name=function.name,
        arguments=function.arguments or "",
        seal=seals.get(call.id) or google_seal(call),
    )


def google_seal(call: ToolCall) -> Seal | None:
    """The signature that Google's own OpenAI-compatible endpoint puts on a tool call."""
    extra = call.extra_content
    if extra is None or extra.google is None or not extra.google.thought_signature:
        return None
    return Seal("gemini", extra.google.thought_signature)


def _result(message: Message, place: str, unmapped: list[str], called: dict[str, str]) -> ToolResult:
    if message.role == "function":
        name = message.name or ""
        tool_id = called.get(name)
        if tool_id is None:
            _refuse(f"{place}.name", "it must name the function that was called")
    else:
        name = message.name or ""
        tool_id = message.tool_call_id
        if not tool_id:
            _refuse(f"{place}.tool_call_id", "a string is required", code="missing_required_parameter")
    parts = _content(message, place, unmapped) if isinstance(message.content, str | list) else []
    kept = [part for part in parts if isinstance(part, Text | Media)]
    result = ToolResult(id=tool_id, parts=kept, name=name)
    for part in kept:
        result.cache = part.cache or result.cache
        part.cache = ""
    return result


def _refuse(place: str, reason: str, code: str = "invalid_value") -> NoReturn:
    raise BadRequest(f"invalid value for `{place}`: {reason}", param=place, code=code)
