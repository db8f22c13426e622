"""Ten seconds of load on the scripted fake provider, and three counts of it that must be one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import ExitStack
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from demo.failed import DemoFailed, must
from demo.gateway import DEFAULTS, Fake, Gateway

SECONDS = 10
DUEL_SECONDS = 3
CONNECTIONS = 64
_LIMITS = ("--requests-per-minute", "100000000", "--concurrency", "1000")  # enforced at every request, never reached
_PATIENCE = 60.0


def show_load(console: Console, gateway: Gateway, stack: ExitStack) -> None:
    """Leaves the fake provider to `stack`. Raises DemoFailed when a request fails or a count differs."""
    console.print(f"\n[bold]7  Load[/]     {SECONDS} s on `gateline fake --fast`, through the whole pipeline")
    fake = stack.enter_context(Fake())
    gateway.reconfigure(
        f"{DEFAULTS}providers:\n  fake: {{kind: openai-compatible, base_url: {fake.url}, api_key: any}}\n"
        "models:\n  gpt-4o: {targets: [{provider: fake, model: gpt-4o}]}\n"
    )
    console.print("   a provider and a model added to the running gateway: no restart, no connection lost")
    key_id, token = gateway.make_key("load", *_LIMITS)
    report = _bench(console, f"{CONNECTIONS} connections", SECONDS, gateway, token, "--connections", str(CONNECTIONS))
    latency = report["milliseconds"]["latency"]
    console.print(
        f"   [bold]{report['requests_per_second']:,.0f} requests a second[/], {report['failed']} failed; "
        f"latency p50 {latency['p50']:.1f} ms, p99 {latency['p99']:.1f} ms at full load\n"
        "   (load generator, gateway and provider share this machine's cores)"
    )
    _count(console, report["requests"], gateway.usage_of(key_id)["requests"], fake.invoiced())
    _, token = gateway.make_key("duel", *_LIMITS)
    report = _bench(console, "one connection", DUEL_SECONDS, gateway, token, "--against", fake.url)
    added = {name: value * 1000 for name, value in report["added_milliseconds"].items()}
    console.print(
        f"   [bold]added latency p50 {added['p50']:,.0f} µs, p99 {added['p99']:,.0f} µs[/] "
        "(one connection, in turns with the provider itself)"
    )


def _count(console: Console, sent: int, recorded: int, invoiced: int) -> None:
    console.print(f"   [bold]{sent:,} sent = {recorded:,} in the ledger = {invoiced:,} on the provider's invoice[/]")
    must(sent == recorded == invoiced, "these three numbers must be one: the ledger and its provider disagree")


def _bench(console: Console, title: str, seconds: int, gateway: Gateway, token: str, *options: str) -> dict[str, Any]:
    """The report of `gateline bench`, behind a bar."""
    command = [sys.executable, "-m", "gateline", "bench", f"{gateway.url}/v1", "--json", f"--duration={seconds}s"]
    columns = (TextColumn("   {task.description}"), BarColumn(30), TimeRemainingColumn())
    process = subprocess.Popen(
        [*command, *options], env=_with_key(token), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    began = time.monotonic()
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(title, total=seconds)
        while True:
            try:
                said, complaint = process.communicate(timeout=0.2)
                break
            except subprocess.TimeoutExpired:
                passed = time.monotonic() - began
                progress.update(task, completed=min(passed, seconds))
                if passed > seconds + _PATIENCE:
                    process.kill()
                    raise DemoFailed("`gateline bench` does not end") from None
    if process.returncode != 0 and not said:
        raise DemoFailed(f"`gateline bench` failed: {complaint.strip()}")
    report: dict[str, Any] = json.loads(said)
    must(report["failed"] == 0, f"{report['failed']} requests failed: {report['errors']}")
    return report


def _with_key(token: str) -> dict[str, str]:
    """The key goes by the environment: a command line can be read by every user of the machine."""
    return {**os.environ, "OPENAI_API_KEY": token}
