"""Clients that keep asking, each on a connection of its own, and remember what became of every request."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from tests.journey.patience import DEADLINE, until
from tests.journey.wire import Answer, Wire, chat


@dataclass
class Tally:
    """`answers` came whole. A failure is (the last id seen on that connection, what happened), blank for a connection
    that had carried nothing."""

    answers: list[Answer] = field(default_factory=list)
    failures: list[tuple[str, str]] = field(default_factory=list)


class Load:
    """`with Load(port, token) as load`: runs until the block ends. As sound clients do, they open a new connection when
    told `Connection: close`, and ask again when a connection used before ends before the first byte of an answer."""

    def __init__(self, port: int, token: str, *, clients: int = 8, **fields: object) -> None:
        self._port = port
        self._request = chat(token, **{"max_tokens": 2, **fields})
        self._stop = threading.Event()
        self.tallies = [Tally() for _ in range(clients)]
        self._threads = [threading.Thread(target=self._run, args=(tally,)) for tally in self.tallies]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(DEADLINE)

    @property
    def answers(self) -> list[Answer]:
        return [answer for tally in self.tallies for answer in tally.answers]

    @property
    def failures(self) -> list[tuple[str, str]]:
        return [failure for tally in self.tallies for failure in tally.failures]

    def more(self, count: int) -> None:
        """Waits for so many answers more."""
        wanted = len(self.answers) + count
        until(lambda: len(self.answers) >= wanted or self._stop.is_set(), f"{count} answers more")

    def _run(self, tally: Tally) -> None:
        while not self._stop.is_set():
            last = ""
            try:
                with Wire(self._port) as wire:
                    while not self._stop.is_set():
                        answer = wire.send(self._request).answer()
                        tally.answers.append(answer)
                        last = answer.id
                        if answer.header("connection") == "close":
                            break
            except (OSError, EOFError) as error:
                tally.failures.append((last, f"{type(error).__name__}: {error}"))
