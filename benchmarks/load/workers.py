"""Two workers against one: throughput where cores are free for it, else the CPU a request costs."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

from benchmarks.harness.bench import Bench, all_cores, cores
from benchmarks.harness.gateway import Gateway, configuration, gateline
from benchmarks.harness.nginx import upstream
from benchmarks.harness.report import Result, Row
from benchmarks.harness.rounds import Sample, counted, race, sample_gateline
from benchmarks.harness.wrk import chat_body, shoot, write_script

REACH, REACH_CPU = 1.8, 1.1
_CORES_FOR_BOTH = 5  # two for the workers, one for the control process, two for load and upstream


def measure(bench: Bench) -> Result:
    is_free = all_cores() >= _CORES_FOR_BOTH
    # Where cores are not free, one and two workers run on the same cores, so that only their number differs.
    tested = 3 if is_free else all_cores()
    where = cores(tested)
    rates: dict[int, list[float]] = {1: [], 2: []}
    with (
        upstream(bench, where.load) as up,
        gateline(bench, where.tested, configuration(up.url), workers=1) as one,
        gateline(bench, where.tested, configuration(up.url), workers=2) as two,
    ):

        def runner(gateway: Gateway, workers: int) -> Callable[[], Sample]:
            folder = bench.folder("script")
            script = write_script(folder, {"Authorization": f"Bearer {gateway.token}"}, chat_body())
            shoot(gateway.url, script, 1.0, where.load)

            def load() -> tuple[float, int]:
                shot = shoot(gateway.url, script, bench.seconds, where.load)
                rates[workers].append(shot.rate)
                return counted(shot)

            return lambda: sample_gateline(gateway, load)

        outcome = race({"one": runner(one, 1), "two": runner(two, 2)}, bench.rounds)
    faster = median(both / single for single, both in zip(rates[1], rates[2], strict=True))
    dearer = 1 / outcome.ratio("two", "one", "worker", "worker")
    throughput = f"{faster:.2f} x ({median(rates[2]):,.0f}/s against {median(rates[1]):,.0f}/s)"
    cpu = f"CPU a request {dearer:.2f} x"
    if is_free:
        row = Row("two workers against one", f"throughput ≥ {REACH} x", f"{throughput}; {cpu}", faster >= REACH)
    else:
        measured = f"{cpu} (throughput {throughput}, with no core free for the second)"
        row = Row("two workers against one", f"CPU a request ≤ {REACH_CPU} x here", measured, dearer <= REACH_CPU)
    failed = outcome.failed("one") + outcome.failed("two")
    note = (
        f"{str(where)[0].upper()}{str(where)[1:]}; {failed} failed requests. A worker's CPU a request: "
        f"{outcome.microseconds('one', 'worker'):.1f} µs alone, {outcome.microseconds('two', 'worker'):.1f} µs of two."
    )
    return Result("Two workers", [row], [note])
