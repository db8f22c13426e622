"""`gateline serve`: checks the configuration, makes the first snapshot, and becomes the supervisor."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer


def serve(
    config: Annotated[Path | None, typer.Option(help="gateline.yaml; without it, the embedded defaults.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on (default: 127.0.0.1).")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port; 0 takes a free one (default: 8080).")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, max=64, help="Processes (default: one a core).")] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Where data lives (default: $GATELINE_DATA or the platform's).")
    ] = None,
) -> None:
    """Start the gateway and keep it running: SIGTERM drains and ends it, SIGHUP reads the configuration again."""
    from gateline.app.launch import Launch
    from gateline.control.compile import TooManyRows, engines_of, snapshot_for_start
    from gateline.control.config import load
    from gateline.control.doubts import doubts
    from gateline.control.mistakes import ConfigMistakes
    from gateline.store.datadir import DataDir, default_data_dir

    folder = DataDir(data_dir or default_data_dir())
    path = config.absolute() if config else None
    try:
        folder.create()
        if folder.is_in_use:  # said before the running gateway's snapshot is written over
            typer.echo(f"gateline: another gateway uses {folder.root}: stop it, or name another --data-dir", err=True)
            raise typer.Exit(1)
        loaded = load(path)
        snapshot = snapshot_for_start(path, folder)
    except ConfigMistakes as error:
        _tell(mistake.within(config) for mistake in error.mistakes)
        raise typer.Exit(1) from None
    except (OSError, TooManyRows) as error:
        typer.echo(f"gateline: {error}", err=True)
        raise typer.Exit(1) from None
    _tell(f"gateline: in doubt: {doubt}" for doubt in doubts(loaded))
    server = loaded.server
    launch = Launch(
        data_dir=str(folder.root),
        config=str(path or ""),
        host=host or server.host,
        port=server.port if port is None else port,
        workers=workers or server.workers or os.cpu_count() or 1,
        engines=tuple(engines_of(snapshot)),
        drain_delay=server.drain_delay,
        grace=server.grace,
        tls_certificate=server.tls.certificate if server.tls else "",
        tls_key=server.tls.key if server.tls else "",
        connections=server.connections,
    )
    # The supervisor needs none of what this command imported: it starts as a fresh, small program in this process.
    os.execv(sys.executable, [sys.executable, "-m", "gateline.app.supervisor", launch.dump()])


def _tell(lines: Iterable[str]) -> None:
    for line in lines:
        typer.echo(line, err=True)
