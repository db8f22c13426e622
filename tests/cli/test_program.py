"""`gateline` as a program: what it says of itself, and one sentence where it cannot start."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateline import __version__
from gateline.cli.main import app


def test_it_says_which_version_it_is() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.stdout) == (0, f"gateline {__version__}\n")


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_data_directory_that_is_a_file_is_told_in_a_sentence(tmp_path: Path, place: str) -> None:
    """Not the system's "[Errno 17] File exists"."""
    (tmp_path / "file").write_text("")
    result = CliRunner().invoke(app, ["serve", "--data-dir", str(tmp_path / place)])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        f"gateline: {tmp_path / place} cannot be a folder of the data directory: a file has its name, or is on the way "
        "to it\n"
    )


def test_a_port_that_is_taken_is_told_once(tmp_path: Path) -> None:
    """The address, the reason in the system's words, and what to do: each once."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = subprocess.run(
            [sys.executable, "-m", "gateline", "serve", "--port", str(port), "--data-dir", str(tmp_path)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert result.returncode == 1
    assert result.stderr == (
        f"gateline: cannot listen on 127.0.0.1:{port} (Address already in use): name another --port\n"
    )
