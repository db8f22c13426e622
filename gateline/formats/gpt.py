"""What an OpenAI model takes besides text, since the vendor answers the rest with 400. Knows no format.

Facts are the vendor's (developers.openai.com/api/docs: "Reasoning", "Using GPT-5.x", each model's page) and its error
messages, as of November 2026. A model that is not known here is sent whatever the client asked for.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

import msgspec

from gateline.formats.features import FIELDS
from gateline.model.chat import Chat, Effort, Thinking

Samples = Literal["always", "unthinking", "never"]

_NAME = re.compile(r"gpt-(audio|[3-6])(?:\.(\d{1,2}))?|(?<![a-z0-9])o([134])(?![a-z0-9])")
_ORDER: tuple[Effort, ...] = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_LOW_TO_HIGH: tuple[Effort, ...] = ("low", "medium", "high")
_PENALTIES = frozenset({"frequency_penalty", "presence_penalty"})
_SAMPLING = _PENALTIES | {"temperature", "top_p", "logprobs", "top_logprobs", "logit_bias"}
# What says nothing when it is left out: it is what the vendor takes for said.
_DEFAULTS = {"temperature": 1, "top_p": 1, "frequency_penalty": 0, "presence_penalty": 0, "n": 1, "logprobs": False}
_UNSET = {name: getattr(Chat(model="", turns=[]), name) for name in FIELDS}


class Abilities(msgspec.Struct, frozen=True, kw_only=True):
    """`efforts` are the words it takes, mildest first; none: it does not reason. `samples`: temperature and the like
    are taken always, while it does not reason, or never. `is_quiet`: it does not reason unless asked to.
    `thinks_with_tools`: it does both in one call of Chat Completions."""

    efforts: tuple[Effort, ...] = ()
    samples: Samples = "always"
    is_quiet: bool = False
    thinks_with_tools: bool = True
    refuses: frozenset[str] = frozenset()


_PLAIN = Abilities(refuses=frozenset({"verbosity"}))
_CHATS = Abilities(efforts=("medium",), samples="never", refuses=frozenset({"stop"}))
_SEARCHES = Abilities(samples="never", refuses=frozenset({"verbosity", "n", "stop", "seed", "parallel_tools"}))


@lru_cache(maxsize=1024)
def abilities(model: str) -> Abilities | None:
    """None for a model that is not known."""
    name = model.lower()
    match = _NAME.search(name)
    if match is None or "gpt-oss" in name:
        return None
    if match[3]:
        refuses = {"verbosity", "parallel_tools"}
        if match[3] != "1" and "o3-mini" not in name:
            refuses.add("stop")
        return Abilities(efforts=_LOW_TO_HIGH, samples="never", refuses=frozenset(refuses))
    if "search" in name:
        return _SEARCHES
    if match[1] in {"audio", "3", "4"}:
        return _PLAIN
    return _of_5_and_later((int(match[1]), int(match[2] or 0)), name)


def _of_5_and_later(version: tuple[int, int], name: str) -> Abilities:
    if "chat" in name:
        return _PLAIN if version == (5, 0) else _CHATS
    efforts = _efforts(version, name)
    samples: Samples = "unthinking" if "none" in efforts and version < (5, 5) else "never"
    return Abilities(
        efforts=efforts,
        samples=samples,
        is_quiet=samples == "unthinking",
        thinks_with_tools=version < (5, 6),
        refuses=frozenset({"stop"}),
    )


def _efforts(version: tuple[int, int], name: str) -> tuple[Effort, ...]:
    if "pro" in name.split("-"):
        return ("high",) if version < (5, 2) else ("medium", "high", "xhigh")
    if version < (5, 1):
        return _LOW_TO_HIGH if "codex" in name else ("minimal", *_LOW_TO_HIGH)
    if "codex" in name:
        return (*_LOW_TO_HIGH, "xhigh") if version >= (5, 2) or "max" in name else _LOW_TO_HIGH
    if version < (5, 2):
        return ("none", *_LOW_TO_HIGH)
    if version < (5, 6):
        return ("none", *_LOW_TO_HIGH, "xhigh")
    most: tuple[Effort, ...] = (*_LOW_TO_HIGH, "xhigh", "max")
    return most if "astra" in name else ("none", *most)


def fitted(chat: Chat, able: Abilities, *, is_responses: bool = False) -> tuple[Chat, list[str]]:
    """The chat without what the model refuses, and the names of those features. An effort becomes the nearest it
    takes; not to reason, where it cannot but do so, the mildest."""
    dropped: list[str] = []
    changed: dict[str, object] = {}
    thinking = chat.thinking
    if thinking is not None:
        thinking, is_met = _fitted_thinking(thinking, able, is_apart=is_responses or not chat.tools)
        changed["thinking"] = thinking
        if not is_met:
            dropped.append("thinking")
    refused = able.refuses
    if able.samples == "never" or (able.samples == "unthinking" and _thinks(thinking, able)):
        refused |= _SAMPLING
    for name in refused:
        value = getattr(chat, name)
        if value != _UNSET[name]:
            changed[name] = _UNSET[name]
            if value != _DEFAULTS.get(name):
                dropped.append(name)
    if not changed:
        return chat, dropped
    return msgspec.structs.replace(chat, **changed), sorted(dropped, key=list(FIELDS).index)


def _fitted_thinking(thinking: Thinking, able: Abilities, *, is_apart: bool) -> tuple[Thinking | None, bool]:
    """With whether the client's wish is met. `is_apart`: reasoning meets no tools in this call."""
    is_off = thinking.effort == "none" or thinking.budget == 0
    if not able.efforts:
        return None, is_off or (thinking.effort is None and thinking.budget is None)
    if not is_apart and not able.thinks_with_tools and not is_off:
        is_asked = thinking.effort is not None or thinking.budget is not None
        return (Thinking(effort="none") if "none" in able.efforts else None), not is_asked
    if is_off:
        return msgspec.structs.replace(thinking, effort=able.efforts[0], budget=None), able.efforts[0] == "none"
    effort = thinking.effort
    if effort is None and thinking.budget is not None and thinking.budget > 0 and "low" not in able.efforts:
        effort = "medium"  # whatever comes of a budget here: there is little to choose from
    if effort is None:
        return thinking, True
    return msgspec.structs.replace(thinking, effort=_nearest(effort, able.efforts)), True


def _nearest(effort: Effort, efforts: tuple[Effort, ...]) -> Effort:
    reasoning = [word for word in efforts if word != "none"]
    place = _ORDER.index(effort)
    return min(reasoning, key=lambda word: abs(_ORDER.index(word) - place))


def _thinks(thinking: Thinking | None, able: Abilities) -> bool:
    if thinking is None or (thinking.effort is None and thinking.budget is None):
        return not able.is_quiet
    return thinking.effort != "none" and thinking.budget != 0
