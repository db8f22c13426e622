"""A conversation and its answer in no vendor's format: what one API format is read into and another written from.

It exists for calls whose client and vendor speak different formats; where they speak the same one, bytes pass. Whatever
a format has that is not here is named in `unmapped`, so that a translation can say what it dropped.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Raw

Maker = str  # a vendor: "anthropic", "gemini", "openai", or as `providers/table.py` calls others
Role = Literal["system", "developer", "user", "assistant"]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
MediaKind = Literal["image", "audio", "video", "file"]
CacheLife = Literal["", "5m", "1h"]
Finish = Literal["stop", "length", "tool", "filter", "refusal", "pause"]


class Seal(msgspec.Struct, frozen=True):
    """State of a vendor's own that must come back to it byte for byte and means nothing to any other: a signature over
    reasoning, or reasoning that is encrypted whole. `maker` is the only one that may get it."""

    maker: Maker
    data: str


class Citation(msgspec.Struct, kw_only=True):
    """What a passage of an answer rests on. `start` and `end` are characters of the answer's text part, if known; `raw`
    is the citation as its maker wrote it, for a client that speaks the same format."""

    url: str = ""
    title: str = ""
    quote: str = ""
    document: str = ""
    start: int | None = None
    end: int | None = None


class Text(msgspec.Struct, kw_only=True, tag=True):
    """`cache` asks the vendor to keep the prompt up to here ("5m" or "1h"); empty: not asked."""

    text: str
    cache: CacheLife = ""
    seal: Seal | None = None
    citations: list[Citation] = []


class Media(msgspec.Struct, kw_only=True, tag=True):
    """Anything that is no text: in `data` (base64), at `url`, or a file the vendor holds (`file_id`). `mime` is empty
    when unknown. `detail` is OpenAI's word for how closely to look."""

    kind: MediaKind
    mime: str = ""
    data: str = ""
    url: str = ""
    file_id: str = ""
    name: str = ""
    detail: str = ""
    transcript: str = ""  # of audio that a model spoke
    cache: CacheLife = ""


class Reasoning(msgspec.Struct, kw_only=True, tag=True):
    """What the model thought. `text` may be a summary, or empty where `seal` is reasoning that only its maker reads
    (`is_hidden`). `id` is its maker's name for it."""

    text: str = ""
    seal: Seal | None = None
    is_hidden: bool = False
    id: str = ""


class ToolUse(msgspec.Struct, kw_only=True, tag=True):
    """`arguments` is JSON text as the model wrote it: an object, or what is left of one that was cut off; empty means
    none were given."""

    id: str
    name: str
    arguments: str = ""
    seal: Seal | None = None
    cache: CacheLife = ""


class ToolResult(msgspec.Struct, kw_only=True, tag=True):
    """What a tool answered to the use `id`. `name` is empty where the format does not say; look it up in the turns."""

    id: str
    parts: list[Text | Media]
    name: str = ""
    is_error: bool = False
    cache: CacheLife = ""


class Refusal(msgspec.Struct, kw_only=True, tag=True):
    """The model will not, in its words."""

    text: str


# Tagged, so that a chat can be handed to another process and read there.
Part = Text | Media | Reasoning | ToolUse | ToolResult | Refusal


class Turn(msgspec.Struct, kw_only=True):
    """`user` turns hold Text, Media and ToolResult; `assistant` turns Text, Media, Reasoning, ToolUse and Refusal;
    `system` and `developer` turns Text. Order within a turn is as the client gave it."""

    role: Role
    parts: list[Part]
    name: str = ""


class Tool(msgspec.Struct, kw_only=True):
    """A function the model may call. `schema` is JSON Schema, byte for byte; empty: none was given."""

    name: str
    description: str = ""
    schema: Raw = Raw(b"")
    strict: bool | None = None
    cache: CacheLife = ""


class ToolChoice(msgspec.Struct, kw_only=True):
    """`names` narrows `required` to these tools (one: exactly that tool), or `auto` to a subset."""

    mode: Literal["auto", "none", "required"]
    names: list[str] = []


class Output(msgspec.Struct, kw_only=True):
    """`json` asks for any JSON object, `schema` for one that fits `schema` (JSON Schema, byte for byte)."""

    kind: Literal["text", "json", "schema"]
    name: str = ""
    description: str = ""
    schema: Raw = Raw(b"")
    strict: bool | None = None


class Thinking(msgspec.Struct, kw_only=True):
    """How much to reason: by `effort`, or by a `budget` in tokens (0: none, -1: the model decides). `is_shown`: the
    client wants to see it, or a summary of it (`summary` is OpenAI's word for how long). All None: not said."""

    effort: Effort | None = None
    budget: int | None = None
    is_shown: bool | None = None
    summary: str = ""


class Chat(msgspec.Struct, kw_only=True):
    """One call. None and empty mean that the client did not say. `max_tokens` counts reasoning and answer together.

    `unmapped` are the client's own names of fields (dotted) that have no place here: no other format gets them. `echo`
    is what the answer repeats of the call beyond the fields here, by the client's own names.
    """

    model: str
    turns: list[Turn]
    stream: bool = False
    include_usage: bool = False
    tools: list[Tool] = []
    tool_choice: ToolChoice | None = None
    parallel_tools: bool | None = None
    output: Output | None = None
    thinking: Thinking | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    seed: int | None = None
    stop: list[str] = []
    n: int | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    logit_bias: dict[str, float] = {}
    modalities: list[str] = []
    voice: Raw = Raw(b"")
    verbosity: str = ""
    metadata: dict[str, str] = {}
    user: str = ""
    service_tier: str = ""
    cache_key: str = ""
    store: bool | None = None
    echo: dict[str, str] = {}
    unmapped: list[str] = []


class Tokens(msgspec.Struct, kw_only=True):
    """One generated token: its text, bytes and log probability, and the likeliest others in its place."""

    token: str
    logprob: float
    bytes: list[int] | None = None
    top: list[Tokens] = []


class Choice(msgspec.Struct, kw_only=True):
    """One answer. `stopped_by` is the stop sequence that ended it, if the vendor says so."""

    parts: list[Part]
    finish: Finish
    stopped_by: str = ""
    logprobs: list[Tokens] | None = None
