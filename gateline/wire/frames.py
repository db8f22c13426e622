"""Length-prefixed frames between our own processes: four bytes, big-endian, then that many bytes of payload."""

from __future__ import annotations

MAX_FRAME = 64 * 1024 * 1024
_PREFIX = 4


class FrameTooLarge(ValueError):
    """The peer announced more than `MAX_FRAME`: it is not one of ours, close the connection."""


def frame(payload: bytes) -> bytes:
    if len(payload) > MAX_FRAME:
        raise FrameTooLarge(f"a frame of {len(payload)} bytes is over the limit of {MAX_FRAME}")
    return len(payload).to_bytes(_PREFIX, "big") + payload


class FrameReader:
    """Collects bytes and gives back whole payloads, however the stream was cut."""

    __slots__ = ("_pending",)

    def __init__(self) -> None:
        self._pending = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        pending = self._pending
        pending += data
        frames: list[bytes] = []
        start = 0
        while len(pending) - start >= _PREFIX:
            size = int.from_bytes(pending[start : start + _PREFIX], "big")
            if size > MAX_FRAME:
                raise FrameTooLarge(f"a frame of {size} bytes is over the limit of {MAX_FRAME}")
            end = start + _PREFIX + size
            if len(pending) < end:
                break
            frames.append(bytes(pending[start + _PREFIX : end]))
            start = end
        del pending[:start]
        return frames
