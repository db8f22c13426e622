"""Where blocks as Claude's have seals that they have no place for.

Thinking has one field for a signature, hidden thinking one for its data; seals of other makers stand there marked
(`formats/seal.py`). A seal on a tool use or a text travels in hidden thinking of its own, in front of the tool use or
behind the text, so that a client which sends blocks back as they came sends it back too.
"""

from __future__ import annotations

from gateline.formats.seal import read_seal, write_seal
from gateline.model.chat import Part, Reasoning, Seal, Text

_BEFORE = "before:gateline."  # the seal of the tool use that follows
_BEHIND = "behind:gateline."  # the seal of the text that precedes
_ID = "id:"


def write_reasoning_seal(seal: Seal, reasoning_id: str) -> str:
    """A signature, or the data of hidden thinking. Reasoning that its maker knows by a name keeps that too."""
    text = write_seal(seal, "anthropic")
    return f"{_ID}{reasoning_id}:{text}" if reasoning_id and seal.maker != "anthropic" else text


def read_reasoning(text: str, thought: str, *, is_hidden: bool) -> Reasoning:
    """The reasoning in a block whose signature or data is `text`; it may be empty."""
    reasoning_id = ""
    if text.startswith(_ID):
        name, marked, rest = text[len(_ID) :].partition(":gateline.")
        if marked:
            reasoning_id, text = name, f"gateline.{rest}"
    seal = read_seal(text, "anthropic") if text else None
    return Reasoning(text=thought, seal=seal, is_hidden=is_hidden, id=reasoning_id)


def tool_carrier(seal: Seal) -> str:
    """The data of hidden thinking that stands in front of a tool use."""
    return f"{_BEFORE}{seal.maker}.{seal.data}"


def text_carrier(seal: Seal) -> str:
    """The data of hidden thinking that stands behind a text."""
    return f"{_BEHIND}{seal.maker}.{seal.data}"


def seal_of_tool(data: str) -> Seal | None:
    """What `tool_carrier` wrote; None for any other data."""
    return read_seal(data[len("before:") :], "anthropic") if data.startswith(_BEFORE) else None


def seal_of_text(data: str) -> Seal | None:
    """What `text_carrier` wrote; None for any other data."""
    return read_seal(data[len("behind:") :], "anthropic") if data.startswith(_BEHIND) else None


def add_hidden(data: str, parts: list[Part]) -> Seal | None:
    """Adds what hidden thinking holds: reasoning that nobody may read, or the seal of the text before it. The seal of a
    tool use is given back, since that is still to come."""
    seal = seal_of_tool(data)
    if seal is not None:
        return seal
    seal = seal_of_text(data)
    if seal is None:
        parts.append(read_reasoning(data, "", is_hidden=True))
        return None
    last = parts[-1] if parts else None
    if isinstance(last, Text) and last.seal is None:
        last.seal = seal
    else:
        parts.append(Text(text="", seal=seal))
    return None
