"""A large request body in memory that another process can look at: a sealed-off file that has no name and no disk."""

from __future__ import annotations

import mmap
import os

SPOOLED_FROM = 2 * 1024 * 1024  # bytes; decoding more than this on the loop would hold up other requests
_KEPT = 4  # pieces of memory a worker keeps for the next large bodies
_KEPT_BYTES = 33_554_432  # in all, unless one alone is larger

is_available = hasattr(os, "memfd_create")  # Linux; elsewhere large bodies are decoded where they are


class _Memory:
    """Pages of the kernel and the descriptor they have. They cost memory only once they are written."""

    __slots__ = ("fd", "is_unused", "pages", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self.is_unused = False  # at the last sweep
        self.fd = -1
        self.fd = os.memfd_create("gateline-body", os.MFD_CLOEXEC)
        os.ftruncate(self.fd, size)
        self.pages = mmap.mmap(self.fd, size)

    def __del__(self) -> None:
        # The pages go when the last view of them does, the descriptor at once.
        if self.fd >= 0:
            os.close(self.fd)

    def is_in_view(self) -> bool:
        """Whether anybody still has a view of the pages. To that of their own size they can always be brought, but for
        this."""
        try:
            self.pages.resize(self.size)
        except BufferError:
            return True
        return False


class Spool:
    """Up to `size` bytes, filled by `extend`. `fd` can be sent to another process; `is_shared` is set by whoever does
    so, for as long as that process may look at the pages. `pages` is the memory itself."""

    __slots__ = ("_home", "_memory", "fd", "filled", "is_shared", "pages")

    def __init__(self, size: int, home: Spools | None = None) -> None:
        """Raises OSError when there is no memory or descriptor left."""
        self._home: Spools | None = None
        self.filled = 0
        self.is_shared = False
        self._memory = (home.find(size) if home is not None else None) or _Memory(size)
        self._home = home
        self.fd = self._memory.fd
        self.pages = self._memory.pages

    def __len__(self) -> int:
        return self.filled

    def __del__(self) -> None:
        if self._home is not None and not self.is_shared:
            self._home.keep(self._memory)

    def extend(self, data: bytes | bytearray | memoryview) -> None:
        """Appends, as to a bytearray."""
        end = self.filled + len(data)
        self.pages[self.filled : end] = data
        self.filled = end

    def view(self) -> memoryview:
        return memoryview(self.pages)[: self.filled]


class Spools:
    """Makes what bodies are gathered in, and uses the memory of large ones again: to get fresh pages from the kernel
    costs more than all else that is done to a large body. What nobody uses for a second or two goes back."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: list[_Memory] = []

    def gather(self, length: int) -> bytearray | Spool:
        """What a body of `length` bytes is gathered in. It grows as bytes come: announcing them costs a client
        nothing."""
        if length >= SPOOLED_FROM and is_available:
            try:
                return Spool(length, self)
            except OSError:
                pass  # no descriptor left: gathered on the heap then
        return bytearray()

    def find(self, size: int) -> _Memory | None:
        """Kept memory of at least `size` bytes. Without any, what is kept goes before more is taken."""
        free = [memory for memory in self._kept if not memory.is_in_view()]
        for memory in free:
            if memory.size >= size:
                self._kept.remove(memory)
                return memory
        self._kept = [memory for memory in self._kept if memory not in free]
        return None

    def keep(self, memory: _Memory) -> None:
        """Its spool is gone; views of it may still be about."""
        held = sum(each.size for each in self._kept)
        if not held or (len(self._kept) < _KEPT and held + memory.size <= _KEPT_BYTES):
            memory.is_unused = False
            self._kept.append(memory)

    def sweep(self) -> None:
        """Lets go of what was unused at the last sweep already."""
        for memory in tuple(self._kept):
            if not memory.is_in_view():
                if memory.is_unused:
                    self._kept.remove(memory)
                memory.is_unused = True
