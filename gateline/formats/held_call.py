"""A tool call that is still coming, for formats in which it stands whole."""

from __future__ import annotations

from gateline.model.chatreply import ToolBegan

_MOST = 4 * 1024 * 1024  # characters of arguments; what comes behind them is lost, and the call is broken


class HeldCall:
    """`began` says which tool is called."""

    __slots__ = ("_held", "_pieces", "began")

    def __init__(self, began: ToolBegan) -> None:
        self.began = began
        self._pieces: list[str] = []
        self._held = 0

    def add(self, piece: str) -> None:
        if self._held < _MOST:
            self._pieces.append(piece)
            self._held += len(piece)

    def arguments(self) -> str:
        return "".join(self._pieces)
