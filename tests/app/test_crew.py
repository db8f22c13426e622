"""Who sits where, with children that are only sleeping programs."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateline.app.complaints import Complaints
from gateline.app.crew import Crew
from gateline.store.columns import CONNECTIONS, WORKER_RESTARTS
from gateline.store.datadir import DataDir
from gateline.store.limits import Limits

Event = tuple[str, int]


class Hall:
    def __init__(self, size: int, folder: Path) -> None:
        self.data_dir = DataDir(folder)
        self.data_dir.create()
        self.events: list[Event] = []
        self.cannot_start = False
        self.crew = Crew(size, self._spawner, self.data_dir, Complaints("supervisor", 0), self._tell)
        self.crew.start()

    def _spawner(self, _place: int) -> Callable[[], int]:
        def spawn() -> int:
            if self.cannot_start:
                raise OSError(errno.EAGAIN, "no process to be had")
            return os.posix_spawn("/bin/sleep", ["sleep", "600"], {})

        return spawn

    def _tell(self, event: str, *, worker: int) -> None:
        self.events.append((event, worker))

    def end(self, place: int, number: int = signal.SIGKILL) -> None:
        """The child of this place ends, and the crew hears of it."""
        child = self.crew.children[place]
        os.kill(child.pid, number)
        pid, status = os.waitpid(child.pid, 0)
        assert self.crew.died(pid, status)

    @property
    def is_sole(self) -> bool:
        """Whether a worker decides without a lock."""
        view = Limits(self.crew.limits_map, 0, self.crew.places, self.data_dir.limits_lock)
        try:
            return view.is_sole
        finally:
            view.close()


@pytest.fixture
def halls(tmp_path: Path) -> Iterator[Callable[[int], Hall]]:
    made: list[Hall] = []

    def make(size: int) -> Hall:
        made.append(Hall(size, tmp_path))
        return made[-1]

    yield make
    for hall in made:
        hall.crew.end(signal.SIGKILL)
        for place in hall.crew.alive:
            os.waitpid(hall.crew.children[place].pid, 0)


def test_who_leaves_has_its_successor_beside_it(halls: Callable[[int], Hall]) -> None:
    """At once, in the free place; when the leaving one has ended its place is free for the next."""
    hall = halls(2)
    assert [*hall.crew.alive] == [0, 1]
    hall.crew.leaves(0)
    assert [*hall.crew.alive] == [0, 1, 2]
    hall.crew.leaves(0)  # said twice: one successor
    assert [*hall.crew.alive] == [0, 1, 2]
    hall.crew.columns.worker(0)[CONNECTIONS] = 3
    hall.end(0)
    assert [*hall.crew.alive] == [1, 2]
    assert hall.crew.columns.total(CONNECTIONS) == 0
    assert hall.crew.columns.total(WORKER_RESTARTS) == 0
    hall.crew.leaves(2)
    assert [*hall.crew.alive] == [0, 1, 2]
    assert hall.events == [("worker_started", 2), ("worker_left", 0), ("worker_started", 0)]


def test_a_successor_that_cannot_be_started_is_not_told_of(halls: Callable[[int], Hall]) -> None:
    """Whoever waits for all workers would wait for one that is not there."""
    hall = halls(2)
    hall.cannot_start = True
    hall.crew.leaves(0)
    assert [*hall.crew.alive] == [0, 1]
    assert hall.events == []


def test_a_second_that_leaves_waits_for_a_place(halls: Callable[[int], Hall]) -> None:
    """There is one place more than workers: the next successor begins when one of those that leave has ended."""
    hall = halls(2)
    hall.crew.leaves(0)
    hall.crew.leaves(1)
    assert [*hall.crew.alive] == [0, 1, 2]
    hall.end(1)
    assert [*hall.crew.alive] == [0, 1, 2]
    hall.end(0)
    assert [*hall.crew.alive] == [1, 2]


def test_a_worker_that_dies_is_started_in_its_place(halls: Callable[[int], Hall]) -> None:
    """With the schedule of its place, not at once; it counts as a restart."""
    hall = halls(2)
    hall.end(1)
    child = hall.crew.children[1]
    assert ([*hall.crew.alive], child.wanted, child.restarts) == ([0], True, 1)
    assert hall.crew.columns.total(WORKER_RESTARTS) == 1
    assert hall.events == [("worker_died", 1)]


def test_a_worker_is_sole_only_while_no_other_lives(halls: Callable[[int], Hall]) -> None:
    """Not from the moment it leaves until it has ended: two decide then. Of two workers none ever is."""
    hall = halls(1)
    assert hall.is_sole
    hall.crew.leaves(0)
    assert not hall.is_sole
    hall.end(0)
    assert hall.is_sole
    assert not halls(2).is_sole


def test_nobody_begins_once_all_are_to_end(halls: Callable[[int], Hall]) -> None:
    hall = halls(2)
    hall.crew.leaves(0)
    hall.crew.end(signal.SIGCONT)
    for place in (0, 1, 2):
        hall.end(place)
    assert hall.crew.has_ended
