"""A request as its endpoint understood it, and how it is played once the cue is known."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import msgspec

from gateline.fake.answer import Answer
from gateline.fake.ask import Ask
from gateline.fake.cue import NO_CUE, Cue
from gateline.fake.perform import perform, total
from gateline.fake.reply import Piece, Reply, Voice, whole
from gateline.fake.request import Request

MAX_REMEMBERED = 1024
MAX_REMEMBERED_BYTES = 64 * 1024 * 1024
MAX_LENGTH = 1_000_000  # tokens an answer may be told to have


class Memory:
    """The last objects that the fake made and that can be asked for again, by id: at most so many, of so many bytes."""

    def __init__(self, objects: int = MAX_REMEMBERED, size: int = MAX_REMEMBERED_BYTES) -> None:
        self._kept: OrderedDict[str, tuple[dict[str, Any], int]] = OrderedDict()
        self._objects, self._size, self._left = objects, size, size

    def keep(self, known: str, made: dict[str, Any], size: int) -> None:
        """The oldest go when there is no room; what is too large by itself is not kept."""
        self.forget(known)
        self._kept[known] = made, size
        self._left -= size
        while self._left < 0 or len(self._kept) > self._objects:
            _, (_, freed) = self._kept.popitem(last=False)
            self._left += freed

    def forget(self, known: str) -> None:
        if known in self._kept:
            self._left += self._kept.pop(known)[1]

    def clear(self) -> None:
        self._kept.clear()
        self._left = self._size

    def __contains__(self, known: object) -> bool:
        return known in self._kept

    def __getitem__(self, known: str) -> dict[str, Any]:
        """Raises KeyError."""
        return self._kept[known][0]


class Setting(NamedTuple):
    """What a turn is played in: the model's name without its cue, the script's pace, `stream` as the cue bends it,
    `models` as they are listed."""

    model: str
    memory: Memory
    cue: Cue = NO_CUE
    tokens: int = 16
    chunk_tokens: int = 1
    stream: bool = False
    strict: bool = False
    models: tuple[str, ...] = ()

    @property
    def length(self) -> int:
        return min(self.tokens if self.cue.tokens is None else self.cue.tokens, MAX_LENGTH)


class Turn(NamedTuple):
    """`model` and `told` (the body's own cue) as the request has them; `stream`: it asks for one."""

    model: str
    play: Callable[[Setting], Reply]
    stream: bool = False
    told: str | None = None


class Route(NamedTuple):
    """One endpoint. `proves`: whether a request has this key where the vendor's clients send it. `read` and `proves`
    raise Refusal."""

    method: str
    path: re.Pattern[str]
    voice: Voice
    proves: Callable[[Request, str], bool]
    read: Callable[[Request, re.Match[str], Memory], Turn]


Whole = Callable[[Ask, list[Answer], Setting], bytes]
Stream = Callable[[Ask, list[Answer], Setting], Iterator[Piece]]


def generation(
    ask: Ask,
    voice: Voice,
    write: Whole,
    stream: Stream,
    *,
    content_type: str = "text/event-stream",
    untold: tuple[str, ...] = (),
) -> Turn:
    """The turn of a text model: one answer a choice, whole or as the pieces of a stream. `untold`: parts of the usage
    that the format has no field for, and that the invoice therefore leaves at nought. Raises TypeError."""
    check_types(ask)

    def play(setting: Setting) -> Reply:
        answers = [perform(ask, setting.model, setting.cue, setting.length, n) for n in range(ask.choices)]
        usage = msgspec.structs.replace(total(answers), **dict.fromkeys(untold, 0))
        if setting.stream:
            told = usage if ask.tells_usage else None
            pieces = stream(ask, answers, setting)
            return Reply(200, pieces, None, content_type=content_type, stream=True, usage=told, voice=voice)
        tokens = sum(len(answer.words) for answer in answers)
        return whole(200, write(ask, answers, setting), tokens=tokens, usage=usage)._replace(voice=voice)

    return Turn(ask.model, play, ask.stream, ask.told)


def check_types(ask: Ask) -> None:
    """Raises TypeError where a field of the request, taken as it was, is not what an answer can be made of."""
    sizes = (ask.limit, ask.choices)
    if not all(size is None or (isinstance(size, int) and not isinstance(size, bool)) for size in sizes):
        raise TypeError("a number of tokens or choices is no integer")
    if not isinstance(ask.schema, dict | None):
        raise TypeError("a schema is no object")
    if not all(isinstance(tool.name, str) and isinstance(tool.schema, dict) for tool in ask.tools):
        raise TypeError("a tool's name is no text, or its schema no object")


def groups(words: list[str], size: int) -> Iterator[str]:
    """The words, `size` at a time."""
    for start in range(0, len(words), size):
        yield "".join(words[start : start + size])
