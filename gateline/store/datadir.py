"""The data directory: one place that knows every path in it, and the modes they are made with."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import secrets
import tempfile
from pathlib import Path

from gateline.store.journal import FREE_SPACE
from gateline.store.mapped import is_room_missing

_SOCKET_PATH_LIMIT = 78  # sun_path holds 104 bytes on macOS, 108 on Linux: room for "/engine-local-embed.sock"
_PEPPER_BYTES = 32


def default_data_dir() -> Path:
    """`$GATELINE_DATA`, else the platform's own place for a program's data."""
    named = os.environ.get("GATELINE_DATA")
    if named:
        return Path(named)
    import platformdirs

    return Path(platformdirs.user_data_dir("gateline", appauthor=False))


def cache_dir() -> Path:
    """Where fetched weights are kept, shared by all data directories: `$GATELINE_CACHE`, else the platform's place."""
    named = os.environ.get("GATELINE_CACHE")
    if named:
        return Path(named)
    import platformdirs

    return Path(platformdirs.user_cache_dir("gateline", appauthor=False))


class DataDir:
    """Paths below one root. `create` makes the folders, readable by the owner alone."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.database = self.root / "gateline.db"
        self.snapshot = self.root / "snapshot"
        self.assigned = self.root / "snapshot.assigned"
        self.journal = self.root / "journal"
        self.logs = self.root / "logs"
        self.responses = self.root / "responses"
        self.run = self._run_dir()
        self.feed_socket = self.run / "feed.sock"
        self.control_socket = self.run / "control.sock"
        self.peek_socket = self.run / "peek.sock"
        self.limits_lock = self.run / "limits.lock"
        self.supervisor_lock = self.run / "supervisor.lock"

    @property
    def is_in_use(self) -> bool:
        """Whether a supervisor holds its lock."""
        try:
            with self.supervisor_lock.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def _run_dir(self) -> Path:
        """Sockets live in `run/`; where that path is too long for a socket, in a short one made from its hash."""
        inside = self.root / "run"
        if len(os.fsencode(inside)) <= _SOCKET_PATH_LIMIT:
            return inside
        digest = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"gateline-{os.getuid()}-{digest}"

    @property
    def has_lost_database(self) -> bool:
        """It had a database and has none: a volume that is not mounted, a file that was removed."""
        return (self.root / "pepper").exists() and not self.database.exists()

    def engine_socket(self, engine: str) -> Path:
        return self.run / f"engine-{engine}.sock"

    def create(self) -> None:
        """Raises OSError when a folder cannot be made, PermissionError when another user owns one."""
        for folder in (self.root, self.journal, self.logs, self.run):
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            except (FileExistsError, NotADirectoryError):
                raise NotADirectoryError(
                    f"{folder} cannot be a folder of the data directory: a file has its name, or is on the way to it"
                ) from None
            if folder.stat().st_uid != os.getuid():
                raise PermissionError(f"{folder} belongs to another user: name a data directory of your own")
        self.run.chmod(0o700)

    def pepper(self) -> bytes:
        """The installation's secret that key hashes are made with, created on first use with mode 0600.

        An empty database comes first: where there is a pepper there was one, and if it is missing it was lost."""
        path = self.root / "pepper"
        if path.exists():
            return path.read_bytes()
        self.database.touch(mode=0o600)
        # Whole before it has its name: keys that were hashed with half of it, on a full disk, would be lost later.
        fd, unnamed = tempfile.mkstemp(dir=self.root, prefix=".pepper-")
        try:
            with os.fdopen(fd, "wb") as file:
                file.write(secrets.token_bytes(_PEPPER_BYTES))
                file.flush()
                os.fsync(file.fileno())
            with contextlib.suppress(FileExistsError):  # another process was faster: its own is the one
                os.link(unnamed, path)
        except OSError as error:
            if is_room_missing(error):
                raise OSError(f"no room in {self.root} for its secret: {FREE_SPACE}") from None
            raise
        finally:
            Path(unnamed).unlink()
        return path.read_bytes()
