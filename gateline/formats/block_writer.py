"""Deltas as blocks, in formats whose answers are blocks that begin, grow and end. Knows no format.

One block is open at a time, as at the vendors; but tool uses whose arguments have not come yet stay open beside others,
since clients take a block that is closed for whole.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal

import msgspec

from gateline.formats.omitted import words_for
from gateline.model.chat import Chat
from gateline.model.chatreply import (
    Began,
    Cited,
    Counted,
    Delta,
    Finished,
    MediaDelta,
    ReasoningDelta,
    ReasoningSealed,
    RefusalDelta,
    TextDelta,
    ToolBegan,
    ToolDelta,
)
from gateline.model.usage import Usage

Kind = Literal["", "text", "refusal", "transcript", "thinking"]


class OpenTool(msgspec.Struct):
    """`at` is the vendor's index of it. `head` begins each of its pieces, where a format keeps that. `has_come`: any of
    its arguments did; `is_whole`: they end as an object does."""

    at: int
    head: bytes = b""
    has_come: bool = False
    is_whole: bool = False


class BlockWriter(ABC):
    """See `contract.Writer`. What is written goes to `_out`."""

    __slots__ = (
        "_began", "_chat", "_finished", "_kind", "_next", "_open_tools", "_out", "_reasoning_id", "_refused",
        "_request_id", "_started", "_tools", "_usage",
    )  # fmt: skip

    def __init__(self, chat: Chat, request_id: str) -> None:
        self._chat = chat
        self._request_id = request_id
        self._began: Began | None = None
        self._started = False
        self._out: list[bytes] = []
        self._next = 0  # index of the block that comes next
        self._kind: Kind = ""  # of the block that is open, tool uses aside
        self._reasoning_id = ""
        self._tools: dict[int, OpenTool] = {}
        self._open_tools: list[OpenTool] = []
        self._finished: Finished | None = None
        self._refused = False
        self._usage: Usage | None = None

    def write(self, deltas: Sequence[Delta]) -> bytes:
        out = self._out = []
        for delta in deltas:
            if isinstance(delta, Counted):
                self._usage = delta.usage
            elif isinstance(delta, Began):
                self._began = self._began or delta
            elif delta.choice == 0:
                self._start()
                self._take(delta)
        return b"".join(out)

    def end(self) -> bytes:
        self._out = []
        self._start()
        self._close()
        self._close_tools()
        self._write_end(self._finished or Finished(finish="stop"))
        return b"".join(self._out)

    def _start(self) -> None:
        if not self._started:
            self._started = True
            self._write_start(self._began or Began(id="", model=""))

    def _take(self, delta: Delta) -> None:
        if isinstance(delta, TextDelta):
            self._text(delta)
        elif isinstance(delta, ToolDelta):
            self._arguments(delta)
        elif isinstance(delta, ReasoningDelta):
            self._reasoning(delta)
        elif isinstance(delta, ToolBegan):
            self._tool(delta)
        elif isinstance(delta, ReasoningSealed):
            self._seal(delta)
        elif isinstance(delta, Cited):
            if self._kind == "text":
                self._write_citation(delta)
        elif isinstance(delta, RefusalDelta):
            self._refused = True
            self._add(delta.text, "refusal")
        elif isinstance(delta, MediaDelta):
            self._add(words_for(delta.media), "transcript")
        elif isinstance(delta, Finished):
            self._finished = self._finished or delta

    @abstractmethod
    def _text(self, delta: TextDelta) -> None:
        """A piece of a text, or its seal."""

    def _add(self, text: str, kind: Kind, *, is_new: bool = False) -> None:
        if text:
            if self._kind != kind or is_new:
                self._open(kind)
            self._write_piece(text)

    def _reasoning(self, delta: ReasoningDelta) -> None:
        text = delta.text
        if self._kind == "thinking" and delta.is_new and delta.id and delta.id == self._reasoning_id:
            text = f"\n\n{text}"  # another paragraph of a summary
        elif self._kind != "thinking" or delta.is_new:
            self._open("thinking")
            self._reasoning_id = delta.id
        self._write_piece(text)

    @abstractmethod
    def _seal(self, delta: ReasoningSealed) -> None:
        """The seal of the open reasoning, or hidden reasoning."""

    def _tool(self, delta: ToolBegan) -> None:
        self._close()
        self._close_tools(only_whole=True)
        tool = self._tools[delta.index] = self._write_tool(delta)
        self._open_tools.append(tool)

    def _arguments(self, delta: ToolDelta) -> None:
        tool = self._tools.get(delta.index)
        if tool is not None and delta.arguments:
            tool.has_come = True
            tool.is_whole = delta.arguments.rstrip().endswith("}")
            self._write_arguments(tool, delta.arguments)

    def _open(self, kind: Kind) -> None:
        self._close()
        self._kind = kind
        self._write_open()
        self._next += 1

    def _close(self) -> None:
        if self._kind:
            self._kind, self._reasoning_id = "", ""
            self._write_close(self._next - 1)

    def _close_tools(self, *, only_whole: bool = False) -> None:
        tools, self._open_tools = self._open_tools, []
        for tool in tools:
            if only_whole and not tool.is_whole:
                self._open_tools.append(tool)
            else:
                self._write_tool_end(tool)

    @abstractmethod
    def _write_start(self, began: Began) -> None:
        """What begins the answer."""

    @abstractmethod
    def _write_end(self, finished: Finished) -> None:
        """What ends the answer, its blocks closed."""

    @abstractmethod
    def _write_open(self) -> None:
        """The begin of block `_next`, of kind `_kind`."""

    @abstractmethod
    def _write_piece(self, text: str) -> None:
        """More of the open block."""

    @abstractmethod
    def _write_citation(self, cited: Cited) -> None:
        """What the open text rests on."""

    @abstractmethod
    def _write_close(self, index: int) -> None:
        """The end of a block that is no tool use."""

    @abstractmethod
    def _write_tool(self, began: ToolBegan) -> OpenTool:
        """The begin of a tool use."""

    @abstractmethod
    def _write_arguments(self, tool: OpenTool, arguments: str) -> None:
        """More of the tool use's arguments."""

    @abstractmethod
    def _write_tool_end(self, tool: OpenTool) -> None:
        """The end of a tool use."""
