from __future__ import annotations

import json
from pathlib import Path

import msgspec
from structlog.testing import capture_logs

from gateline.control.access import AccessLog
from gateline.model.record import Attempt, Opened, Record, record_of_lost
from gateline.model.usage import Usage

MILLISECOND = 1_000_000


def record(name: str) -> Record:
    opened = Opened(name, "default", "key_1", 0, "chat", "gpt", "up/gpt", stream=True, started=1_000 * MILLISECOND)
    return record_of_lost(opened, finished=1_250 * MILLISECOND)


def test_a_line_says_what_the_record_says(tmp_path: Path) -> None:
    """One JSON object a line, under the record's own id; what is unknown is null."""
    path = tmp_path / "access.log"
    full = msgspec.structs.replace(
        record("second\nline"),
        status=200,
        error="",
        usage=Usage(3, 4),
        cost=0,
        first_byte=1_100 * MILLISECOND,
        attempts=[Attempt("a"), Attempt("b")],
        overhead=50_000,
    )
    AccessLog(path).write([record("first"), full])
    first, second = (json.loads(line) for line in path.read_text().splitlines())
    assert first["request_id"] == "first"
    assert first["time"] == "1970-01-01T00:00:01.250+00:00"
    assert (first["milliseconds"], first["first_byte_milliseconds"]) == (250.0, None)
    assert first["input_tokens"] is first["cost_nano_dollars"] is None
    assert second["request_id"] == "second\nline"
    assert (second["input_tokens"], second["output_tokens"], second["cost_nano_dollars"]) == (3, 4, 0)
    assert (second["attempts"], second["first_byte_milliseconds"], second["overhead_milliseconds"]) == (2, 100.0, 0.05)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_full_file_is_kept_once(tmp_path: Path) -> None:
    """The file turns over at its size and only one old one remains: the log never grows without bound."""
    path = tmp_path / "access.log"
    log = AccessLog(path, rotate_bytes=5_000)
    for number in range(100):
        log.write([record(f"r{number}")])
    assert sorted(each.name for each in tmp_path.iterdir()) == ["access.log", "access.log.1"]
    old = (tmp_path / "access.log.1").read_bytes()
    assert 5_000 <= len(old) < 6_000
    names = [json.loads(line)["request_id"] for line in (old + path.read_bytes()).splitlines()]
    assert names == [f"r{number}" for number in range(100 - len(names), 100)]


def test_a_disk_that_takes_no_line_loses_only_lines(tmp_path: Path) -> None:
    """Nothing is raised into the import; the lost lines are counted; the log says once that they are lost, and when
    it is over."""
    folder = tmp_path / "no folder"
    log = AccessLog(folder / "access.log")
    with capture_logs() as said:
        for _ in range(50):
            log.write([record("a"), record("b")])
        assert log.dropped == 100
        folder.mkdir()
        log.write([record("c")])
        log.write([record("d")])
    assert log.dropped == 100
    assert [(entry["event"], entry["failures"]) for entry in said] == [
        ("access_log_failed", 1),
        ("access_log_failed_over", 50),
    ]
    assert "No such file or directory" in said[0]["cause"]
