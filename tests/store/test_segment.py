from __future__ import annotations

import tempfile
from pathlib import Path
from zlib import crc32

from hypothesis import given, settings
from hypothesis import strategies as st

from gateline.store.segment import (
    FRAME_BYTES,
    HEADER_BYTES,
    create_segment,
    incarnation_of,
    read_segment,
    segment_path,
    store_end_mark,
    store_frame_head,
)

SIZE = 16 * 4096
PAYLOADS = st.lists(st.binary(min_size=1, max_size=600), max_size=60)


def write(folder: Path, payloads: list[bytes], *, closed: bool) -> tuple[Path, int]:
    path = segment_path(folder, "0a-1", 1)
    pages, seed = create_segment(path, SIZE)
    at = HEADER_BYTES
    for payload in payloads:
        pages[at + FRAME_BYTES : at + FRAME_BYTES + len(payload)] = payload
        store_frame_head(pages, at, len(payload), crc32(payload, seed))
        at += FRAME_BYTES + len(payload)
    if closed:
        store_end_mark(pages, at, seed)
    pages.close()
    return path, at


@settings(deadline=None)
@given(payloads=PAYLOADS, closed=st.booleans(), limit=st.integers(1, 70))
def test_what_was_written_is_read_back_in_any_batches(payloads: list[bytes], closed: bool, limit: int) -> None:
    """Reading in batches of any size gives every payload once, in order, and then says whether more may come."""
    with tempfile.TemporaryDirectory() as folder:
        path, end = write(Path(folder), payloads, closed=closed)
        got: list[bytes] = []
        offset = 0
        while True:
            found = read_segment(path, offset, limit)
            got += found.payloads
            offset = found.next_offset
            if len(found.payloads) < limit:
                break
        assert got == payloads
        assert offset == end
        assert found.closed == closed


@settings(deadline=None)
@given(payloads=PAYLOADS.filter(bool), data=st.data())
def test_a_damaged_byte_ends_the_reading_before_its_frame(payloads: list[bytes], data: st.DataObject) -> None:
    """Whatever byte is torn, the frames before it are read whole and nothing made up follows."""
    with tempfile.TemporaryDirectory() as folder:
        path, end = write(Path(folder), payloads, closed=False)
        place = data.draw(st.integers(HEADER_BYTES, end - 1))
        raw = bytearray(path.read_bytes())
        raw[place] ^= data.draw(st.integers(1, 255))
        path.write_bytes(raw)
        found = read_segment(path)
        assert found.payloads == payloads[: len(found.payloads)]
        assert found.next_offset <= place
        assert not found.closed


@settings(deadline=None)
@given(payloads=PAYLOADS, size=st.integers(0, SIZE))
def test_a_file_that_is_cut_short_reads_as_what_is_left(payloads: list[bytes], size: int) -> None:
    """A copy or a crash that shortened the file raises nothing."""
    with tempfile.TemporaryDirectory() as folder:
        path, _ = write(Path(folder), payloads, closed=True)
        path.write_bytes(path.read_bytes()[:size])
        found = read_segment(path)
        assert found.payloads == payloads[: len(found.payloads)]


def test_frames_of_another_generation_do_not_pass(tmp_path: Path) -> None:
    """Bytes left over from another file, whole as they are, are no frames of this one."""
    path, _ = write(tmp_path, [b"one", b"two"], closed=False)
    raw = bytearray(path.read_bytes())
    raw[8] ^= 1
    path.write_bytes(raw)
    assert read_segment(path).payloads == []


def test_a_segment_still_being_made_is_empty(tmp_path: Path) -> None:
    """A file without its magic is not looked into."""
    path = segment_path(tmp_path, "0a-1", 1)
    path.write_bytes(bytes(SIZE))
    assert read_segment(path) == read_segment(path, 0)
    assert read_segment(path).payloads == []
    assert not read_segment(path).closed


def test_a_payload_larger_than_one_read_comes_back_whole(tmp_path: Path) -> None:
    """The reader's own buffer size is no limit."""
    path = segment_path(tmp_path, "0a-1", 1)
    pages, seed = create_segment(path, 1 << 20)
    payload = b"x" * 700_000
    pages[HEADER_BYTES + FRAME_BYTES : HEADER_BYTES + FRAME_BYTES + len(payload)] = payload
    store_frame_head(pages, HEADER_BYTES, len(payload), crc32(payload, seed))
    pages.close()
    assert read_segment(path).payloads == [payload]


def test_a_segment_knows_its_incarnation(tmp_path: Path) -> None:
    """The name carries who wrote it and the order."""
    path = segment_path(tmp_path, "0a-77", 12)
    assert incarnation_of(path) == "0a-77"
    assert path.name < segment_path(tmp_path, "0a-77", 13).name
