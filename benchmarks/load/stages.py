"""Where the time of a request goes, stage by stage, under the load of the throughput figure."""

from __future__ import annotations

import threading

from benchmarks.harness.bench import Bench, FigureFailed, cores
from benchmarks.harness.gateway import configuration, gateline
from benchmarks.harness.nginx import upstream
from benchmarks.harness.report import Result
from benchmarks.harness.stages import by_stage, find_py_spy, sample
from benchmarks.harness.usage import user_and_kernel
from benchmarks.harness.wrk import Shot, chat_body, shoot, write_script

_SHOWN = 40
_MARGIN = 4.0  # seconds of load around the samples: py-spy takes a moment to attach


def measure(bench: Bench) -> Result:
    where = cores()
    with upstream(bench, where.load) as up, gateline(bench, where.tested, configuration(up.url)) as gateway:
        worker = gateway.workers[0]
        script = write_script(bench.scratch, {"Authorization": f"Bearer {gateway.token}"}, chat_body())
        shoot(gateway.url, script, 1.0, where.load)
        user, kernel = user_and_kernel(worker)
        quiet = shoot(gateway.url, script, bench.seconds, where.load)
        user, kernel = (now - then for now, then in zip(user_and_kernel(worker), (user, kernel), strict=True))
        notes = [
            (
                f"A request costs the worker {1e6 * (user + kernel) / quiet.requests:.1f} µs of CPU: "
                f"{1e6 * user / quiet.requests:.1f} in user mode, {1e6 * kernel / quiet.requests:.1f} in the kernel."
            ),
        ]
        py_spy = find_py_spy(bench.scratch / "py-spy")
        if py_spy is None:
            return Result("Profile", [], [*notes, "", "py-spy cannot be had here: no samples."])
        shots: list[Shot] = []

        def load() -> None:
            shots.append(shoot(gateway.url, script, bench.seconds + _MARGIN, where.load))

        thread = threading.Thread(target=load)
        thread.start()
        try:
            stacks = sample(py_spy, worker, bench.seconds, bench.scratch / "stacks.txt")
        except FigureFailed as error:
            return Result("Profile", [], [*notes, "", f"No samples: {error}"])
        finally:
            thread.join()
    rows = [f"| {share:.1%} | `{stage}` |" for stage, share in by_stage(stacks)[:_SHOWN]]
    notes += ["", "| share of the worker's time | stage (→ what the kernel did for it) |", "| --- | --- |", *rows]
    return Result("Profile", [], notes)
