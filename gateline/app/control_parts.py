"""What the control process runs once its feed serves: database, ledger import, admin API, metrics. Slow to import."""

from __future__ import annotations

import asyncio
import gc
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
from gateline.control.growth import Growth
from gateline.control.jobs import repeat, repeat_async
from gateline.control.keys import Keys
from gateline.control.ledger import Ledger
from gateline.control.log import configure_logs
from gateline.control.metrics import CONTENT_TYPE, render
from gateline.control.mistakes import ConfigMistakes
from gateline.control.publish import bind_private
from gateline.control.renewal import Renewal
from gateline.control.roster import Roster
from gateline.control.tokens.service import TokenService
from gateline.model.record import Record
from gateline.store.columns import Columns
from gateline.store.journal import sync_live
from gateline.store.migrations import migrate
from gateline.store.sql.base import connect

_CHANGES_SECONDS = 0.5  # of a key changed past this process; its own go out at once
_IMPORT_SECONDS = 0.2
_SYNC_SECONDS = 0.1
_RENEWAL_SECONDS = 60.0  # it ends by a defect only, and is then begun again
_AT_START = ("host", "port", "workers", "admin_host", "admin_port", "drain_delay", "grace")
_UNASKED_SECONDS = 5.0  # between runs of both while the columns say that nothing was written


class DatabaseLost(Exception):
    """The data directory had a database and has none: an empty one in its place would void every key and hide it."""

    def __init__(self, database: Path) -> None:
        super().__init__(
            f"{database} is gone: mount or restore it. To begin anew without its keys and records, stop, remove "
            f"{database.with_name('pepper')} and start"
        )


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
        self._columns = Columns(seat.columns, seat.places)
        self._engine: Engine = connect(seat.data_dir.database)
        self._access = _access_log(self._settings)
        self._ledger = Ledger(self._engine, seat.data_dir, self._imported, Complaint("record_unreadable").failed)
        self._keys = Keys(self._engine, seat.data_dir.pepper())
        self.tokens = TokenService(changes.feed.grant, changes.feed.forget_grants)
        changes.feed.rejected = self.tokens.rejected
        self.renewal = Renewal(seat.config, seat.data_dir, configuration, reload)
        self._servers: list[AppServer] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._is_open = False
        configure_logs(self._settings.logging.level)
        self._complaint = Complaint("database_away")
        if configuration.mistakes:
            mistakes = [str(mistake) for mistake in configuration.mistakes]
            structlog.get_logger().error("config_refused", mistakes=mistakes, in_force=configuration.version)

    def open(self) -> str | None:
        """Brings the database up to date; the first start's admin token, else None. Raises while it is away."""
        if self._seat.data_dir.has_lost_database:
            raise DatabaseLost(self._seat.data_dir.database)
        migrate(self._seat.data_dir.database)
        token = self._keys.create_first()
        self._complaint.went_well()
        self._is_open = True
        return token

    def away(self, error: Exception) -> None:
        self._complaint.failed(error)

    async def start(self) -> None:
        folder = self._seat.data_dir.journal
        import_due, sync_due = (Growth(self._columns, _UNASKED_SECONDS) for _ in range(2))
        jobs = (
            repeat_async("key_changes", _CHANGES_SECONDS, self._changes.push),
            repeat("ledger_import", _IMPORT_SECONDS, self._ledger.run_once, import_due),
            repeat("journal_sync", _SYNC_SECONDS, lambda: sync_live(folder), sync_due),
            repeat_async("renewal", _RENEWAL_SECONDS, self.renewal.run),
        )
        self._tasks = [asyncio.get_running_loop().create_task(job) for job in jobs]
        services = Services(
            data_dir=self._seat.data_dir,
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
            await server.start()
        # What was imported stays: the importer's many small objects must not make the collector look at it all again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 20, 20)
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
        await self.tokens.close()
        if self._is_open:  # else there is no database to import into, and connecting would make an empty one
            await self._import_last()
        self._engine.dispose()
        structlog.get_logger().info("control_stopped")

    async def _import_last(self) -> None:
        try:
            await asyncio.to_thread(self._ledger.run_once)
        except Exception as error:  # noqa: BLE001 the end of the process: the journal keeps the rest for the next start
            structlog.get_logger().error("last_import_failed", error=type(error).__name__, cause=str(error)[:300])

    def reloaded(self) -> None:
        """After a reload: the logs go on as the file says now, and what only a start reads is named. Blocks."""
        before, now = self._settings, _settings(self._seat.config)
        configure_logs(now.logging.level)
        if now.logging.access != before.logging.access:
            self._access = _access_log(now)
        waiting = [f"server.{name}" for name in _AT_START if getattr(now.server, name) != getattr(before.server, name)]
        if (now.server.tls is None) != (before.server.tls is None):
            waiting.append("server.tls")
        if waiting:
            structlog.get_logger().warning(
                "restart_needed", fields=waiting, remedy="they take effect at the next start"
            )
        self._settings = now.model_copy(update={"server": before.server})

    def _imported(self, records: list[Record]) -> None:
        access = self._access
        if access is not None:
            access.write(records)

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
        access = self._access
        return render(self._columns, self._configuration.rows.labels(), access.dropped if access is not None else 0)


def _access_log(settings: Config) -> AccessLog | None:
    path = settings.logging.access
    return AccessLog(Path(path)) if path else None


def _settings(path: Path | None) -> Config:
    """The sections that only this process reads; their defaults when the file is broken now (the log says it is)."""
    try:
        return load(path)
    except ConfigMistakes:
        return Config()
