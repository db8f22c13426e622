"""The data directory's secret: whole or not there."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from gateline.store.datadir import DataDir


def test_a_secret_that_found_no_room_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of it must not be taken for it by the next start; the error says what to do. With room it is made, once."""
    place = DataDir(tmp_path / "data")
    place.create()

    def full(_fd: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="free space"):
            place.pepper()
    assert [path.name for path in place.root.iterdir() if "pepper" in path.name] == []
    secret = place.pepper()
    assert len(secret) == 32
    assert place.pepper() == secret
    assert stat.S_IMODE((place.root / "pepper").stat().st_mode) == 0o600
    assert [path.name for path in place.root.iterdir() if "pepper" in path.name] == ["pepper"]
