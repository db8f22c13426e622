"""The configuration in force: starts from the kept snapshot, takes a better one when told to, never a bad one."""

from __future__ import annotations

from pathlib import Path

from gateline.control.compile import RowRegistry, engines_of, fresh_snapshot, kept_snapshot, snapshot_for_start
from gateline.control.mistakes import ConfigMistakes, Mistake
from gateline.model.snapshot import Snapshot, encode
from gateline.store.datadir import DataDir


class Configuration:
    """`rows` lives as long as the metric columns that it numbers."""

    def __init__(self, path: Path | None, data_dir: DataDir) -> None:
        self._path = path
        self._data_dir = data_dir
        self.mistakes: list[Mistake] = []
        self.snapshot: Snapshot = self._first()
        self.rows = RowRegistry(self.snapshot)

    def _first(self) -> Snapshot:
        """The file's snapshot. A file that was broken after this gateway started must not keep a restarted control
        process down: then the kept snapshot, which is the last good one, stays in force."""
        try:
            return snapshot_for_start(self._path, self._data_dir)
        except ConfigMistakes as error:
            kept = kept_snapshot(self._data_dir)
            if kept is None:
                raise
            self.mistakes = error.mistakes
            return kept

    def reload(self) -> None:
        """Reads the file again. Raises ConfigMistakes, TooManyRows or OSError and then stays as it was. Blocks."""
        self.snapshot = fresh_snapshot(self._path, self._data_dir, self.snapshot, self.rows)

    @property
    def version(self) -> int:
        return self.snapshot.version

    @property
    def engines(self) -> list[str]:
        return engines_of(self.snapshot)

    def encoded(self) -> bytes:
        return encode(self.snapshot)
