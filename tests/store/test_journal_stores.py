"""A worker can die between any two stores of an append: what it leaves reads as the records before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateline.store import journal as journal_module
from gateline.store.journal import Journal
from gateline.store.segment import SUFFIX, read_segment, store_frame_head

BYTES = 4 * 4096


class Stores:
    """Pages that note each store into them, in its order, as (offset, bytes)."""

    def __init__(self, pages: Any) -> None:
        self._pages = pages
        self.done: list[tuple[int, bytes]] = []

    def __setitem__(self, where: slice, data: bytes) -> None:
        self._pages[where] = data
        self.done.append((where.start, bytes(data)))

    def store_head(self, pages: Any, offset: int, *fields: int) -> None:
        assert pages is self
        before = bytes(self._pages[offset : offset + 8])
        store_frame_head(self._pages, offset, *fields)
        self.done.append((offset, bytes(self._pages[offset : offset + 8])))
        assert before == bytes(8), "the place of a head is empty until then"

    def close(self) -> None:
        self._pages.close()


@contextmanager
def noted(folder: Path) -> Iterator[tuple[Journal, Stores]]:
    journal = Journal(folder, "0a-1", BYTES)
    stores = Stores(journal._pages)
    journal._pages = stores  # type: ignore[assignment]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal_module, "store_frame_head", stores.store_head)
        try:
            yield journal, stores
        finally:
            journal._pages = stores._pages
            journal.close()


def test_the_payload_lies_there_before_its_length_does(tmp_path: Path) -> None:
    """Length and CRC are one store, the last of an append: who reads a length never reads less than it says."""
    with noted(tmp_path) as (journal, stores):
        journal.append(b"first")
        journal.append(b"the second")
        assert [(offset, len(data)) for offset, data in stores.done] == [(24, 5), (16, 8), (37, 10), (29, 8)]
        assert [data for _, data in stores.done[::2]] == [b"first", b"the second"]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=60), min_size=1, max_size=6))
def test_any_prefix_of_the_stores_reads_as_the_records_before(
    tmp_path_factory: pytest.TempPathFactory, payloads: list[bytes]
) -> None:
    """Cut at every byte of every store, in the order they were made: never a record that was not whole, never one
    fewer than had been finished."""
    folder = tmp_path_factory.mktemp("journal")
    (folder / "cut").mkdir()
    cut = folder / "cut" / f"0a-1-000001{SUFFIX}"
    with noted(folder) as (journal, stores):
        image = bytearray(stores._pages[:])
        for payload in payloads:
            journal.append(payload)
        finished = 0
        for number, (offset, data) in enumerate(stores.done):
            is_head = number % 2 == 1
            for size in range(len(data)):
                image[offset : offset + size] = data[:size]
                cut.write_bytes(image)
                is_whole = is_head and not any(data[size:])  # what is missing is zeros, as is what lies there
                assert read_segment(cut).payloads == payloads[: finished + is_whole]
            image[offset : offset + len(data)] = data
            finished += is_head
        cut.write_bytes(image)
        assert read_segment(cut).payloads == payloads
