"""A disk that is really full: a small file system of its own under the data directory, filled to its last block."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateline.store.inflight import TABLE_BYTES
from gateline.store.journal import SEGMENT_BYTES
from tests.journey.gate import Gate, settings
from tests.journey.patience import until
from tests.journey.processes import children
from tests.journey.upstream import Upstream
from tests.journey.wire import Wire, ask, chat, request

_DISK = 96 * 1024 * 1024
_ONE_WORKER = SEGMENT_BYTES + TABLE_BYTES
_AT_ONCE = 30  # pipelined requests
_REFUSALS = 6_500


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A mounted tmpfs: to its users a disk like any other, that ends after 96 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_DISK},mode=700", "gateline-test", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount here: a full disk cannot be made")
    if done.returncode:
        pytest.skip(f"a file system cannot be mounted here, so no disk can be full: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def fill(disk: Path, but: int = 0) -> Path:
    """Takes every block that is left, or leaves so many bytes."""
    ballast = disk / "ballast"
    room = os.statvfs(disk)
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, room.f_bavail * room.f_frsize - but)
    assert os.statvfs(disk).f_bavail == but // room.f_frsize
    return ballast


def test_a_full_disk_refuses_calls_and_loses_none(disk: Path, upstream: Upstream) -> None:
    """When no further segment can be made and the current one is nearly full, new calls get 503 with Retry-After and
    the reason, the worker lives on, and what was promised a record has one. Room on the disk ends it by itself."""
    with Gate(disk / "gate", settings(upstream.url)) as gate:
        gate.settle()
        (worker,) = gate.worker_pids()
        assert ask(gate.port, chat(gate.token)).status == 200
        ballast = fill(disk)
        served = fill_the_journal(gate)
        assert len(served) > 10_000
        refused = ask(gate.port, chat(gate.token))
        assert (refused.status, refused.error["code"]) == (503, "unavailable")
        assert "disk full" in refused.error["message"]
        assert int(refused.header("retry-after")) > 0
        assert ask(gate.port, request("GET", "/livez")).status == 200
        assert gate.metric("gateline_journal_refused_total") > _REFUSALS
        ballast.unlink()
        until(lambda: ask(gate.port, chat(gate.token)).status == 200, "it takes calls again")
        assert gate.worker_pids() == [worker], "the worker did not live through it"
        known = {row["id"] for row in gate.records()}
        assert not served - known, "a call that was served has no record"
        assert "crash" not in gate.log()


def test_a_start_without_room_says_so_before_it_listens(disk: Path, upstream: Upstream) -> None:
    """One sentence, exit status 1, no crash and nothing left behind. What a killed run left on the disk is imported
    when its room is what is needed."""
    with Gate(disk / "gate", settings(upstream.url)) as gate:
        gate.settle()
        lost = ask(gate.port, chat(gate.token))
        os.killpg(gate.pid, signal.SIGKILL)
        gate.wait()
    left = sum(path.stat().st_size for path in gate.data.journal.iterdir())
    assert left > _ONE_WORKER // 2
    ballast = fill(disk, but=_ONE_WORKER - left // 2)
    with gate:
        assert lost.header("x-request-id") in {row["id"] for row in gate.records()}
    ballast.unlink()
    fill(disk, but=_ONE_WORKER // 2)
    before = sorted(gate.data.journal.iterdir())
    done = gate.command("serve", "--config", str(gate.config), "--port", "0", "--workers", "1")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("gateline: no room in ")
    assert "free space" in done.stderr
    assert sorted(gate.data.journal.iterdir()) == before


def test_a_worker_that_finds_no_room_says_so_and_comes_back_with_it(disk: Path, upstream: Upstream) -> None:
    """One line a try, no crash, and no file of a try stays; when there is room it serves."""
    with Gate(disk / "gate", settings(upstream.url)) as gate:
        gate.settle()
        (worker,) = gate.worker_pids()
        control = next(
            each.pid for each in children(gate.pid) if "gateline.app.supervisor" in each.command and each.pid != worker
        )
        ballast = fill(disk)
        os.kill(control, signal.SIGSTOP)  # else it imports the dead worker's journal and so makes room
        os.kill(worker, signal.SIGKILL)
        until(lambda: len(gate.events("worker_without_room")) > 1, "it has tried twice")
        tries = gate.events("worker_without_room")
        assert "free space" in tries[0]["cause"]
        assert len(list(gate.data.journal.glob("*.seg"))) == 1
        ballast.unlink()
        until(lambda: ask(gate.port, request("GET", "/livez")).status == 200, "a worker serves")
        os.kill(control, signal.SIGCONT)
        assert [line["how"] for line in gate.events("worker_died")] == ["signal 9"]
        assert not gate.events("crash")


def fill_the_journal(gate: Gate) -> set[str]:
    """Asks for the list of models, which leaves a record too, until the gateway takes no more, and goes on asking until
    it has refused more than the room that it keeps could record. The ids of all that it served."""
    batch = request("GET", "/v1/models", gate.token) * _AT_ONCE
    served: set[str] = set()
    refused = 0
    with Wire(gate.port) as wire:
        while refused < _REFUSALS:
            wire.send(batch)
            for _ in range(_AT_ONCE):
                status, headers = wire.head()
                fields = dict(headers)
                wire.read(int(fields["content-length"]))
                if status == 200:
                    served.add(fields["x-request-id"])
                else:
                    assert (status, fields["retry-after"]) == (503, "30")
                    refused += 1
    return served
