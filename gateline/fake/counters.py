"""The fast mode's invoice: one row of counters a process in memory that all of them see, summed when asked for."""

from __future__ import annotations

import mmap

import msgspec

from gateline.fake.canned import Canned
from gateline.fake.reply import head

_WIDTH = 8


class Counters:
    CHAT = 0
    EMBEDDING = 1
    STREAM = 2
    STREAM_DONE = 3
    CANCELLED = 4

    def __init__(self, rows: int) -> None:
        """Made before the processes are: an anonymous shared map passes through the fork."""
        self._rows = rows
        self._all = memoryview(mmap.mmap(-1, rows * _WIDTH * 8)).cast("Q")
        self.own = self._all[:_WIDTH]

    def sit(self, row: int) -> None:
        """This process counts in `row`: one writer a row, so that nothing needs a lock."""
        self.own = self._all[row * _WIDTH : (row + 1) * _WIDTH]

    def total(self, column: int) -> int:
        return sum(self._all[row * _WIDTH + column] for row in range(self._rows))

    def reset(self) -> None:
        """Zeroes all rows; a request counted at this very moment may go either way."""
        for index in range(len(self._all)):
            self._all[index] = 0

    def written(self, canned: Canned) -> bytes:
        """The reply to `GET /fake/invoice` in fast mode: totals only, tokens from what each canned reply says."""
        chats, embeddings = self.total(self.CHAT), self.total(self.EMBEDDING)
        streams, done = self.total(self.STREAM), self.total(self.STREAM_DONE)
        answers = chats + done
        body = msgspec.json.encode(
            {
                "totals": {
                    "requests": chats + embeddings + streams,
                    "finished": answers + embeddings,
                    "cancelled": self.total(self.CANCELLED),
                    "chat": chats,
                    "streams": streams,
                    "streams_finished": done,
                    "embeddings": embeddings,
                    "input": answers * canned.usage.input + embeddings * canned.embedding_tokens,
                    "output": answers * canned.usage.output,
                },
                "requests": None,
            }
        )
        return head(200, [("content-type", "application/json"), ("content-length", str(len(body)))]) + body
