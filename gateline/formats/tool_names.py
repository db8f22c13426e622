"""Names of tools that a vendor would refuse, as short ones in its call, and as the client knows them in its answer.

Each is made from the name alone, so that it is the same in every call of a conversation and nothing must be kept. Two
names of one call never become one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from hashlib import blake2b

from gateline.model.chat import Chat, ToolUse
from gateline.model.chatreply import ChatReply, Delta, ToolBegan

_LONGEST = 64
_DIGEST = 20  # hexadecimal digits behind what is left of a name
# OpenAI, Anthropic and Bedrock (API references, `tools`); those that are like them take no more.
USUAL = re.compile(rf"[a-zA-Z0-9_-]{{1,{_LONGEST}}}")
# ai.google.dev/api/caching#FunctionDeclaration, and what Vertex AI takes of that.
GEMINI = re.compile(rf"[a-zA-Z_][a-zA-Z0-9_.-]{{0,{_LONGEST - 1}}}")
_UNFIT = re.compile(r"[^a-zA-Z0-9_]")


def fitted(names: Sequence[str], fits: re.Pattern[str]) -> dict[str, str]:
    """What those of `names` that do not fit are called instead; empty where all do."""
    found: dict[str, str] = {}
    if all(map(fits.fullmatch, names)):  # as nearly always
        return found
    named = dict.fromkeys(names)
    for name in [name for name in named if name and not fits.fullmatch(name)]:
        short = _short(name, 0)
        attempt = 1
        while short in named:
            short = _short(name, attempt)
            attempt += 1
        named[short] = None
        found[name] = short
    return found


def _short(name: str, attempt: int) -> str:
    digest = blake2b(name.encode("utf-8", "replace"), digest_size=_DIGEST // 2, salt=attempt.to_bytes(2, "big"))
    readable = _UNFIT.sub("_", name)[: _LONGEST - _DIGEST - 2].lstrip("0123456789")
    return f"{readable or '_'}_{digest.hexdigest()}"


def given_names(ask: object, fits: re.Pattern[str] | None) -> Mapping[str, str]:
    """The client's names of a chat's tools, by those that `fitted` gave the vendor."""
    if fits is None or not isinstance(ask, Chat) or not ask.tools:
        return {}
    return {short: name for name, short in fitted([tool.name for tool in ask.tools], fits).items()}


def restore_reply(reply: ChatReply, given: Mapping[str, str]) -> None:
    """Puts the client's names into a whole answer."""
    for choice in reply.choices:
        for part in choice.parts:
            if isinstance(part, ToolUse):
                part.name = given.get(part.name, part.name)


def restore_deltas(deltas: Sequence[Delta], given: Mapping[str, str]) -> None:
    """The same in a piece of a stream."""
    for delta in deltas:
        if isinstance(delta, ToolBegan):
            delta.name = given.get(delta.name, delta.name)
