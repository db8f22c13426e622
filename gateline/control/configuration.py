"""The configuration in force: starts from the kept snapshot, takes a better one when told to, never a bad one."""

from __future__ import annotations

from pathlib import Path

from gateline.control.assigned import note_assigned, read_assigned
from gateline.control.compile import (
    Fresh,
    RowRegistry,
    TooManyRows,
    content_of,
    current_snapshot,
    engines_of,
    fresh_snapshot,
    keep,
    kept_snapshot,
)
from gateline.control.mistakes import ConfigMistakes, Mistake
from gateline.model.snapshot import Snapshot, encode
from gateline.store.datadir import DataDir


class Configuration:
    """`rows` lives as long as the metric columns that it numbers. A snapshot is `pending` until somebody who saw the
    workers run it says `keep`, or somebody who saw one refuse it says `revert`."""

    def __init__(self, path: Path | None, data_dir: DataDir) -> None:
        self._path = path
        self._data_dir = data_dir
        self._good = kept_snapshot(data_dir)
        self._pending: Fresh | None = None
        assigned = read_assigned(data_dir)
        self._last = max(assigned.version, self._good.version if self._good else 0)
        self.rows = RowRegistry(self._good, assigned.by_name())
        self._content = content_of(path)
        self.mistakes: list[Mistake] = []
        self.snapshot: Snapshot = self._first()

    def _first(self) -> Snapshot:
        """The file's snapshot. A file that was broken after this gateway started must not keep a restarted control
        process down: then the kept snapshot, which is the last good one, stays in force."""
        current = current_snapshot(self._path, self._data_dir)
        if current is not None:
            return current
        try:
            return self._compiled()
        except ConfigMistakes as error:
            self.mistakes = error.mistakes
            if self._good is None:
                raise
        except (TooManyRows, OSError) as error:
            self.mistakes = [Mistake(0, "", str(error))]
            if self._good is None:
                raise
        return self._good

    def reload(self) -> None:
        """Reads the file again. Raises ConfigMistakes, TooManyRows or OSError and then stays as it was. Blocks."""
        self.snapshot = self._compiled()

    def _compiled(self) -> Snapshot:
        content = content_of(self._path)
        fresh = fresh_snapshot(self._path, self._data_dir, self._last + 1, self.rows)
        note_assigned(self._data_dir, fresh.snapshot.version, self.rows)
        self._last = fresh.snapshot.version
        self._pending = fresh
        self._content = content
        return fresh.snapshot

    def is_unedited(self) -> bool:
        """Whether the file is still the one in force. Blocks."""
        return self._path is None or content_of(self._path) == self._content

    @property
    def is_pending(self) -> bool:
        return self._pending is not None

    def keep(self) -> None:
        """The workers run it: the next start begins with it. Raises OSError and is then still pending. Blocks."""
        pending = self._pending
        if pending is not None:
            keep(pending, self._data_dir)
            self._good = pending.snapshot
            if self._pending is pending:  # else a reload has compiled the next one meanwhile
                self._pending = None

    def revert(self) -> None:
        """A worker cannot run it: the last one that was kept is in force again, where there is one."""
        self._pending = None
        self._content = b""  # nobody runs what the file says
        self.snapshot = self._good or self.snapshot

    @property
    def version(self) -> int:
        return self.snapshot.version

    @property
    def engines(self) -> list[str]:
        return engines_of(self.snapshot)

    def encoded(self) -> bytes:
        return encode(self.snapshot)
