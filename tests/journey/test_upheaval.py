"""Reload, kill and restart at half of the peak with a hundred open streams, three times each. The benchmarks do the
same twenty times (`benchmarks/load/upheaval.py`)."""

from __future__ import annotations

from pathlib import Path

from tests.journey.upheaval import STREAMS, Upheaval, upheaval

TURNS = 3


def test_a_reload_fails_nothing(tmp_path: Path) -> None:
    """No request and no stream, not even one that a client would have mended."""
    outcome = upheaval(tmp_path, TURNS, Upheaval.reload)
    assert outcome.unsound == []
    assert (outcome.turns, outcome.mended, outcome.written_off) == (TURNS, 0, 0)
    assert outcome.streamed >= STREAMS


def test_a_killed_worker_fails_only_what_a_sound_client_asks_again(tmp_path: Path) -> None:
    """Requests end before the first byte of an answer, and only on connections of the dead worker; streams are cut
    only if they were its own; the ledger knows each of them."""
    outcome = upheaval(tmp_path, TURNS, Upheaval.kill)
    assert outcome.unsound == []
    assert outcome.turns == TURNS
    assert outcome.written_off > 0, "no stream was on a worker that was killed"


def test_a_restarted_worker_finishes_what_it_has(tmp_path: Path) -> None:
    """Its streams reach their end and no new connection is refused or reset; at most a kept connection closes under a
    request that was on its way."""
    outcome = upheaval(tmp_path, TURNS, Upheaval.restart)
    assert outcome.unsound == []
    assert (outcome.turns, outcome.written_off) == (TURNS, 0)
    assert outcome.streamed >= STREAMS
