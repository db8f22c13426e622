"""The workers by their places: who runs, who leaves, and who begins beside whom.

Standard library only. A place is a block of the shared columns, a column of the shared limits and a name on the feed.
There is one place more than there are workers, so that the successor of one that finishes its streams begins at once.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable

from gateline.app.complaints import Complaints
from gateline.app.seat import NO_ROOM
from gateline.net.process import Child, describe
from gateline.store import columns, limits
from gateline.store.datadir import DataDir

_SPARE = 1  # every place more is one more cell to look at in each decision about a limit


class Crew:
    """`size` workers. `spawner` gives what starts the worker of a place; `say` writes a log line; `tell` brings an
    event to the control process."""

    def __init__(
        self,
        size: int,
        spawner: Callable[[int], Callable[[], int]],
        data_dir: DataDir,
        say: Complaints,
        tell: Callable[..., None],
    ) -> None:
        self.places = size + _SPARE
        self.columns_map = mmap.mmap(-1, columns.size(self.places))
        self.limits_map = mmap.mmap(-1, limits.size(self.places))
        self.columns = columns.Columns(self.columns_map, self.places)
        self.children = [Child(f"worker-{place}", spawner(place)) for place in range(self.places)]
        self._size = size
        self._limits_lock = data_dir.limits_lock
        self._say = say
        self._tell = tell
        self._leaving: set[int] = set()
        self._ending = False

    @property
    def alive(self) -> tuple[int, ...]:
        """The places whose worker runs."""
        return tuple(place for place, child in enumerate(self.children) if child.is_running)

    @property
    def has_ended(self) -> bool:
        return not self.alive

    def start(self) -> None:
        self._say_who_is_sole()
        for child in self.children[self._size :]:
            child.wanted = False
        for child in self.children[: self._size]:
            child.start()

    def end(self, number: int) -> None:
        """Nobody is started any more, and all get this signal."""
        self._ending = True
        for child in self.children:
            child.wanted = False
            child.signal(number)

    def leaves(self, place: int) -> None:
        """A worker says that it will end once its streams have: another begins, as soon as a place is free."""
        child = self.children[place]
        if child.wanted and child.is_running:
            child.wanted = False
            self._leaving.add(place)
            self._say.say("worker_leaves", level="info", worker=place)
            self._say_who_is_sole()
            self._fill()

    def died(self, pid: int, status: int) -> bool:
        """Whether it was a worker."""
        place = next((place for place, child in enumerate(self.children) if child.pid == pid), -1)
        if place < 0:
            return False
        child = self.children[place]
        left = place in self._leaving
        child.died()
        if (child.wanted or (left and status)) and status != NO_ROOM << 8:
            self._say.say("worker_died", worker=place, how=describe(status))
        self.columns.zero_gauges(place)
        self._forget_calls(place)
        if left:
            self._leaving.discard(place)
            self._tell("worker_left", worker=place)
            self._say_who_is_sole()
            self._fill()
        else:
            self.columns.worker(place)[columns.WORKER_RESTARTS] += int(child.wanted)
            self._tell("worker_died", worker=place)
        return True

    def restarted(self, child: Child) -> None:
        if child in self.children and child.is_running:  # else its fork failed, and it is tried again
            self._tell("worker_started", worker=self.children.index(child))

    def _fill(self) -> None:
        """Starts who is missing, as far as places are free."""
        while not self._ending and sum(child.wanted for child in self.children) < self._size:
            free = next((child for child in self.children if not child.wanted and not child.is_running), None)
            if free is None:
                return
            free.wanted = True
            free.start()
            self.restarted(free)

    def _say_who_is_sole(self) -> None:
        view = limits.Limits(self.limits_map, 0, self.places, self._limits_lock)
        view.set_sole(sole=self._size == 1 and not self._leaving)
        view.close()

    def _forget_calls(self, place: int) -> None:
        """The dead worker's running calls no longer count against their keys."""
        view = limits.Limits(self.limits_map, place, self.places, self._limits_lock)
        view.zero_worker(place)
        view.close()
