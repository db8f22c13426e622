"""What a Claude of which version takes, since the vendor answers the rest with 400.

Facts are the vendor's (platform.claude.com/docs: "Troubleshooting thinking", "Effort", "Structured outputs", "Prefill
not supported", and each model's migration guide), as of November 2026. A version that is not known yet is asked for no
more than its predecessors allow.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

import msgspec

from gateline.model.chat import Effort

# How a model is asked to reason: by a budget of tokens, adaptively, or not at all.
Mode = Literal["none", "budget", "adaptive"]
# How thinking is turned off: it is off unless asked for ("unasked"), by one of two words, or not at all ("never").
Off = Literal["unasked", "disabled", "between_tools", "never"]

# Families are named ahead of the version since Claude 4 (`claude-opus-4-1`), behind it before (`claude-3-5-haiku`).
# What follows may be a date, so that a minor version has at most two digits.
_FAMILIES = "opus|sonnet|haiku|fable|mythos"
_NAME = re.compile(
    rf"claude-(?:({_FAMILIES})-(\d{{1,2}})(?:[-.](\d{{1,2}}))?(?!\d)|(\d)(?:[-.](\d{{1,2}}))?-({_FAMILIES}))"
)

_USUAL = 32_000
_LOW_TO_HIGH: tuple[Effort, ...] = ("low", "medium", "high")


class Abilities(msgspec.Struct, frozen=True, kw_only=True):
    """`efforts` are the words it takes, mildest first. `samples`: temperature and top_p both, only one of them, or
    neither. `forces`: it can be made to call a tool. `instructs`: instructions may stand between turns, at the vendor's
    own API ("Mid-conversation system messages").
    `outputs`: the most tokens it writes, 0 when unknown; `usual`: how many it may when the client did not say. Models
    before 4.5 answer 400 when prompt and bound together are over their context window, and so get little."""

    mode: Mode = "budget"
    off: Off = "unasked"
    efforts: tuple[Effort, ...] = ()
    samples: Literal["both", "one", "none"] = "both"
    prefills: bool = True
    schema: bool = True
    forces: bool = True
    instructs: bool = False
    outputs: int = 0
    usual: int = 4_096


# Other vendors' models behind Anthropic's format, and names that hide theirs.
_UNKNOWN = Abilities()


@lru_cache(maxsize=1024)
def abilities(model: str) -> Abilities:
    """Of a model by any of its names: the vendor's own, Bedrock's, Vertex AI's or OpenRouter's."""
    name = model.lower()
    if "claude-mythos-preview" in name:
        return _of_4_6(off="never")
    match = _NAME.search(name)
    if match is None:
        return _UNKNOWN
    family = match[1] or match[6]
    version = (int(match[2] or match[4]), int(match[3] or match[5] or 0))
    if version < (4, 0):
        return _of_3(version)
    if version < (4, 6):
        return _of_4(family, version)
    if version < (4, 7):
        return _of_4_6()
    return _of_4_7_and_later(family, version)


def _of_3(version: tuple[int, int]) -> Abilities:
    outputs = 64_000 if version >= (3, 7) else 8_192 if version >= (3, 5) else 4_096
    return Abilities(mode="budget" if version >= (3, 7) else "none", schema=False, outputs=outputs)


def _of_4(family: str, version: tuple[int, int]) -> Abilities:
    is_opus = family == "opus"
    if version >= (4, 5):
        return Abilities(samples="one", efforts=_LOW_TO_HIGH if is_opus else (), outputs=64_000, usual=_USUAL)
    return Abilities(
        samples="one" if version >= (4, 1) else "both",
        schema=version >= (4, 1),
        outputs=32_000 if is_opus else 64_000,
    )


def _of_4_6(off: Off = "unasked") -> Abilities:
    """These take a budget too, which is deprecated, and bound to more conditions than adaptive thinking."""
    return Abilities(
        mode="adaptive",
        off=off,
        efforts=(*_LOW_TO_HIGH, "max"),
        samples="one",
        prefills=False,
        outputs=128_000,
        usual=_USUAL,
    )


def _of_4_7_and_later(family: str, version: tuple[int, int]) -> Abilities:
    off: Off = "never"
    if version < (5, 0):
        off = "unasked"
    elif family == "sonnet" and version == (5, 5):
        off = "between_tools"
    elif (family in {"opus", "sonnet"} and version < (5, 5)) or (family == "haiku" and version == (5, 5)):
        off = "disabled"
    return Abilities(
        mode="adaptive",
        off=off,
        efforts=(*_LOW_TO_HIGH, "xhigh", "max"),
        samples="none",
        prefills=False,
        forces=version < (5, 1) or (family == "haiku" and version == (5, 5)),
        instructs=family == "opus" and version >= (4, 8),
        outputs=128_000,
        usual=_USUAL,
    )
