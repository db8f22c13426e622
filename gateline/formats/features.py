"""What a call asks for beyond its text, by name: so that whatever a translation leaves out can be told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from operator import attrgetter

from gateline.model.chat import Chat, Media, Reasoning, Refusal, Text, ToolResult, ToolUse

# Fields of a chat that a format may have no place for, and what each is, for the table of what maps to what.
FIELDS: dict[str, str] = {
    "tools": "functions the model may call",
    "tool_choice": "whether, and which, tools must be called",
    "parallel_tools": "whether several tools may be called at once",
    "output": "JSON, or JSON that fits a schema",
    "thinking": "how much to reason: effort or budget",
    "max_tokens": "bound on output tokens",
    "temperature": "temperature",
    "top_p": "nucleus sampling",
    "top_k": "sampling among the k likeliest",
    "frequency_penalty": "frequency penalty",
    "presence_penalty": "presence penalty",
    "seed": "seed",
    "stop": "stop sequences",
    "n": "number of answers",
    "logprobs": "log probabilities of tokens",
    "top_logprobs": "likeliest other tokens",
    "logit_bias": "bias of single tokens",
    "modalities": "kinds of output asked for",
    "voice": "voice and format of spoken output",
    "verbosity": "how long an answer should be",
    "metadata": "labels of the caller's own",
    "user": "the caller's end user",
    "service_tier": "service tier",
    "cache_key": "key of the prompt cache",
    "store": "whether the vendor keeps the answer",
}
# What parts of turns hold.
PARTS: dict[str, str] = {
    "image": "images",
    "audio": "audio",
    "video": "video",
    "file": "files",
    "cache": "marks up to where the prompt is to be cached",
    "citations": "sources of passages in earlier answers",
    "reasoning": "reasoning of earlier turns",
    "seal": "signed or encrypted reasoning of earlier turns, for the vendor that made it",
    "refusal": "refusals in earlier turns",
    "tool_error": "the mark that a tool failed",
    "tool_media": "images and files in what a tool answered",
    "developer": "the role `developer` beside `system`",
    "name": "names of participants",
    "prefill": "the beginning of an answer, as the assistant's last turn",
}
_values = attrgetter(*FIELDS)
_UNSET = _values(Chat(model="", turns=[]))


def asked(chat: Chat) -> list[str]:
    """The fields of `FIELDS` that the client set."""
    return [name for name, value, unset in zip(FIELDS, _values(chat), _UNSET, strict=True) if value != unset]


def left_out(chat: Chat, carried: Mapping[str, str]) -> list[str]:
    """The fields that the client set and that a format which carries `carried` has no place for."""
    return [name for name in asked(chat) if name not in carried]


def client_names(features: Iterable[str], names: Mapping[str, str]) -> list[str]:
    """Features by the client's own names, each once."""
    return list(dict.fromkeys(names.get(feature, feature) for feature in features))


def held(chat: Chat) -> set[str]:
    """What the parts of all turns hold, of `PARTS`."""
    found: set[str] = set()
    for turn in chat.turns:
        if turn.role == "developer":
            found.add("developer")
        if turn.name:
            found.add("name")
        for part in turn.parts:
            _look(part, found)
    return found


def _look(part: Text | Media | Reasoning | ToolUse | ToolResult | Refusal, found: set[str]) -> None:
    if isinstance(part, Media):
        found.add(part.kind)
    elif isinstance(part, Reasoning):
        found.add("reasoning")
    elif isinstance(part, Refusal):
        found.add("refusal")
    elif isinstance(part, ToolResult):
        if part.is_error:
            found.add("tool_error")
        if any(isinstance(inner, Media) for inner in part.parts):
            found.add("tool_media")
    if isinstance(part, Text) and part.citations:
        found.add("citations")
    if not isinstance(part, Reasoning | Refusal) and part.cache:
        found.add("cache")
    if isinstance(part, Text | Reasoning | ToolUse) and part.seal is not None:
        found.add("seal")
