from __future__ import annotations

import errno
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateline.net import spool as spool_module
from gateline.net.spool import Spool

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
