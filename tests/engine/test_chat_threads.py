"""How many threads a chat model computes with."""

from __future__ import annotations

import os

import pytest

from gateline.engine import pipeline


@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (2, 2), (4, 4), (64, 4)])
def test_a_thread_a_core_that_the_process_may_use_but_few(
    monkeypatch: pytest.MonkeyPatch, cores: int, threads: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(cores)), raising=False)
    assert pipeline._threads() == threads


@pytest.mark.parametrize(("cores", "threads"), [(None, 1), (2, 2), (64, 4)])
def test_where_affinity_is_unknown_the_machines_cores_count(
    monkeypatch: pytest.MonkeyPatch, cores: int | None, threads: int
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert pipeline._threads() == threads
