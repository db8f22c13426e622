"""The demo as `make demo` runs it: every step holds, and an interruption leaves nothing behind."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SECONDS = 300.0
_has_engines = importlib.util.find_spec("openvino_genai") is not None and importlib.util.find_spec("onnx") is not None


@pytest.fixture
def folder() -> Iterator[Path]:
    """A place for the demo's files whose path leaves room for the names of sockets, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="gl-", dir="/tmp") as name:
        yield Path(name)


@contextmanager
def _demo(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """In a process group of its own, of which nothing is left afterwards. Its temporary files go into `folder`."""
    demo = subprocess.Popen(
        [sys.executable, "-m", "demo"],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    with demo:
        try:
            yield demo
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(demo.pid, signal.SIGKILL)


def _is_empty(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.local
@pytest.mark.skipif(not _has_engines, reason="needs gateline[local]")
def test_every_step_of_the_demo_holds(folder: Path) -> None:
    """Models, chat, JSON, embedding, keys and load; then all that it started has ended and its files are gone."""
    with _demo(folder) as demo:
        said, _ = demo.communicate(timeout=SECONDS)
        assert demo.returncode == 0, said
        assert _is_empty(demo.pid), said
    assert "to the first streamed token:" in said
    assert "401 revoked_api_key" in said
    assert "on the provider's invoice" in said
    assert "Every step held" in said
    assert list(folder.glob("gateline-demo-*")) == []


def test_an_interrupted_demo_leaves_nothing_behind(folder: Path) -> None:
    """Ctrl-C reaches the whole group, as at a terminal: exit 130, every process ended, no files."""
    with _demo(folder) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if "ready in" in line:
                break
        os.killpg(demo.pid, signal.SIGINT)
        said, _ = demo.communicate(timeout=SECONDS)
        assert demo.returncode == 130, said
        assert _is_empty(demo.pid), said
    assert "nothing is left running" in said
    assert list(folder.glob("gateline-demo-*")) == []


def test_a_step_that_fails_says_what_to_do_and_fails_the_demo(folder: Path) -> None:
    """Without room for its data the gateway cannot start: exit 1, one sentence, and where the log is."""
    blocked = folder / "blocked"
    blocked.write_text("a file where the demo wants a folder")
    done = subprocess.run(
        [sys.executable, "-c", _BLOCKED, str(folder)],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "✗ the gateway ended at once: its log says why" in done.stdout
    assert f"are kept in {folder}" in done.stdout
    assert "blocked" in next(folder.glob("gateline-demo-*/gateway.log")).read_text()


# The demo with a data directory that cannot be made: its parent is a file.
_BLOCKED = """
import pathlib, sys, tempfile
import demo.gateway
tempfile.tempdir = sys.argv.pop(1)
begin = demo.gateway.Gateway.__init__
def blocked(self, folder):
    begin(self, folder)
    self.data_dir = pathlib.Path(tempfile.tempdir) / "blocked" / "data"
demo.gateway.Gateway.__init__ = blocked
from demo.__main__ import main
sys.exit(main())
"""
