"""A model's answer in no vendor's format: whole, or as the deltas of a stream.

A reader turns one vendor's events into deltas, a writer turns deltas into the client's events. The order that readers
keep and writers rely on, for each choice: `Began` first and once; a part's deltas follow each other, parts in the order
of the answer; a `ToolBegan` ahead of the `ToolDelta`s of its index; `Finished` once a choice; `Counted` at any time,
the last one holds; nothing after the last `Finished` but `Counted`. A reader may tell other things while a tool use is
not whole; a writer is told them behind it (`formats/tool_order.py`).
"""

from __future__ import annotations

import msgspec

from gateline.model.chat import Choice, Citation, Finish, Media, Seal, Tokens
from gateline.model.usage import Usage


class ChatReply(msgspec.Struct, kw_only=True):
    """`id` is the vendor's, `created` a Unix time in seconds, 0 when the vendor does not say. `usage` None: unknown."""

    id: str
    model: str
    choices: list[Choice]
    created: int = 0
    usage: Usage | None = None
    service_tier: str = ""
    fingerprint: str = ""


class Began(msgspec.Struct, kw_only=True):
    id: str
    model: str
    created: int = 0
    service_tier: str = ""
    fingerprint: str = ""


class TextDelta(msgspec.Struct, kw_only=True):
    """`is_new`: it begins another text part than the one before (vendors number them). `seal` belongs to the part it is
    in, and may come with an empty text."""

    text: str
    choice: int = 0
    is_new: bool = False
    seal: Seal | None = None
    logprobs: list[Tokens] | None = None


class Cited(msgspec.Struct, kw_only=True):
    """Belongs to the text part that is open."""

    citation: Citation
    choice: int = 0


class ReasoningDelta(msgspec.Struct, kw_only=True):
    """`is_new`: it begins another block of reasoning, or another paragraph of a summary."""

    text: str
    choice: int = 0
    is_new: bool = False
    id: str = ""


class ReasoningSealed(msgspec.Struct, kw_only=True):
    """Ends the open block of reasoning with its seal; with `is_hidden` it is a block of its own that has no text."""

    seal: Seal
    choice: int = 0
    is_hidden: bool = False
    id: str = ""


class ToolBegan(msgspec.Struct, kw_only=True):
    """`index` counts this choice's tool uses from 0."""

    index: int
    id: str
    name: str
    choice: int = 0
    seal: Seal | None = None


class ToolDelta(msgspec.Struct, kw_only=True):
    """A piece of the JSON text of a tool's arguments. A tool without any was called without arguments."""

    index: int
    arguments: str
    choice: int = 0


class RefusalDelta(msgspec.Struct, kw_only=True):
    text: str
    choice: int = 0


class MediaDelta(msgspec.Struct, kw_only=True):
    """A whole image or file, or a piece of audio (base64 of its bytes: pieces are concatenated after decoding)."""

    media: Media
    choice: int = 0


class Finished(msgspec.Struct, kw_only=True):
    finish: Finish
    choice: int = 0
    stopped_by: str = ""


class Counted(msgspec.Struct, kw_only=True):
    usage: Usage


Delta = (
    Began
    | TextDelta
    | Cited
    | ReasoningDelta
    | ReasoningSealed
    | ToolBegan
    | ToolDelta
    | RefusalDelta
    | MediaDelta
    | Finished
    | Counted
)
