"""Request bodies of any format: read one level deep, written again with only what must change. Knows JSON, no HTTP.

The upstream's body is written from what was decoded here, so an upstream cannot read a field the gateway did not see:
repeated keys collapse to the last, keys lose their escapes, and a key that some parsers would take for a decided one
(`Model`) is refused. Values are never re-encoded.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from typing import Any, NoReturn, TypeVar

import msgspec
from msgspec import Raw

from gateline.formats.typed import UNREAD, Int64
from gateline.model.call import Call, Operation
from gateline.model.errors import BadRequest

T = TypeVar("T")

_BY_VIEW = 16 * 1024  # a value from this size on is handed over as a view instead of being copied
_COUNTED_FROM = 64 * 1024  # bytes of a body from which its fields are counted as they are read: each costs 150 bytes
_MOST_FIELDS = 1_000
_EXPLAINED = 64 * 1024  # bytes of a broken body that are looked at slowly for the reason
_HALF_PAIR = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F]"
)
_SURROGATE = re.compile(rb"\\u[dD]")  # found ten times faster than half a pair is
_utf8_decoder = codecs.getincrementaldecoder("utf-8")
_BOM = b"\xef\xbb\xbf"
_NULL = Raw(b"null")
_TRUE = Raw(b"true")
_NOTHING: Mapping[str, str] = {}

_FIELDS = msgspec.json.Decoder(dict[str, Raw])
_TEXT = msgspec.json.Decoder(str)
_OPTIONAL_TEXT = msgspec.json.Decoder(str | None)
_OPTIONAL_BOOL = msgspec.json.Decoder(bool | None)
_OPTIONAL_COUNT = msgspec.json.Decoder(Int64 | None)
_OPTIONAL_FIELDS = msgspec.json.Decoder(dict[str, Raw] | None)
_encode = msgspec.json.Encoder().encode

_DECIDED = frozenset({
    "model", "stream", "stream_options", "user", "max_tokens", "max_completion_tokens", "max_output_tokens",
})  # fmt: skip
# What says where the turns of a call are, and whether others may find them.
_DECIDED_OF: Mapping[str, frozenset[str]] = {
    "responses": _DECIDED | {"previous_response_id", "store", "background", "conversation", "input"},
}
# Formats whose client gets a stream unless it says that it wants none.
_STREAMS_UNASKED = frozenset({"ollama.chat", "ollama.generate"})
_STREAMLESS = frozenset({
    "embeddings", "embed_content", "batch_embed_contents", "cohere.embed", "ollama.embed", "rerank", "moderations",
    "messages.count_tokens", "gemini.count_tokens", "audio.translations",
})  # fmt: skip
# Keys that collide with nothing: they spare the usual call the case folding.
_HARMLESS = _DECIDED | {
    "audio", "best_of", "dimensions", "echo", "encoding_format", "frequency_penalty", "function_call", "functions",
    "input", "logit_bias", "logprobs", "messages", "metadata", "modalities", "n", "parallel_tool_calls", "prediction",
    "presence_penalty", "prompt", "prompt_cache_key", "reasoning_effort", "response_format", "safety_identifier",
    "seed", "service_tier", "stop", "store", "suffix", "temperature", "tool_choice", "tools", "top_logprobs", "top_p",
    "verbosity", "web_search_options",
    # Anthropic, Responses, Gemini
    "cache_control", "container", "context_management", "mcp_servers", "output_config", "stop_sequences", "system",
    "thinking", "top_k",
    "background", "conversation", "include", "instructions", "max_tool_calls", "previous_response_id", "reasoning",
    "text", "truncation",
    "cachedContent", "contents", "generationConfig", "safetySettings", "systemInstruction", "toolConfig",
}  # fmt: skip


def read_call(
    body: bytes | bytearray | memoryview, operation: Operation, model: str = "", stream: bool | None = None
) -> Call:
    """The call in `body`. `model` and `stream` are what the path says of them, in formats that have them there.
    Raises BadRequest, naming the field where there is one."""
    try:
        fields = _FIELDS.decode(body) if len(body) < _COUNTED_FROM else _counted_fields(body)
    except UNREAD as error:
        _refuse_body(body, error)
    if not _HARMLESS.issuperset(fields):
        _refuse_lookalikes(fields, _DECIDED_OF.get(operation, _DECIDED), "")
    if not model:
        try:
            model = _TEXT.decode(fields["model"])
        except (KeyError, msgspec.MsgspecError, UnicodeDecodeError):
            model = ""
    call = Call(operation, model or _model(fields), fields)
    if stream is not None:
        call.stream = stream
    elif "stream" in fields:
        call.stream = _read(_OPTIONAL_BOOL, fields["stream"], "stream", "a boolean") or False
        if call.stream and operation in _STREAMLESS:
            raise BadRequest(f"{operation} cannot be streamed: leave `stream` out", param="stream")
    elif operation in _STREAMS_UNASKED:
        call.stream = True
    if "stream_format" in fields and operation == "audio.speech":
        call.stream = call.stream or bytes(fields["stream_format"]) == b'"sse"'
    if "stream_options" in fields:
        call.include_usage = _asks_usage(fields["stream_options"])
    if "user" in fields:
        call.user = _read(_OPTIONAL_TEXT, fields["user"], "user", "a string")
    if "max_tokens" in fields:
        call.max_tokens = _count(fields["max_tokens"], "max_tokens")
    if "max_output_tokens" in fields:
        call.max_tokens = _count(fields["max_output_tokens"], "max_output_tokens")
    if "max_completion_tokens" in fields:
        count = _count(fields["max_completion_tokens"], "max_completion_tokens")
        call.max_tokens = call.max_tokens if count is None else count
    if isinstance(body, memoryview) or not body.isascii():
        _refuse_mangled(body)
    return call


class _Name(str):
    """A field's name, of a type that msgspec asks about."""

    __slots__ = ()


