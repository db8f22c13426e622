"""What `make fuzz` makes of a target's end. The target here is a program that ends as libFuzzer does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz import run

WELL = "print('#9 DONE   cov: 58 ft: 297 corp: 45/1273b'); print('Done 6587 runs in 6 second(s)')"
BADLY = """
import pathlib, sys
place = next(each for each in sys.argv if each.startswith("-artifact_prefix=")).partition("=")[2]
pathlib.Path(place + "crash-1").write_bytes(b"\\x05it's\\xff")
print("AssertionError: a promise")
sys.exit(77)
"""


def fuzzed(tmp_path: Path, program: str, capsys: pytest.CaptureFixture[str]) -> tuple[list[str], str]:
    """The targets that failed and all that was said."""
    drive = tmp_path / "drive.py"
    drive.write_text(program)
    failed = run.fuzz(["sse", "http1"], 0, drive=(sys.executable, str(drive)), found=tmp_path / "found")
    return failed, capsys.readouterr().out


def test_targets_that_hold_are_a_line_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """How many inputs there were and how much of the code they saw; nothing is kept."""
    failed, said = fuzzed(tmp_path, WELL, capsys)
    assert failed == []
    assert "sse: ok, 6,587 inputs in 6 s, 58 places and 297 ways seen\n" in said
    assert not (tmp_path / "found").exists()


def test_an_input_that_breaks_a_promise_is_told_and_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its traceback, its place, its bytes, and a command that runs it again; a second find of the same too."""
    for _ in range(2):
        failed, said = fuzzed(tmp_path, BADLY, capsys)
        assert failed == ["http1", "sse"]
        assert "AssertionError: a promise" in said
        assert f"{tmp_path}/found/sse-crash-1 (6 bytes)" in said
        assert repr(b"\x05it's\xff") in said
        assert (tmp_path / "found" / "sse-crash-1").read_bytes() == b"\x05it's\xff"
    line = next(line for line in said.splitlines() if line.startswith("replay it:") and "'sse'" in line)
    command = line.partition(":")[2].replace(".venv/bin/python", sys.executable).strip()
    replayed = subprocess.run(["sh", "-c", command], cwd=run.ROOT, capture_output=True, text=True, check=False)
    assert (replayed.returncode, replayed.stderr) == (0, "")  # the real target keeps its promise with these bytes


@pytest.mark.parametrize("program", ["print('Killed')", "raise SystemExit(3)", "import nothing_of_that_name"])
def test_a_target_that_did_not_run_is_a_failure(
    program: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever ends without libFuzzer's count has fuzzed nothing."""
    assert fuzzed(tmp_path, program, capsys)[0] == ["http1", "sse"]


def test_a_failed_target_fails_the_verb(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 1 and the names; a name that is no target is a mistake at once."""
    monkeypatch.setattr(run, "fuzz", lambda targets, _seconds: [*targets][:1])
    assert run.main(["sse", "http1"]) == 1
    assert "Fuzzing failed: sse." in capsys.readouterr().out
    monkeypatch.setattr(run, "fuzz", lambda _targets, _seconds: [])
    assert run.main([]) == 0
    with pytest.raises(SystemExit):
        run.main(["http9"])
    assert "no such target: http9" in capsys.readouterr().err
