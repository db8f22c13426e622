"""What the control process runs once its feed serves: database, ledger import, admin API, metrics. Slow to import."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog
from sqlalchemy import Engine

from gateline.app.seat import Seat
from gateline.control.access import AccessLog
from gateline.control.api.serve import AppServer, bind_tcp, control_app, metrics_app
from gateline.control.api.services import Services
from gateline.control.changes import Changes
from gateline.control.complaint import Complaint
from gateline.control.config import Config, load
from gateline.control.configuration import Configuration
from gateline.control.jobs import repeat, repeat_async
from gateline.control.keys import Keys
from gateline.control.ledger import Ledger
from gateline.control.log import configure_logs
from gateline.control.metrics import CONTENT_TYPE, render
from gateline.control.mistakes import ConfigMistakes
from gateline.control.publish import bind_private
from gateline.control.roster import Roster
from gateline.store.columns import Columns
from gateline.store.journal import sync_live
from gateline.store.migrations import migrate
from gateline.store.sql.base import connect

_CHANGES_SECONDS = 0.25
_IMPORT_SECONDS = 0.2
_SYNC_SECONDS = 0.1


class Parts:
    def __init__(
        self,
        seat: Seat,
        configuration: Configuration,
        changes: Changes,
        roster: Roster,
        reload: Callable[[], Awaitable[None]],
    ) -> None:
        self._seat = seat
        self._configuration = configuration
        self._changes = changes
        self._roster = roster
        self._reload = reload
        self._settings = _settings(seat.config)
        self._columns = Columns(seat.columns, seat.workers)
        self._engine: Engine = connect(seat.data_dir.database)
        self._ledger = Ledger(self._engine, seat.data_dir, self._access_log())
        self._keys = Keys(self._engine, seat.data_dir.pepper())
        self._servers: list[AppServer] = []
        self._tasks: list[asyncio.Task[None]] = []
        configure_logs(self._settings.logging.level)
        self._complaint = Complaint("database_away")
        if configuration.mistakes:
            mistakes = [str(mistake) for mistake in configuration.mistakes]
            structlog.get_logger().error("config_refused", mistakes=mistakes, in_force=configuration.version)

    def open(self) -> str | None:
        """Brings the database up to date; the first start's admin token, else None. Raises while it is away."""
        migrate(self._seat.data_dir.database)
        token = self._keys.create_first()
        self._complaint.went_well()
        return token

    def away(self, error: Exception) -> None:
        self._complaint.failed(error)

    async def start(self) -> None:
        folder = self._seat.data_dir.journal
        jobs = (
            repeat_async("key_changes", _CHANGES_SECONDS, self._changes.push),
            repeat("ledger_import", _IMPORT_SECONDS, self._ledger.run_once),
            repeat("journal_sync", _SYNC_SECONDS, lambda: sync_live(folder)),
        )
        self._tasks = [asyncio.get_running_loop().create_task(job) for job in jobs]
        services = Services(
            engine=self._engine,
            keys=self._keys,
            ledger=self._ledger,
            changes=self._changes,
            roster=self._roster,
            configuration=self._configuration,
            reload=self._reload,
        )
        metrics = self._metrics_listener()
        if metrics is not None:
            host, port = metrics.getsockname()[:2]
            services.admin_address = f"{host}:{port}"
            self._servers.append(AppServer(metrics_app(self._rendered, CONTENT_TYPE), metrics))
        self._servers.append(AppServer(control_app(services), bind_private(self._seat.data_dir.control_socket)))
        for server in self._servers:
            server.start()
        structlog.get_logger().info(
            "control_started", snapshot=self._configuration.version, admin=services.admin_address
        )

    async def close(self) -> None:
        """Ends API and jobs, then imports what the workers wrote last."""
        for server in self._servers:
            await server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        try:
            await asyncio.to_thread(self._ledger.run_once)
        except Exception as error:  # noqa: BLE001 the end of the process: the journal keeps the rest for the next start
            structlog.get_logger().error("last_import_failed", error=type(error).__name__, cause=str(error)[:300])
        self._engine.dispose()
        structlog.get_logger().info("control_stopped")

    def _access_log(self) -> Callable[..., None] | None:
        path = self._settings.logging.access
        return AccessLog(Path(path)).write if path else None

    def _metrics_listener(self) -> socket.socket | None:
        """None when the address is taken: traffic matters more than numbers, and the log says so."""
        server = self._settings.server
        try:
            return bind_tcp(server.admin_host, server.admin_port)
        except OSError as error:
            structlog.get_logger().error(
                "metrics_not_served",
                address=f"{server.admin_host}:{server.admin_port}",
                cause=error.strerror,
                remedy="set server.admin_port to a free port",
            )
            return None

    def _rendered(self) -> bytes:
        return render(self._columns, self._configuration.rows.labels())


def _settings(path: Path | None) -> Config:
    """The sections that only this process reads; their defaults when the file is broken now (the log says it is)."""
    try:
        return load(path)
    except ConfigMistakes:
        return Config()
