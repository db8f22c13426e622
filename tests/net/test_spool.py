from __future__ import annotations

import errno
import os
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateline.net import spool as spool_module
from gateline.net.spool import SPOOLED_FROM, Spool, Spools

pytestmark = pytest.mark.skipif(not spool_module.is_available, reason="needs memfd_create")


@given(st.lists(st.binary(max_size=5_000), max_size=10))
def test_it_holds_what_was_put_in(pieces: list[bytes]) -> None:
    """Whatever the pieces, the view shows them joined, in our memory and through the descriptor."""
    whole = b"".join(pieces)
    spool = Spool(len(whole) + 1)
    for piece in pieces:
        spool.extend(piece)
    assert len(spool) == len(whole)
    assert bytes(spool.view()) == whole
    assert os.pread(spool.fd, len(whole), 0) == whole


def test_the_descriptor_goes_with_the_spool_and_the_memory_with_its_last_view() -> None:
    """A view outlives the spool it was taken of."""
    spool = Spool(10)
    spool.extend(b"0123456789")
    view, fd = spool.view(), spool.fd
    del spool
    with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
        os.fstat(fd)
    assert bytes(view) == b"0123456789"


def test_no_descriptor_left_is_an_error_and_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """A spool that could not be made leaves nothing to close."""

    def refuse(*_: object) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(os, "memfd_create", refuse)
    with pytest.raises(OSError, match="open files"):
        Spool(10)


# --- used again ---


def spooled(spools: Spools, length: int = SPOOLED_FROM) -> Spool:
    spool = spools.gather(length)
    assert isinstance(spool, Spool)
    return spool


def test_the_memory_of_a_body_serves_the_next() -> None:
    """A spool that is gone leaves its memory to the next body that fits, which begins empty; a larger one gets its
    own, and the smaller memory goes before that is taken."""
    spools = Spools()
    first = spooled(spools)
    first.extend(b"secret")
    fd = first.fd
    del first
    second = spooled(spools)
    assert (second.fd, len(second), bytes(second.view())) == (fd, 0, b"")
    del second
    larger = spooled(spools, SPOOLED_FROM + 1)
    assert larger._memory.size == SPOOLED_FROM + 1
    assert spools._kept == []


def test_memory_in_view_is_nobody_elses() -> None:
    """While anything shows a body, by a view, a view of a view or a decoded value, its memory is not used again."""
    spools = Spools()
    spool = spooled(spools)
    spool.extend(b'{"a":"long enough"}' + bytes(10))
    memory = spool._memory
    value = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode(spool.view()[:19])["a"]
    view = memoryview(spool.view()[3:5]).cast("b")
    del spool
    for _ in range(3):
        assert spooled(spools)._memory is not memory
        spools.sweep()
    del view
    assert spooled(spools)._memory is not memory
    assert bytes(value) == b'"long enough"'
    del value
    assert memory in (spooled(spools)._memory, spooled(spools)._memory)


def test_memory_another_process_may_look_at_is_not_used_again() -> None:
    """A body that the other process has not answered for takes its memory along."""
    spools = Spools()
    spool = spooled(spools)
    spool.is_shared = True
    del spool
    assert spools._kept == []


def test_unused_memory_goes_back() -> None:
    """At the second sweep without use; and no more than four pieces are kept at all."""
    spools = Spools()
    several = [spooled(spools) for _ in range(6)]
    fds = [spool.fd for spool in several]
    several.clear()
    assert len(spools._kept) == 4
    spools.sweep()
    assert len(spools._kept) == 4
    kept = spooled(spools)
    spools.sweep()
    assert spools._kept == []
    still_open = [fd for fd in fds if Path(f"/proc/self/fd/{fd}").exists()]
    assert still_open == [kept.fd]


def test_small_bodies_are_gathered_on_the_heap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Below 2 MiB, and where there is no descriptor left for a larger one."""
    spools = Spools()
    assert spools.gather(SPOOLED_FROM - 1) == bytearray()

    def refuse(*_: object) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(os, "memfd_create", refuse)
    assert spools.gather(SPOOLED_FROM) == bytearray()
