"""`gateline fake` in a process of its own, as the vendor that a command talks to."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def fake_process(*options: str) -> Iterator[str]:
    """Its base URL, once it listens."""
    command = [sys.executable, "-m", "gateline", "fake", "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            assert said.startswith("fake provider on "), said
            yield said.removeprefix("fake provider on ").strip()
        finally:
            process.terminate()