_NAMED = dict[_Name, Raw]


def _counted_fields(body: bytes | bytearray | memoryview) -> dict[str, Raw]:
    """The fields of a body that may hold a great many. Raises BadRequest at the first one too many."""
    left = _MOST_FIELDS

    def count(_: type, name: str) -> _Name:
        nonlocal left
        left -= 1
        if left < 0:
            raise BadRequest("the body has more fields than any call takes", code="invalid_value")
        return _Name(name)

    named = msgspec.json.decode(body, type=_NAMED, dec_hook=count)
    return {str(name): value for name, value in named.items()}


def write_body(
    call: Call, target_model: str | None, ask_usage: bool | None, added: Mapping[str, str] = _NOTHING
) -> bytes:
    """The upstream's body: `model` is `target_model`, or absent where the path says it (None); of a stream,
    `stream_options.include_usage` is true when `ask_usage`, and `stream_options` is left out when it is False (its
    vendor refuses the field); None: the format has no such field. `added` are fields that its vendor wants besides. All
    else as it came."""
    if call.stream or target_model is None:
        return _encode(_changed(call, target_model, ask_usage, added))
    fields: dict[str, Any] = call.fields.copy()
    fields["model"] = target_model
    return _encode(fields)


def write_body_parts(
    call: Call, target_model: str | None, ask_usage: bool | None, added: Mapping[str, str] = _NOTHING
) -> list[bytes | memoryview]:
    """The bytes of `write_body` in pieces: values from 16 KiB on are views into the client's body, not copies."""
    parts: list[bytes | memoryview] = []
    small: dict[str, Raw | str] = {}
    opening = b"{"
    for key, value in _changed(call, target_model, ask_usage, added).items():
        view = memoryview(value) if isinstance(value, Raw) else None
        if view is None or view.nbytes < _BY_VIEW:
            small[key] = value
            continue
        if small:
            parts.append(opening + _encode(small)[1:-1])
            opening = b","
            small = {}
        parts.append(opening + _encode(key) + b":")
        parts.append(view)
        opening = b","
    parts.append(opening + _encode(small)[1:] if small else (b"}" if parts else b"{}"))
    return parts


