"""What a call asks for beyond its text, by name: so that whatever a translation leaves out can be told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import compress
from operator import attrgetter, ne

from gateline.model.chat import Chat, Media, ToolResult

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
# What parts of turns hold, and fields of such fields.
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
    "system_place": "instructions behind an answer, where they stand",
    "developer": "the role `developer` beside `system`",
    "name": "names of participants",
    "tool_strict": "that the arguments of a tool fit its schema",
    "detail": "how closely to look at an image",
    "summary": "how long a summary of the reasoning is to be",
    "prefill": "the beginning of an answer, as the assistant's last turn",
}
_AUTO = frozenset({"", "auto"})
_NAMES = tuple(FIELDS)
_values = attrgetter(*FIELDS)
_UNSET = _values(Chat(model="", turns=[]))


def asked(chat: Chat) -> list[str]:
    """The fields of `FIELDS` that the client set."""
    return list(compress(_NAMES, map(ne, _values(chat), _UNSET)))


def left_out(chat: Chat, carried: Mapping[str, str]) -> list[str]:
    """The fields that the client set and that a format which carries `carried` has no place for."""
    return [name for name in asked(chat) if name not in carried]


def left_inside(chat: Chat, carried: Mapping[str, str]) -> list[str]:
    """The same of what stands inside of fields and parts, and is left out wherever a format has no name for it."""
    left: list[str] = []
    tools, thinking = chat.tools, chat.thinking
    if "tool_strict" not in carried and any(tool.strict for tool in tools):
        left.append("tool_strict")
    if "cache" not in carried and any(tool.cache for tool in tools):
        left.append("cache")
    if "summary" not in carried and thinking is not None and thinking.summary not in _AUTO:
        left.append("summary")
    if "detail" not in carried and _has_detail(chat):
        left.append("detail")
    return left


def _has_detail(chat: Chat) -> bool:
    for turn in chat.turns:
        for part in turn.parts:
            for piece in part.parts if isinstance(part, ToolResult) else (part,):
                if isinstance(piece, Media) and piece.detail not in _AUTO:
                    return True
    return False


def client_names(features: Iterable[str], names: Mapping[str, str]) -> list[str]:
    """Features by the client's own names, each once."""
    return list(dict.fromkeys(names.get(feature, feature) for feature in features))
