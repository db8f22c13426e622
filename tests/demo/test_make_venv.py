"""What a person is told while `.venv` is made, and when it cannot be."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

import make_venv

ROOT = Path(__file__).parents[2]


def test_the_live_line_follows_what_pip_says() -> None:
    """Collected and downloaded packages show, with their count; other lines change nothing."""
    assert make_venv.tell("Collecting openvino==2026.4.1 (from x)\n", 3) == "3 packages: openvino"
    said = make_venv.tell("  Downloading openvino-2026.4.1-cp311.whl (59.1 MB)\n", 3)
    assert said == "3 packages: openvino (59.1 MB)"
    assert make_venv.tell("Installing collected packages: a, b\n", 2) == "unpacking 2 packages"
    assert make_venv.tell("  Using cached something\n", 2) == ""


def test_a_python_that_is_too_old_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """It names the version found and what to do."""
    monkeypatch.setattr(make_venv, "OLDEST", (99, 0))
    with pytest.raises(make_venv.Failed, match=r"Python 3\.11 or newer.*install a newer one"):
        make_venv.check_python()


def test_a_python_without_venv_names_the_package_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Debian and Ubuntu ship venv apart."""
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ensurepip" else find(name))
    with pytest.raises(make_venv.Failed, match="apt install python3-venv"):
        make_venv.check_python()


def test_pips_reason_holds_no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An index address with a password in it may be in pip's words; it is cut from the log and from the message."""
    pip = tmp_path / "python"
    pip.write_text("#!/bin/sh\necho 'ERROR: cannot reach https://user:secret@index.example/simple'\nexit 1\n")
    pip.chmod(0o755)
    monkeypatch.setattr(make_venv, "PYTHON", pip)
    monkeypatch.setattr(make_venv, "LOG", tmp_path / "pip.log")
    with pytest.raises(make_venv.Failed) as failed:
        make_venv.install("local")
    assert "cannot reach https://index.example" in str(failed.value)
    assert "secret" not in str(failed.value) + (tmp_path / "pip.log").read_text()


def test_make_says_it_in_one_line_when_there_is_no_python(tmp_path: Path) -> None:
    """`make demo` without a usable Python ends in one line that says what to install."""
    makefile = tmp_path / "Makefile"
    makefile.write_text((ROOT / "Makefile").read_text())
    for name in ("pyproject.toml", "constraints.txt", "make_venv.py"):
        (tmp_path / name).write_text("")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(
        ["make", "PYTHON=", "demo"], cwd=tmp_path, env=environment, check=False, capture_output=True, text=True
    )
    assert done.returncode != 0
    assert done.stderr.splitlines()[0].startswith("make: Gateline needs Python 3.11 or newer, and there is none here")


def test_the_script_runs_as_a_program() -> None:
    """It parses and imports with nothing installed: isolated from the site packages."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import runpy; runpy.run_path({str(ROOT / 'make_venv.py')!r})"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