def _changed(
    call: Call, target_model: str | None, ask_usage: bool | None, added: Mapping[str, str]
) -> Mapping[str, Raw | str]:
    fields: dict[str, Any] = {**call.fields, **added}
    if target_model is None:
        fields.pop("model", None)
    else:
        fields["model"] = target_model
    if call.stream and ask_usage is not None:
        if not ask_usage:
            fields.pop("stream_options", None)
        elif not call.include_usage:
            options = _OPTIONAL_FIELDS.decode(fields.get("stream_options", _NULL)) or {}
            options["include_usage"] = _TRUE
            fields["stream_options"] = options
    return fields


def _model(fields: Mapping[str, Raw]) -> str:
    raw = fields.get("model")
    model: str | None = None if raw is None else _read(_OPTIONAL_TEXT, raw, "model", "a string")
    if not model:
        raise BadRequest("you must provide a model parameter", param="model", code="missing_required_parameter")
    return model


def _count(raw: Raw, name: str) -> int | None:
    count: int | None = _read(_OPTIONAL_COUNT, raw, name, "an integer")
    if count is not None and count < 0:
        raise BadRequest(f"`{name}` must not be negative", param=name, code="invalid_value")
    return count


def _asks_usage(raw: Raw) -> bool:
    options = _read(_OPTIONAL_FIELDS, raw, "stream_options", "an object")
    if not options:
        return False
    _refuse_lookalikes(options, frozenset({"include_usage"}), "stream_options.")
    if "include_usage" not in options:
        return False
    name = "stream_options.include_usage"
    return _read(_OPTIONAL_BOOL, options["include_usage"], name, "a boolean") or False


def _read(decoder: msgspec.json.Decoder[T], raw: Raw, name: str, kind: str) -> T:
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError:
        raise BadRequest(f"invalid type for `{name}`: expected {kind}", param=name, code="invalid_type") from None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        # Bytes that are not UTF-8 show up only here: the first pass skips over strings.
        raise BadRequest(f"`{name}` is not valid Unicode text", param=name, code="invalid_value") from None


def _refuse_lookalikes(fields: Mapping[str, Raw], decided: frozenset[str], prefix: str) -> None:
    """Some upstreams match keys without case: `Model` would then overrule the `model` that was authorised."""
    for key in fields:
        if key not in decided and (folded := key.casefold()) in decided:
            raise BadRequest(
                f"unknown field {prefix + key!a}: did you mean `{prefix}{folded}`?",
                param=prefix + folded,
                code="unknown_parameter",
            )


def _refuse_mangled(body: bytes | bytearray | memoryview) -> None:
    """The pass over the fields skips strings: bytes in them that are not UTF-8 show up only here."""
    decode = _utf8_decoder().decode
    try:
        for start in range(0, len(body), _EXPLAINED):
            decode(body[start : start + _EXPLAINED])
        decode(b"", final=True)
    except UnicodeDecodeError as error:
        _refuse_body(body, error)


def _refuse_body(body: bytes | bytearray | memoryview, error: Exception) -> NoReturn:
    start = bytes(body[:4])
    if isinstance(error, msgspec.ValidationError):
        message = "the body must be a JSON object"
    elif isinstance(error, RecursionError):
        message = "the body is nested too deeply"
    elif isinstance(error, UnicodeDecodeError):
        message = "the body is not valid UTF-8"
    elif start.startswith(_BOM):
        message = "the body starts with a byte order mark: send UTF-8 without one"
    elif b"\0" in start or start[:2] in (b"\xff\xfe", b"\xfe\xff"):
        message = "the body is not UTF-8: JSON must be sent as UTF-8"
    elif len(body) < 1024 and not bytes(body).strip():
        message = "the body is empty: send a JSON object"
    elif _holds_half_pair(body):
        message = "a string in the body holds half of a surrogate pair: a character was cut in two"
    else:
        message = f"the body is not valid JSON: {error}"
    raise BadRequest(message, code="invalid_json") from None


def _holds_half_pair(body: bytes | bytearray | memoryview) -> bool:
    """Whether half of a surrogate pair stands in the first 64 KiB from where there is any of one."""
    found = _SURROGATE.search(body)
    return found is not None and _HALF_PAIR.search(body, found.start(), found.start() + _EXPLAINED) is not None
