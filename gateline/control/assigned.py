"""What must not be forgotten while the metric columns live: which row belongs to which name, and the last version.

The control process may be restarted beside columns that go on counting. The supervisor, whose columns they are, removes
the file when it starts.
"""

from __future__ import annotations

import msgspec

from gateline.control.compile import RowRegistry, write_whole
from gateline.store.datadir import DataDir


class Assigned(msgspec.Struct, array_like=True, frozen=True):
    """`rows` are (model, target, row); `version` is the highest that any snapshot had."""

    version: int = 0
    rows: tuple[tuple[str, str, int], ...] = ()

    def by_name(self) -> dict[tuple[str, str], int]:
        return {(model, target): row for model, target, row in self.rows}


def read_assigned(data_dir: DataDir) -> Assigned:
    """What was noted since the columns began; nothing where there is no file, or none that can be read."""
    try:
        return msgspec.msgpack.decode(data_dir.assigned.read_bytes(), type=Assigned)
    except (FileNotFoundError, msgspec.DecodeError):
        return Assigned()


def note_assigned(data_dir: DataDir, version: int, rows: RowRegistry) -> None:
    """To be called before anybody counts in these rows. Raises OSError."""
    named = tuple((model, target, row) for row, (model, target) in rows.labels().items())
    write_whole(data_dir.assigned, msgspec.msgpack.encode(Assigned(version, named)))
