"""Tool uses that wait for a result, in formats whose results may name no call: each is found in the same time, however
many wait."""

from __future__ import annotations

from collections import defaultdict, deque

from gateline.model.chat import ToolUse


class Waiting:
    """The uses that were added and not taken. Of several that fit, the first is taken."""

    __slots__ = ("_all", "_by_id", "_by_name", "_taken")

    def __init__(self) -> None:
        self._all: deque[ToolUse] = deque()
        self._by_id: defaultdict[str, deque[ToolUse]] = defaultdict(deque)
        self._by_name: defaultdict[str, deque[ToolUse]] = defaultdict(deque)
        self._taken: set[int] = set()  # addresses: a use that was taken one way still stands where it is found others

    def add(self, use: ToolUse) -> None:
        self._all.append(use)
        self._by_id[use.id].append(use)
        self._by_name[use.name].append(use)

    def take_id(self, name: str) -> ToolUse | None:
        """The use that has this id."""
        return self._take(self._by_id.get(name))

    def take_name(self, name: str) -> ToolUse | None:
        """A use of this tool; of any, where `name` is empty."""
        return self._take(self._by_name.get(name) if name else self._all)

    def _take(self, uses: deque[ToolUse] | None) -> ToolUse | None:
        while uses:
            use = uses.popleft()
            if id(use) not in self._taken:
                self._taken.add(id(use))
                return use
        return None
