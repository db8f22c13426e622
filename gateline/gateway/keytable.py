"""The keys this worker knows: a table fed by numbered changes, and by a question to the control plane on a miss.

A worker opens no database. An answer older than the last change of its key is dropped, so a look-up that was under way
cannot bring a revoked key back. When the control plane falls silent the table goes on serving what it has for a while
(`unverified_for`), then refuses: a store that is down is a 503, never a 401.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

import msgspec

from gateline.model.errors import Unavailable
from gateline.model.feed import (
    Beat,
    Changed,
    Cut,
    Found,
    Granted,
    Hello,
    Lookup,
    Publish,
    Refused,
    Rejected,
    Seen,
    ToWorker,
)
from gateline.model.key import Key
from gateline.net.clock import Clock
from gateline.net.flow import Flow
from gateline.net.link import Link

_KEYS = 262_144  # known keys a worker keeps; the one learned first goes first
_ABSENT = 65_536  # hashes known to belong to no key
_ABSENT_SECONDS = 10.0
_SHARED = 4_096  # different limits and model lists of which all keys share one object each
_GATHER = 0.005  # seconds after a look-up was sent in which further ones wait, to go together
_ASKING = 8_192  # look-ups under way at once
_SILENT = 2.0  # seconds without a beat after which the table counts as unverified
_PATIENCE = 5.0  # seconds a request waits for its key's look-up


_Value = TypeVar("_Value", int | None, tuple[str, ...] | None)


class Question:
    """One look-up under way, shared by all requests with the same key."""

    __slots__ = ("answered", "asked", "flows", "key")

    def __init__(self, now: float) -> None:
        self.asked = now
        self.flows: list[Flow] = []
        self.answered = False
        self.key: Key | None = None


class KeyTable:
    """`find` answers from memory; `ask` starts or joins a look-up. `publish` gets each new configuration's bytes, `cut`
    the id of each key whose running calls are to end, `granted` each token of a provider."""

    def __init__(
        self,
        socket_path: Path,
        worker: int,
        clock: Clock,
        publish: Callable[[int, bytes], None],
        cut: Callable[[str], None],
        granted: Callable[[Granted], None],
    ) -> None:
        self._keys: dict[bytes, Key] = {}
        self._absent: dict[bytes, float] = {}
        self._shared: dict[int | tuple[str, ...], int | tuple[str, ...]] = {}
        self._questions: dict[bytes, Question] = {}
        self._unsent: list[bytes] = []
        self._gathering = False
        self._clock = clock
        self._worker = worker
        self._publish = publish
        self._cut = cut
        self._granted = granted
        self._changed = 0
        self._returned_at = 0  # the change that the connection began with
        self._is_returning = True  # since the connection opened, nobody has said whether changes were missed
        self._heard = clock.now  # when the table was last known to have missed nothing
        self.snapshot_version = 0
        self.unverified_for = 30.0
        self._link = Link(socket_path, ToWorker, receive=self._receive, opened=self._opened, lost=self._lost)
        clock.every_tick(self._expire)

    def start(self) -> None:
        self._link.start()

    def close(self) -> None:
        self._link.close()

    def find(self, digest: bytes) -> Key | None:
        """The key if it is known. Raises Unavailable when it may have been revoked without our hearing of it."""
        key = self._keys.get(digest)
        if key is not None and self._clock.now - self._heard > _SILENT:
            self._check_silence()
        return key

    def is_absent(self, digest: bytes) -> bool:
        until = self._absent.get(digest)
        return until is not None and until > self._clock.now

    def ask(self, digest: bytes, flow: Flow) -> Question:
        """Raises Unavailable when too many look-ups are under way."""
        question = self._questions.get(digest)
        if question is None:
            if len(self._questions) >= _ASKING:
                raise Unavailable("Too many unknown keys are being looked up: try again.", retry_after=1)
            question = self._questions[digest] = Question(self._clock.now)
            self._unsent.append(digest)
            if not self._gathering:
                self._send_questions()
        question.flows.append(flow)
        return question

    def _send_questions(self) -> None:
        """A first question goes at once; while many new keys call, those of the next moment go together, since a
        message costs both processes more than a look-up does."""
        self._gathering = bool(self._unsent)
        if self._gathering:
            for digest in self._unsent:
                self._link.send(Lookup(digest))
            self._unsent.clear()
            self._in_a_moment(self._send_questions)

    def _in_a_moment(self, call: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_later(_GATHER, call)

    def gave_up(self, question: Question) -> bool:
        """No answer will come to this question any more."""
        return self._clock.now - question.asked > _PATIENCE

    def _check_silence(self) -> None:
        if self._clock.now - self._heard > _SILENT + self.unverified_for:
            raise Unavailable("Keys cannot be verified at the moment: try again shortly.", retry_after=2)

    # --- the feed ---

    def _opened(self) -> None:
        # Changes may have been missed while there was no connection: the first beat will say. A control process that
        # cannot read its store yet sends none that says, and what is known goes on being served as long as in silence.
        self._is_returning = True
        self._unsent.clear()
        self._link.send(Hello(self._worker, os.getpid(), self.snapshot_version))
        for digest in self._questions:
            self._link.send(Lookup(digest))

    def _lost(self) -> None:
        pass  # `_heard` grows old by itself

    def _receive(self, message: ToWorker) -> None:
        if isinstance(message, Found):
            self._found(message)
        elif isinstance(message, Changed):
            self._apply(message.key)
        elif isinstance(message, Publish):
            self._publish(message.version, message.snapshot)
            self._acknowledge()
        elif isinstance(message, Cut):
            self._cut(message.key_id)
        elif isinstance(message, Granted):
            self._granted(message)
        elif isinstance(message, Beat) and message.changed >= 0:
            self._heard = self._clock.now
            if self._is_returning:
                self._return(message.changed)
            self._changed = max(self._changed, message.changed)

    def _return(self, changed: int) -> None:
        """Connected again, to a control process whose last change is `changed`."""
        self._is_returning = False
        self._returned_at = changed
        if changed != self._changed:
            self._keys.clear()
            self._absent.clear()
            self._changed = changed
        self._acknowledge()

    def _apply(self, key: Key) -> None:
        if not self._is_returning:
            self._changed = max(self._changed, key.changed)
        self._absent.pop(key.hash, None)
        known = self._keys.get(key.hash)
        if known is None or known.changed < key.changed:
            self._keep(key)
        self._acknowledge()

    def _found(self, found: Found) -> None:
        if found.changed < self._returned_at:
            # Read from the store before this connection began, and what changed since was not told on it.
            if found.hash in self._questions:
                self._link.send(Lookup(found.hash))
            return
        question = self._questions.pop(found.hash, None)
        known = self._keys.get(found.hash)
        key = found.key
        if known is not None and known.changed > found.changed:
            key = known  # changed while we asked
        elif key is not None:
            self._keep(key)
        else:
            self._keys.pop(found.hash, None)
            if len(self._absent) >= _ABSENT:
                del self._absent[next(iter(self._absent))]
            self._absent[found.hash] = self._clock.now + _ABSENT_SECONDS
        if question is not None:
            self._answer(question, key)

    def _keep(self, key: Key) -> None:
        if len(self._keys) >= _KEYS and key.hash not in self._keys:
            del self._keys[next(iter(self._keys))]
        self._keys[key.hash] = self._lean(key)

    def _lean(self, key: Key) -> Key:
        """The same key, made of objects that all keys share where their values are equal: a key that calls seldom
        lies in no cache, and each object of its own is a wait for memory (583 bytes a key, 454 like this)."""
        return msgspec.structs.replace(
            key,
            tenant=sys.intern(key.tenant),
            requests_per_minute=self._share(key.requests_per_minute),
            concurrency=self._share(key.concurrency),
            models=self._share(key.models),
        )

    def _share(self, value: _Value) -> _Value:
        if value is None:
            return value
        shared = self._shared
        if len(shared) >= _SHARED:
            shared.clear()
        return cast("_Value", shared.setdefault(value, value))

    def _answer(self, question: Question, key: Key | None) -> None:
        question.answered = True
        question.key = key
        for flow in question.flows:
            flow.wake()

    def _acknowledge(self) -> None:
        self._link.send(Seen(self._changed, self.snapshot_version))

    def refuse(self, version: int, reason: str) -> None:
        """Says that this worker cannot run the snapshot it was just given."""
        self._link.send(Refused(version, reason))

    def reject(self, rejected: Rejected) -> None:
        """Says that a vendor refused a token that was brought; lost while the control process is away."""
        self._link.send(rejected)

    def _expire(self, now: float) -> None:
        late = [digest for digest, question in self._questions.items() if now - question.asked > _PATIENCE]
        for digest in late:
            for flow in self._questions.pop(digest).flows:
                flow.wake()
