"""Runs the demo: exit 0 when every step held, 1 with what to do when one did not, 130 when interrupted."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from demo.chat import show_local_models
from demo.failed import DemoFailed
from demo.gateway import Gateway
from demo.load import show_load
from demo.stopwatch import Stopwatch

STEPS = Path(__file__).resolve().parent.parent / ".venv" / "steps"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m demo", description="The main job of Gateline, end to end.")
    parser.add_argument("--started", type=float, default=time.time(), help="when `make demo` began, in epoch seconds")
    watch = Stopwatch(parser.parse_args().started, STEPS)
    console = Console(highlight=False, soft_wrap=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder = Path(tempfile.mkdtemp(prefix="gateline-demo-"))
    try:
        _tell(console, folder, watch)
    except DemoFailed as failure:
        console.print(f"\n[bold red]✗[/] {failure}")
        console.print(f"  The gateway's log and data are kept in {folder}.")
        return 1
    except KeyboardInterrupt:
        console.print("\nStopped; nothing is left running.")
        shutil.rmtree(folder, ignore_errors=True)
        return 130
    shutil.rmtree(folder, ignore_errors=True)
    return 0


def _tell(console: Console, folder: Path, watch: Stopwatch) -> None:
    console.print("[bold]Gateline, the main job end to end.[/] No account, no key: all of it happens on this machine.")
    with ExitStack() as stack:
        with watch.step("start the gateway"):
            gateway = stack.enter_context(Gateway(folder))
        console.print(
            f"\n[bold]1  A gateway on its embedded defaults[/] on {gateway.url}: ready in {gateway.start_seconds:.2f} s"
        )
        show_local_models(console, gateway, watch)
        show_load(console, gateway, stack)
        began = time.monotonic()
        stack.close()
        console.print(
            f"\n[bold green]✓[/] Every step held; all processes have ended ({time.monotonic() - began:.1f} s). "
            "`make serve` starts the same gateway and keeps it running."
        )


if __name__ == "__main__":
    sys.exit(main())
