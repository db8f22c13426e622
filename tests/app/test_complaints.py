from __future__ import annotations

import errno
import io
import json
import sys
from typing import Any

import pytest

from gateline.app import complaints
from gateline.app.complaints import Complaints


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_one_line_of_json_with_its_origin(capsys: pytest.CaptureFixture[str]) -> None:
    """Time, level, event, process and what was given, on one line."""
    Complaints("worker", 3).say("odd", cause="a\nb")
    (line,) = lines(capsys)
    assert set(line) == {"timestamp", "level", "event", "process", "cause"}
    assert (line["level"], line["event"], line["process"], line["cause"]) == ("error", "odd", "worker-3", "a\nb")


def test_a_flood_of_one_kind_is_bounded(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty lines of a kind in ten seconds; the next one after that says how many were left out. Other kinds are not
    held up."""
    now = [100.0]
    monkeypatch.setattr(complaints, "monotonic", lambda: now[0])
    spoken = Complaints("worker", 0)
    for _ in range(50):
        spoken.say("flood")
    spoken.say("other")
    written = lines(capsys)
    assert [line["event"] for line in written] == ["flood"] * 20 + ["other"]
    now[0] += 10.1
    spoken.say("flood")
    spoken.say("flood")
    first, second = lines(capsys)
    assert first["suppressed"] == 30
    assert "suppressed" not in second


def fail() -> None:
    raise ValueError("sk-gl-secret in a message")


def test_a_defect_says_where_and_never_what(capsys: pytest.CaptureFixture[str]) -> None:
    """The type and the places of an error, not its message, which may quote a request."""
    spoken = Complaints("worker", 0)
    try:
        fail()
    except ValueError as error:
        spoken.defect("req_1", error)
        spoken.crash(error)
    written = lines(capsys)
    assert [line["event"] for line in written] == ["defect", "crash"]
    assert written[0]["request_id"] == "req_1"
    for line in written:
        assert line["error"] == "ValueError"
        assert line["at"][-1].endswith("fail")
        assert "secret" not in json.dumps(line)


def test_what_callers_are_not_told_is_in_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    """The address of an upstream that was not reached, and why."""
    Complaints("worker", 0).unconnected("up", "10.0.0.7:8000", "Connection refused")
    (line,) = lines(capsys)
    assert (line["event"], line["level"]) == ("connect_failed", "warning")
    assert (line["provider"], line["address"], line["reason"]) == ("up", "10.0.0.7:8000", "Connection refused")


def test_a_refused_key_says_whose_and_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    for status, word in ((401, "correct"), (402, "credit"), (403, "right")):
        Complaints("worker", 0).key_refused("openai", status)
        (line,) = lines(capsys)
        assert (line["event"], line["level"], line["provider"], line["status"]) == (
            "key_refused", "warning", "openai", status,
        )  # fmt: skip
        assert word in line["remedy"]


def test_a_log_that_takes_nothing_costs_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard error may be a file on a disk that is full."""

    class Full(io.StringIO):
        def flush(self) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(sys, "stderr", Full())
    Complaints("worker", 0).say("odd")
