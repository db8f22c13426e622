"""`gateline bench` against the fake: every request counted, every failure named, the same on both sides."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import uvloop

from gateline.fake.script import read_script
from gateline.fake.server import FakeProvider

COMMAND = [sys.executable, "-c", "import typer; from gateline.cli.bench import bench; typer.run(bench)"]


def bench(*options: str, script: str = "tokens: 4", check: Callable[[FakeProvider], None] | None = None) -> Any:
    """Runs the program against a fake, and returns its report with its exit status under `rc`."""

    async def run() -> Any:
        async with FakeProvider(read_script(script)) as fake:
            given = [option.replace("FAKE", fake.origin) for option in options]
            process = await asyncio.create_subprocess_exec(
                *COMMAND, "FAKE".replace("FAKE", fake.url), *given, "--json",
                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )  # fmt: skip
            out, err = await process.communicate()
            assert b"Traceback" not in err, err.decode()
            if check is not None:
                check(fake)
            return {**json.loads(out or b"{}"), "rc": process.returncode, "stderr": err.decode()}

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run())


@pytest.mark.parametrize("kind", [[], ["--stream"], ["--embeddings"], ["--rate", "400"]])
def test_its_count_is_the_invoices(kind: list[str]) -> None:
    """So many requests asked for, so many made, so many on the fake's invoice, none failed."""

    def check(fake: FakeProvider) -> None:
        assert fake.invoice.totals.requests == fake.invoice.totals.finished == 150

    report = bench("--requests", "150", "--connections", "7", "--processes", "2", *kind, check=check)
    assert (report["rc"], report["requests"], report["failed"], report["statuses"]) == (0, 150, 0, {"200": 150})
    assert report["milliseconds"]["latency"]["count"] == 150
    if kind == ["--stream"]:
        assert report["events"] == 150 * 7
        assert report["milliseconds"]["first"]["count"] == 150
    elif not kind:
        assert report["tokens"] == 150 * 4
    assert {"cores", "kernel", "python", "load_average"} <= set(report["machine"])


@pytest.mark.parametrize(
    ("cue", "options", "kind"),
    [
        ("status=503", [], "status 503"),
        ("reset", [], "reset"),
        ("close", [], "closed early"),
        ("cut", [], "closed early"),
        ("garbage", [], "not HTTP"),
        ("second", [], "unasked bytes"),
        ("bad_chunk", ["--stream"], "bad chunk"),
        ("no_done", ["--stream"], "stream without [DONE]"),
        ("error_event,after=2", ["--stream"], "error event"),
        ("stall", ["--timeout", "300ms"], "timeout"),
    ],
)
def test_every_failure_is_named_and_the_others_go_on(cue: str, options: list[str], kind: str) -> None:
    """One request in the middle fails: one error of its kind, the rest answered, exit status 1."""
    script = f"tokens: 4\nrules: [{{match: {{nth: 5}}, cue: '{cue}'}}]"
    report = bench("--requests", "20", "--connections", "2", *options, script=script)
    assert report["errors"] == {kind: 1}
    assert report["statuses"]["200"] >= 18
    assert report["rc"] == 1


def test_a_trace_is_replayed_with_its_sizes(tmp_path: Path) -> None:
    """Each request asks for the tokens that the trace says."""
    trace = tmp_path / "trace.jsonl"
    rows = [{"timestamp": 10 * index, "input_length": 3, "output_length": index + 1} for index in range(10)]
    trace.write_text("\n".join(json.dumps(row) for row in rows))

    def check(fake: FakeProvider) -> None:
        assert sorted(line.tokens_sent for line in fake.invoice.lines()) == list(range(1, 11))

    report = bench("--trace", str(trace), "--connections", "4", script="tokens: 99", check=check)
    assert (report["requests"], report["failed"], report["loop"]) == (10, 0, "scheduled")


def test_a_comparison_alternates_and_reports_what_is_added() -> None:
    """Both sides get the same number of requests, and the difference is through minus straight."""
    report = bench("--against", "FAKE/v1", "--requests", "100")
    through, straight = (report["milliseconds"][side] for side in ("through", "straight"))
    assert through["count"] == straight["count"] == 50
    assert report["added_milliseconds"]["p50"] == pytest.approx(through["p50"] - straight["p50"], abs=2e-4)


def test_a_duration_ends_the_run_and_nothing_is_lost() -> None:
    """What was open at the end is answered and counted."""

    def check(fake: FakeProvider) -> None:
        assert fake.invoice.totals.cancelled == 0
        counted.append(fake.invoice.totals.finished)

    counted: list[int] = []
    report = bench("--duration", "300ms", "--connections", "3", script="latency: 0.02", check=check)
    assert counted == [report["requests"]]
    assert report["failed"] == 0


def test_an_interrupt_ends_the_run_with_what_there_is() -> None:
    """Ctrl-C in the middle: a report of what was measured until then, and exit status 0."""

    async def run() -> tuple[int, dict[str, Any], int]:
        async with FakeProvider() as fake:
            process = await asyncio.create_subprocess_exec(
                *COMMAND, fake.url, "--duration", "600s", "--connections", "2", "--json",
                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )  # fmt: skip
            await fake.seen("done", within=30)
            process.send_signal(signal.SIGINT)
            out, _ = await process.communicate()
            assert process.returncode is not None
            return process.returncode, json.loads(out), fake.invoice.totals.finished

    status, report, finished = asyncio.run(run())
    assert (status, report["failed"]) == (0, 0)
    assert report["requests"] == finished > 0


def test_the_key_is_sent_and_appears_nowhere() -> None:
    """Neither in the report nor in what is shown."""

    def check(fake: FakeProvider) -> None:
        assert fake.provider.last is not None
        assert fake.provider.last.header("authorization") == "Bearer sk-canary"

    report = bench("--key", "sk-canary", "--requests", "3", check=check)
    assert "sk-canary" not in json.dumps(report)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["http://127.0.0.1:9/v1", "--requests", "1"], "cannot connect"),
        (["nowhere"], "no http"),
        (["http://h", "--stream", "--embeddings"], "exclude"),
        (["http://h", "--duration", "soon"], "no duration"),
        (["http://h", "--rate", "0"], "above 0"),
        (["http://h", "--processes", "9", "--connections", "2"], "--connections"),
    ],
)
def test_what_cannot_work_is_said_in_a_line(arguments: list[str], part: str) -> None:
    """With an exit status, without a traceback."""
    ended = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode != 0
    assert part in ended.stderr
    assert "Traceback" not in ended.stderr


def test_without_a_terminal_it_prints_tables_and_plain_lines() -> None:
    """A person reads rates, percentiles and errors; stdout has no control bytes."""

    async def run() -> tuple[str, str]:
        async with FakeProvider() as fake:
            process = await asyncio.create_subprocess_exec(
                *COMMAND, fake.url, "--duration", "1500ms", "--connections", "2",
                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )  # fmt: skip
            out, err = await process.communicate()
            return out.decode(), err.decode()

    out, err = asyncio.run(run())
    assert "requests" in out
    assert "p99.9" in out
    assert "\x1b" not in out + err
    assert "req/s" in err
