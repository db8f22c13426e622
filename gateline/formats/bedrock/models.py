"""What the models on Bedrock take through Converse, by their makers, since it answers the rest with 400.

Converse is one format, but what a model does not know it refuses: thinking goes by each maker's own fields, some take
no choice of tools, no cache points, no schema. Facts are from the vendor's model cards and the reference of
"ToolChoice", "ToolResultBlock" and "Prompt caching" (docs.aws.amazon.com/bedrock), as of November 2026.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import msgspec

from gateline.model.chat import Effort

# By which field it is asked to reason: Claude's own, Nova's, or one of an effort under three names.
Thinks = Literal["", "claude", "nova", "reasoning_effort", "reasoning_config", "reasoning"]
_ALL: tuple[Effort, ...] = ("low", "medium", "high", "xhigh", "max")


class Traits(msgspec.Struct, frozen=True, kw_only=True):
    """`efforts` are the words it takes, mildest first; with "none" among them it can be told not to reason. `forces`:
    whether it can be made to call a tool, or one tool. `caches`: the prompt up to a point, tools included. `marks`: it
    is told that a tool failed. `results` are the media that a tool's result may hold. `seals`: it takes Anthropic's
    seals back."""

    thinks: Thinks = ""
    efforts: tuple[Effort, ...] = ()
    samples: bool = True
    top_k: Literal["", "top_k", "topK"] = ""
    forces: Literal["", "any", "tool"] = ""
    caches: Literal["", "turns", "all"] = ""
    marks: bool = False
    schema: bool = True
    results: frozenset[str] = frozenset()
    seals: bool = False


_MEDIA = frozenset({"image", "file"})
_IMAGES = frozenset({"image"})
_CLAUDE = Traits(thinks="claude", top_k="top_k", forces="tool", caches="all", marks=True, results=_MEDIA, seals=True)
_NOVA = Traits(top_k="topK", forces="tool", caches="turns", marks=True, schema=False, results=_IMAGES)
# A profile of one's own hides whose model it is: what the client asks for is sent as it is, but for thinking.
_HIDDEN = Traits(forces="tool", caches="all", marks=True, results=_MEDIA, seals=True)
# The first whose name is in the model's.
_TRAITS: tuple[tuple[str, Traits], ...] = (
    ("claude", _CLAUDE),
    ("amazon.nova-2", msgspec.structs.replace(_NOVA, thinks="nova", efforts=("none", "low", "medium", "high"))),
    ("amazon.nova", _NOVA),
    ("openai.gpt-oss", Traits(thinks="reasoning_effort", efforts=("low", "medium", "high"), schema=False)),
    ("openai.gpt", Traits(thinks="reasoning", efforts=("low", "medium", "high", "xhigh"), samples=False)),
    (
        "xai.",
        Traits(
            thinks="reasoning", efforts=("low", "medium", "high", "xhigh"), samples=False, schema=False, forces="tool"
        ),
    ),
    ("deepseek.v3.2", Traits(thinks="reasoning_effort", efforts=("none", "high"))),
    ("deepseek.r1", Traits(schema=False)),
    ("zai.glm-5.3", Traits(thinks="reasoning_effort", efforts=_ALL, forces="tool")),
    ("zai.", Traits(thinks="reasoning_effort", efforts=("none", "high"), forces="tool")),
    ("qwen3-coder", Traits()),
    ("qwen.", Traits(thinks="reasoning_config", efforts=("none", "high"))),
    ("moonshot", Traits(forces="tool")),
    ("mistral.", Traits(forces="any", results=frozenset({"file"}))),
    ("meta.", Traits(schema=False, results=_MEDIA)),
    ("writer.", Traits(schema=False)),
    ("cohere.", Traits(schema=False)),
    ("ai21.", Traits(schema=False)),
    ("amazon.titan", Traits(schema=False)),
    (".", Traits()),
)
_ORDER: tuple[Effort, ...] = ("none", "minimal", *_ALL)


@lru_cache(maxsize=1024)
def traits(model: str) -> Traits:
    """Of a model by its id, by a profile's for several regions, or by an ARN."""
    name = model.lower()
    if name.startswith("arn:"):
        name = name.rpartition("/")[2]
    return next((found for part, found in _TRAITS if part in name), _HIDDEN)


def fitting(effort: Effort, efforts: tuple[Effort, ...]) -> Effort | None:
    """The word that the model takes for `effort`: the mildest that is no milder, or else its strongest. None where it
    cannot be told not to reason."""
    if effort == "none":
        return "none" if "none" in efforts else None
    able = [word for word in efforts if word != "none"]
    wanted = _ORDER.index(effort)
    return next((word for word in able if _ORDER.index(word) >= wanted), able[-1])
