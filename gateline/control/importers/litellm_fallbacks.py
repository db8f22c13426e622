"""LiteLLM's fallbacks as ours, which go in no circle and name only what is there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gateline.control.mistakes import FieldPath

Leave = Callable[[FieldPath, str], None]


class Fallbacks:
    """`found`: the fallbacks of each model that has any, in order. `aliases` are other names of models, `automatic`
    providers whose whole list is served as NAME/…; `leave` is told what does not come along, and why."""

    def __init__(self, models: set[str], aliases: Mapping[str, str], automatic: set[str], leave: Leave) -> None:
        self.found: dict[str, list[str]] = {}
        self._models = models
        self._aliases = aliases
        self._automatic = automatic
        self._leave = leave

    def read(self, path: FieldPath, given: Any) -> None:
        """`[{"a": ["b", "c"]}, ...]`; `*` is every model."""
        for index, entry in enumerate(given if isinstance(given, list) else ()):
            if not isinstance(entry, dict):
                self._leave((*path, index), "is no model with its fallbacks")
                continue
            for asked, names in entry.items():
                where = (*path, index, asked)
                model = self._aliases.get(asked, asked)
                if model == "*":
                    self.read_default(where, names)
                elif not self._is_there(model):
                    self._leave(where, "names no model that was carried")
                else:
                    self._add(where, model, names)

    def read_default(self, path: FieldPath, given: Any) -> None:
        """Fallbacks of every model but those they name."""
        names = [given] if isinstance(given, str) else given
        if not isinstance(names, list):
            return
        for model in sorted(self._models):
            if model not in names:
                self._add(path, model, names)

    def _add(self, path: FieldPath, model: str, names: Any) -> None:
        for asked in names if isinstance(names, list) else ():
            if not isinstance(asked, str):
                self._leave(path, "a fallback is a model's name: what it changes of the call is not carried")
                continue
            name = self._aliases.get(asked, asked)
            if not self._is_there(name):
                self._leave(path, "a fallback names no model that was carried")
            elif name == model or self._leads(name, model):
                self._leave(path, "fallbacks would go in a circle: the one that closes it was left out")
            elif name not in self.found.setdefault(model, []):
                self.found[model].append(name)

    def _is_there(self, name: str) -> bool:
        provider, slash, model = name.partition("/")
        return name in self._models or bool(slash and model and provider in self._automatic)

    def _leads(self, start: str, to: str) -> bool:
        seen: set[str] = set()
        pending = [start]
        while pending:
            name = pending.pop()
            if name == to:
                return True
            if name not in seen:
                seen.add(name)
                pending += self.found.get(name, ())
        return False
