from __future__ import annotations

from pathlib import Path

import pytest

from gateline.store import mapped


def test_a_new_file_has_its_blocks_and_reads_as_zeros(tmp_path: Path) -> None:
    """Every block is reserved before the first store, so that no store can meet a full disk."""
    path = tmp_path / "file"
    pages = mapped.create(path, 1_000_000, yielding=True)
    stat = path.stat()
    assert stat.st_size == len(pages) == 1_000_000
    assert stat.st_blocks * 512 >= 1_000_000
    assert stat.st_mode & 0o777 == 0o600
    assert not any(path.read_bytes())
    pages[999_999] = 7
    assert path.read_bytes()[-1] == 7
    pages.close()


def test_a_disk_without_room_is_an_error_and_leaves_no_file(tmp_path: Path) -> None:
    """The failure is an OSError at creation, never a signal at a later store."""
    path = tmp_path / "file"
    with pytest.raises(OSError, match=r".+"):
        mapped.create(path, 1 << 55)
    assert not path.exists()


def test_an_existing_file_is_never_taken_over(tmp_path: Path) -> None:
    """Two lives of a worker cannot share a file."""
    path = tmp_path / "file"
    path.write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        mapped.create(path, 4096)
    assert path.read_bytes() == b"mine"
