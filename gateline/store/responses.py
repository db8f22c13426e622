"""Responses that clients may come back to, a file each, shared by all workers of the machine.

OpenAI's Responses API has state: a response can be fetched, deleted, and gone on from. Every function here touches the
disk: call them on a thread. A file is there whole or not at all; what the machine had not written out when it lost
power is gone.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Raw

LIFE: Final = 30 * 24 * 3600  # seconds; OpenAI's (platform.openai.com/docs/guides/your-data)
MOST: Final = 100_000
MOST_BYTES: Final = 4 * 1024**3
LARGEST: Final = 32 * 1024**2  # bytes of one record: larger ones are not kept
LONGEST_CHAIN: Final = 1_000  # responses
LARGEST_CHAIN: Final = 64 * 1024**2  # bytes

_ID = re.compile(r"[A-Za-z0-9_.:-]{1,256}")
_SHARDS = 64  # folders at most: looking through one of 1,600 files takes a thread 10 ms
_SHARE = 16  # a worker looks through a folder after each 16th part of its bounds: by so much they can be passed


class Record(msgspec.Struct, array_like=True):
    """A response as its client got it. `input` are the items of its own call, `previous` is the response they go on
    from. `provider` is what the account is known by that holds the response too, empty when none
    does or nobody knows which. `created` is a Unix time."""

    tenant: str
    id: str
    created: int
    provider: str
    previous: str
    input: list[Raw]
    response: Raw


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Record).decode


def is_response_id(identifier: str) -> bool:
    return _ID.fullmatch(identifier) is not None


class _Shard:
    """One folder. `new` and `new_bytes` are what this worker has put there since it last looked through it."""

    __slots__ = ("folder", "new", "new_bytes", "sweeping")

    def __init__(self, folder: Path, new: int) -> None:
        self.folder = folder
        self.new = new
        self.new_bytes = 0
        self.sweeping = threading.Lock()


class ResponseStore:
    """At most `most` records and `most_bytes` (by a 16th more a worker): the oldest of a folder go first, and all go
    after `life` seconds. A record is found by the tenant it belongs to and by no other: the tenant is part of its
    file's name. All stores over one folder have the same bounds."""

    def __init__(
        self,
        folder: Path,
        *,
        most: int = MOST,
        most_bytes: int = MOST_BYTES,
        life: int = LIFE,
        now: Callable[[], float] = time.time,
    ) -> None:
        shards = max(1, min(_SHARDS, most // _SHARDS))
        self._most = most // shards
        self._most_bytes = most_bytes // shards
        self._life = life
        self._now = now
        # So many new ones that the first record asks for a look: others were here before.
        self._shards = [_Shard(folder / f"{number:02x}", self._most) for number in range(shards)]

    def put(self, record: Record) -> bool:
        """Keeps `record`; False when it cannot be: its id is none, it is too large, or the disk has no room."""
        if not is_response_id(record.id):
            return False
        data = _encode(record)
        if len(data) > LARGEST or len(data) > self._most_bytes:
            return False
        shard, path = self._place(record.tenant, record.id)
        try:
            if not shard.folder.is_dir():
                shard.folder.parent.mkdir(mode=0o700, exist_ok=True)  # `parents=True` would leave its mode to the umask
                shard.folder.mkdir(mode=0o700, exist_ok=True)
            self._write(path, data)
        except OSError:
            return False
        shard.new += 1
        shard.new_bytes += len(data)
        if shard.new * _SHARE >= self._most or shard.new_bytes * _SHARE >= self._most_bytes:
            self._sweep(shard)
        return True

    def get(self, tenant: str, identifier: str) -> Record | None:
        """None for what never was, is gone, or belongs to another tenant."""
        if not is_response_id(identifier):
            return None
        try:
            record = _decode(self._place(tenant, identifier)[1].read_bytes())
        except (OSError, msgspec.MsgspecError):
            return None
        if record.tenant != tenant or record.id != identifier or record.created + self._life < self._now():
            return None
        return record

    def chain(self, tenant: str, identifier: str) -> list[Record] | None:
        """The response and all those it goes on from, oldest first; None when one of them is not there, or when they
        are more, or larger, than one call can take."""
        found: list[Record] = []
        left = LARGEST_CHAIN
        while identifier:
            record = self.get(tenant, identifier)
            if record is None or len(found) == LONGEST_CHAIN:
                return None
            left -= len(record.response) + sum(map(len, record.input))
            if left < 0:
                return None
            found.append(record)
            identifier = record.previous
        found.reverse()
        return found

    def delete(self, tenant: str, identifier: str) -> bool:
        """False when it was not there."""
        if self.get(tenant, identifier) is None:
            return False
        try:
            self._place(tenant, identifier)[1].unlink()
        except OSError:
            return False
        return True

    def _sweep(self, shard: _Shard) -> None:
        """Throws out what is too old, and the oldest of what is too much. One thread of a process at a time."""
        if not shard.sweeping.acquire(blocking=False):
            return
        try:
            shard.new = shard.new_bytes = 0
            files = _files(shard.folder)
            files.sort()
            count, size = len(files), sum(bytes_ for _, bytes_, _ in files)
            oldest = self._now() - self._life
            for changed, bytes_, path in files:
                if count <= self._most and size <= self._most_bytes and changed >= oldest:
                    break
                with contextlib.suppress(OSError):  # another worker was faster
                    Path(path).unlink()
                count -= 1
                size -= bytes_
        finally:
            shard.sweeping.release()

    def _place(self, tenant: str, identifier: str) -> tuple[_Shard, Path]:
        digest = hashlib.sha256(f"{len(tenant)}:{tenant}{identifier}".encode("utf-8", "replace")).hexdigest()
        shard = self._shards[int(digest[:4], 16) % len(self._shards)]
        return shard, shard.folder / digest[:40]

    def _write(self, path: Path, data: bytes) -> None:
        fd, unnamed = tempfile.mkstemp(dir=path.parent, prefix=".")
        try:
            with os.fdopen(fd, "wb") as file:
                file.write(data)
            now = self._now()
            os.utime(unnamed, (now, now))  # what it is thrown out by
            Path(unnamed).replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                Path(unnamed).unlink()
            raise


def _files(folder: Path) -> list[tuple[float, int, str]]:
    """Time of writing, size and path of every file."""
    files: list[tuple[float, int, str]] = []
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                status = entry.stat()
                files.append((status.st_mtime, status.st_size, entry.path))
    return files
