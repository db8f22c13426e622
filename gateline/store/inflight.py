"""The table of calls in flight: one slot a call, filled before its first upstream byte, cleared after its record.

It lies in a mapped file beside the journal, so that a killed worker leaves behind what it was doing. Knows nothing of
what a payload is.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Final

from gateline.store import mapped
from gateline.store.journal import FREE_SPACE, JournalFull

OPEN_SUFFIX: Final = ".open"

_HEADER_BYTES: Final = 4096  # a page, so that no slot straddles two
_SLOTS: Final = 16_384
_SLOT_BYTES: Final = 768
TABLE_BYTES: Final = _HEADER_BYTES + _SLOTS * _SLOT_BYTES  # of a worker
_HEADER = struct.Struct("<8sII")
_MAGIC: Final = b"GLOPEN01"
_STATE_AND_LENGTH = 3  # one byte of state, two of length
_OPEN: Final = 1
_FREE: Final = 0
_load_length = struct.Struct("<H").unpack_from


def table_path(folder: Path, incarnation: str) -> Path:
    return folder / (incarnation + OPEN_SUFFIX)


class InFlight:
    """`slots` slots of `slot_bytes` bytes in `INCARNATION.open`. Belongs to one thread.

    Raises JournalFull when the disk cannot hold it. Make the Journal first: its lock says that this file is live.
    """

    def __init__(self, folder: Path, incarnation: str, slots: int = _SLOTS, slot_bytes: int = _SLOT_BYTES) -> None:
        self._slot_bytes = slot_bytes
        self._room = slot_bytes - _STATE_AND_LENGTH
        try:
            self._pages = mapped.create(table_path(folder, incarnation), _HEADER_BYTES + slots * slot_bytes)
        except OSError as error:
            if not mapped.is_room_missing(error):
                raise
            raise JournalFull(f"no room in {folder} for the table of calls in flight: {FREE_SPACE}") from error
        self._pages[: _HEADER.size] = _HEADER.pack(_MAGIC, slots, slot_bytes)
        # The last one freed is taken first: few pages are in use, and they stay warm.
        self._free = list(range(slots - 1, -1, -1))

    @property
    def open_count(self) -> int:
        return (len(self._pages) - _HEADER_BYTES) // self._slot_bytes - len(self._free)

    def open(self, payload: bytes) -> int | None:
        """The slot that now holds `payload`, or None when all are taken. Raises ValueError when it does not fit."""
        length = len(payload)
        if length > self._room:
            raise ValueError(f"{length} bytes do not fit a slot of {self._room}")
        free = self._free
        if not free:
            return None
        slot = free.pop()
        pages = self._pages
        base = _HEADER_BYTES + slot * self._slot_bytes
        # One store; the state comes last, since a slot that says open is whole.
        pages[base + 1 : base + _STATE_AND_LENGTH + length] = length.to_bytes(2, "little") + payload
        pages[base] = _OPEN
        return slot

    def close(self, slot: int) -> None:
        """Free the slot. Closing one that is not open would let two calls share it: never do."""
        self._pages[_HEADER_BYTES + slot * self._slot_bytes] = _FREE
        self._free.append(slot)

    def detach(self) -> None:
        """Unmap the table when the worker ends in good order; the file stays for the importer."""
        self._pages.close()


def open_slots(path: Path) -> list[bytes]:
    """The payloads of all open slots, in no particular order; none where there is no table or no whole header yet."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    if len(data) < _HEADER_BYTES or not data.startswith(_MAGIC):
        return []
    _, _, slot_bytes = _HEADER.unpack_from(data)
    states = data[_HEADER_BYTES::slot_bytes]
    payloads: list[bytes] = []
    slot = states.find(_OPEN)
    while slot >= 0:
        base = _HEADER_BYTES + slot * slot_bytes
        (length,) = _load_length(data, base + 1)
        payloads.append(data[base + _STATE_AND_LENGTH : base + _STATE_AND_LENGTH + length])
        slot = states.find(_OPEN, slot + 1)
    return payloads
