"""Tool uses in the order in which writers rely on them: each whole before anything else is told.

Vendors' streams have another: a text, even a line end, between a tool's name and its arguments, and the arguments of
parallel calls in turns. Whatever comes while a tool use is not whole waits until it is, or until the answer ends. A
stream without tools need not come through here.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence

import msgspec

from gateline.model.chatreply import Began, Counted, Delta, Finished, ToolBegan, ToolDelta
from gateline.model.errors import UpstreamBroken

_MOST_WAITING = 4 * 1024 * 1024  # bytes of all that waits at once in a stream
_EACH = 128  # bytes that what waits takes beside its text
_MARKS = re.compile(r'\\.?|["{}\[\]]', re.DOTALL)

_encode = msgspec.msgpack.Encoder().encode


class _Braces:
    """Follows JSON text that comes in pieces. `are_closed`: an object or a list that began in it has ended."""

    __slots__ = ("_depth", "_in_string", "_is_escaped", "are_closed")

    def __init__(self) -> None:
        self._depth = 0
        self._in_string = False
        self._is_escaped = False  # the next character is
        self.are_closed = False

    def add(self, piece: str) -> None:
        at = 1 if self._is_escaped and piece else 0
        self._is_escaped = self._is_escaped and not piece
        for found in _MARKS.finditer(piece, at):
            mark = found[0]
            if mark[0] == "\\":
                self._is_escaped = len(mark) == 1
            elif mark == '"':
                self._in_string = not self._in_string
            elif not self._in_string:
                self._depth += 1 if mark in "{[" else -1
                self.are_closed = self.are_closed or self._depth <= 0


class _Call(msgspec.Struct):
    """A tool use that waits. `size` as it counts."""

    began: ToolBegan
    pieces: list[str]
    size: int


class _Answer:
    """What waits of one choice, in the order in which it will be told."""

    __slots__ = ("_braces", "_calls", "_open", "_waiting", "size")

    def __init__(self) -> None:
        self._open = -1  # the tool use that is told
        self._braces = _Braces()  # of its arguments
        self._waiting: deque[tuple[Delta, int] | _Call] = deque()
        self._calls: dict[int, _Call] = {}  # of those that wait
        self.size = 0

    def take(self, delta: Delta, told: list[Delta]) -> None:
        if isinstance(delta, ToolDelta):
            self._arguments(delta, told)
        elif isinstance(delta, Finished):
            self._release(told, ends=True)
            told.append(delta)
        elif self._waiting or (self._open >= 0 and not self._braces.are_closed):
            self._wait(delta)
        else:
            self._tell(delta, told)

    def _tell(self, delta: Delta, told: list[Delta]) -> None:
        self._open = -1
        if isinstance(delta, ToolBegan):
            self._open, self._braces = delta.index, _Braces()
        told.append(delta)

    def _arguments(self, delta: ToolDelta, told: list[Delta]) -> None:
        if delta.index == self._open:
            told.append(delta)
            self._braces.add(delta.arguments)
            if self._waiting and self._braces.are_closed:
                self._release(told)
        elif delta.index in self._calls:
            call = self._calls[delta.index]
            call.pieces.append(delta.arguments)
            size = len(delta.arguments.encode("utf-8", "replace")) + _EACH
            call.size += size
            self.size += size
        elif delta.arguments.strip():
            raise UpstreamBroken("the upstream went on with a tool call that was whole")

    def _wait(self, delta: Delta) -> None:
        size = len(_encode(delta)) + _EACH
        self.size += size
        if isinstance(delta, ToolBegan):
            self._calls[delta.index] = call = _Call(delta, [], size)
            self._waiting.append(call)
        else:
            self._waiting.append((delta, size))

    def _release(self, told: list[Delta], *, ends: bool = False) -> None:
        """Tells what waits, up to the next tool use that is not whole; all of it at the answer's end."""
        while self._waiting and (ends or self._open < 0 or self._braces.are_closed):
            first = self._waiting.popleft()
            if not isinstance(first, _Call):
                self.size -= first[1]
                self._tell(first[0], told)
                continue
            self.size -= first.size
            began = first.began
            del self._calls[began.index]
            self._tell(began, told)
            arguments = "".join(first.pieces)
            if arguments:
                self._braces.add(arguments)
                told.append(ToolDelta(index=began.index, arguments=arguments, choice=began.choice))


class ToolOrder:
    """Of all the answers of one stream."""

    __slots__ = ("_answers",)

    def __init__(self) -> None:
        self._answers: dict[int, _Answer] = {}

    def told(self, deltas: Sequence[Delta]) -> list[Delta]:
        """What can be told now. Raises UpstreamBroken when more waits than any answer needs, and for arguments of a
        tool use that is over."""
        told: list[Delta] = []
        for delta in deltas:
            if isinstance(delta, Began | Counted):
                told.append(delta)
                continue
            answer = self._answers.get(delta.choice)
            if answer is None:
                if not isinstance(delta, ToolBegan):
                    told.append(delta)
                    continue
                answer = self._answers[delta.choice] = _Answer()
            answer.take(delta, told)
            if answer.size and sum(each.size for each in self._answers.values()) > _MOST_WAITING:
                raise UpstreamBroken("the upstream sent too much ahead of a tool call's arguments")
        return told
