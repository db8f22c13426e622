"""Deltas as blocks like Claude's: tool uses are numbered with the others, and seals that have no place of their own
travel in hidden thinking (`carrier.py`)."""

from __future__ import annotations

from abc import abstractmethod

from gateline.formats.block_writer import BlockWriter, Kind, OpenTool
from gateline.formats.claude.carrier import text_carrier, tool_carrier, write_reasoning_seal
from gateline.model.chat import Chat, Seal
from gateline.model.chatreply import ReasoningSealed, TextDelta, ToolBegan


class ClaudeWriter(BlockWriter):
    """See `contract.Writer`."""

    __slots__ = ("_text_seal",)

    def __init__(self, chat: Chat, request_id: str) -> None:
        super().__init__(chat, request_id)
        self._text_seal: Seal | None = None

    def _text(self, delta: TextDelta) -> None:
        if delta.text:
            self._add(delta.text, "text", is_new=delta.is_new)
        elif delta.is_new and self._kind == "text":
            self._close()
        if delta.seal is not None:
            if self._kind != "text":  # the seal of a text that is empty
                self._close()
                self._close_tools()
            self._text_seal = delta.seal

    def _seal(self, delta: ReasoningSealed) -> None:
        if delta.is_hidden:
            self._close()
            self._close_tools()
            self._hide(write_reasoning_seal(delta.seal, delta.id))
            return
        if self._kind != "thinking":
            self._open("thinking")
            self._reasoning_id = delta.id
        self._write_signature(write_reasoning_seal(delta.seal, delta.id or self._reasoning_id))
        self._close()

    def _open(self, kind: Kind) -> None:
        self._close_tools()
        super()._open(kind)

    def _close(self) -> None:
        super()._close()
        seal, self._text_seal = self._text_seal, None
        if seal is not None:
            self._hide(text_carrier(seal))

    def _hide(self, text: str) -> None:
        self._write_hidden(text)
        self._next += 1

    def _write_tool(self, began: ToolBegan) -> OpenTool:
        if began.seal is not None:
            self._hide(tool_carrier(began.seal))
        tool = self._begin_tool(began)
        self._next += 1
        return tool

    def _write_tool_end(self, tool: OpenTool) -> None:
        self._write_close(tool.at)

    @abstractmethod
    def _begin_tool(self, began: ToolBegan) -> OpenTool:
        """The begin of a tool use, as block `_next`."""

    @abstractmethod
    def _write_signature(self, text: str) -> None:
        """The seal of the open thinking."""

    @abstractmethod
    def _write_hidden(self, text: str) -> None:
        """Hidden thinking, whole, as block `_next`."""
