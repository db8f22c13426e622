"""Where the time of a request goes, stage by stage, under the load of the throughput figure."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

from benchmarks.harness.bench import Bench, FigureFailed, cores
from benchmarks.harness.gateway import configuration, gateline
from benchmarks.harness.nginx import upstream
from benchmarks.harness.report import Result
from benchmarks.harness.stages import by_clock, by_stage, find_py_spy, sample
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
        shares = None if py_spy is None else _sampled(bench, py_spy, worker, partial(shoot, gateway.url, script))
    if shares is None:
        notes += ["", "py-spy could not look into the worker: the pipeline without sockets, by the clock."]
        shares = by_clock(bench.folder("dry"))
    rows = [f"| {share:.1%} | `{stage}` |" for stage, share in shares[:_SHOWN]]
    notes += ["", "| share of the worker's time | stage (→ what the kernel did for it) |", "| --- | --- |", *rows]
    return Result("Profile", [], notes)


def _sampled(
    bench: Bench, py_spy: str, worker: int, load: Callable[[float, tuple[int, ...]], Shot]
) -> list[tuple[str, float]] | None:
    """The shares under load, None when the worker may not be looked into."""
    apart = cores().load
    thread = threading.Thread(target=load, args=(bench.seconds + _MARGIN, apart))
    thread.start()
    try:
        return by_stage(sample(py_spy, worker, bench.seconds, bench.scratch / "stacks.txt", apart))
    except FigureFailed:
        return None
    finally:
        thread.join()
