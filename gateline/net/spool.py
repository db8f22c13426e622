"""A large request body in memory that another process can look at: a sealed-off file that has no name and no disk."""

from __future__ import annotations

import mmap
import os

SPOOLED_FROM = 8 * 1024 * 1024  # bytes; decoding more than this on the loop would hold up other requests

is_available = hasattr(os, "memfd_create")  # Linux; elsewhere large bodies are decoded where they are


class Spool:
    """Up to `size` bytes, filled by `extend`. `fd` can be sent to another process; `pages` is the memory itself."""

    __slots__ = ("fd", "filled", "pages", "size")

    def __init__(self, size: int) -> None:
        """Raises OSError when there is no memory or descriptor left. Pages cost memory only once they are written."""
        self.size = size
        self.filled = 0
        self.fd = -1
        self.fd = os.memfd_create("gateline-body", os.MFD_CLOEXEC)
        os.ftruncate(self.fd, size)
        self.pages = mmap.mmap(self.fd, size)

    def __len__(self) -> int:
        return self.filled

    def extend(self, data: bytes | bytearray | memoryview) -> None:
        """Appends, as to a bytearray."""
        end = self.filled + len(data)
        self.pages[self.filled : end] = data
        self.filled = end

    def __del__(self) -> None:
        # The memory goes when the last view of it does, the descriptor with the spool itself.
        if self.fd >= 0:
            os.close(self.fd)

    def view(self) -> memoryview:
        return memoryview(self.pages)[: self.filled]


def gather(length: int) -> bytearray | Spool:
    """What a body of `length` bytes is gathered in. It grows as bytes come: announcing them costs a client nothing."""
    if length >= SPOOLED_FROM and is_available:
        try:
            return Spool(length)
        except OSError:
            pass  # no descriptor left: gathered on the heap then
    return bytearray()
