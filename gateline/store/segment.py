"""One file of the journal: how its bytes lie, how it is made and read back. Knows nothing of what a payload is.

A segment is a header (magic, generation), then frames (length, CRC, payload), then zeros. A length of `_END` closes
it: whoever reads it goes on to the next. The CRC starts from the generation, so that no bytes of another file pass.
"""

from __future__ import annotations

import mmap
import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateline.store import mapped

SUFFIX: Final = ".seg"
HEADER_BYTES: Final = 16
FRAME_BYTES: Final = 8

_MAGIC: Final = b"GLJRNL01"
_HEADER = struct.Struct("<8sI4x")
_FRAME = struct.Struct("<II")
_END: Final = 0xFFFF_FFFF
_READ_BYTES: Final = 256 * 1024

store_frame_head = _FRAME.pack_into


def segment_path(folder: Path, incarnation: str, number: int) -> Path:
    return folder / f"{incarnation}-{number:06d}{SUFFIX}"


def incarnation_of(segment: Path) -> str:
    return segment.stem.rpartition("-")[0]


def create_segment(path: Path, size: int, *, yielding: bool = False) -> tuple[mmap.mmap, int]:
    """A fresh segment and the seed of its CRCs. Raises OSError when the disk has no room, leaving no file."""
    pages = mapped.create(path, size, yielding=yielding)
    generation = int.from_bytes(os.urandom(4), "little")
    # Last of all: a reader that finds no magic knows that the segment is still being made.
    pages[:HEADER_BYTES] = _HEADER.pack(_MAGIC, generation)
    return pages, seed_of(generation)


def seed_of(generation: int) -> int:
    return zlib.crc32(generation.to_bytes(4, "little"))


def store_end_mark(pages: mmap.mmap, offset: int, seed: int) -> None:
    store_frame_head(pages, offset, _END, seed)


@dataclass(slots=True, frozen=True)
class Segment:
    """What a read found: the payloads, the offset to read from next time, and whether the end mark was reached."""

    payloads: list[bytes]
    next_offset: int
    closed: bool


def read_segment(path: Path, offset: int = 0, limit: int = 1_000) -> Segment:
    """Up to `limit` payloads from `offset` (0: the start). A frame that does not check out is the end for now.

    In a live segment that frame is still being written; in a dead worker's it was torn and never acknowledged.
    Raises FileNotFoundError when another importer has finished with the segment.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        head = os.pread(fd, HEADER_BYTES, 0)
        if len(head) < HEADER_BYTES or not head.startswith(_MAGIC):
            return Segment([], offset, closed=False)
        _, generation = _HEADER.unpack(head)
        return _read_frames(fd, seed_of(generation), max(offset, HEADER_BYTES), limit)
    finally:
        os.close(fd)


def _read_frames(fd: int, seed: int, offset: int, limit: int) -> Segment:
    payloads: list[bytes] = []
    size = os.fstat(fd).st_size
    data, base = os.pread(fd, _READ_BYTES, offset), offset
    at, here = 0, len(data)
    unpack, crc_of = _FRAME.unpack_from, zlib.crc32  # this loop runs once a record
    while len(payloads) < limit:
        body = at + FRAME_BYTES
        if body > here and base + here < size:
            data, base, at, body = os.pread(fd, _READ_BYTES, base + at), base + at, 0, FRAME_BYTES
            here = len(data)
        if body > here:
            break
        length, crc = unpack(data, at)
        end = body + length
        if end > here:
            if length == _END:
                return Segment(payloads, base + at, closed=crc == seed)
            if base + end > size:
                break
            data, base, at = os.pread(fd, max(FRAME_BYTES + length, _READ_BYTES), base + at), base + at, 0
            here = len(data)
            if here < FRAME_BYTES + length:
                break  # cut short since its size was asked
            continue
        payload = data[body:end]
        if length == 0 or crc_of(payload, seed) != crc:
            break
        payloads.append(payload)
        at = end
    return Segment(payloads, base + at, closed=False)
