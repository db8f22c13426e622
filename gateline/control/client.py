"""The commands' way into a running server: its control socket. Knows HTTP over a Unix socket and nothing else."""

from __future__ import annotations

import socket
import time
from types import TracebackType
from typing import Any

import httpx

from gateline.store.datadir import DataDir

_ASK_SECONDS = 10.0
_START_SECONDS = 15.0  # a server that has just been started opens its control socket after a second or two
_LOOK_AGAIN_SECONDS = 0.05


class ControlRefused(Exception):
    """The server said no, or not yet; `body` is its answer. The message says what to do."""

    def __init__(self, message: str, body: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.body = body or {}


class Control:
    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def __enter__(self) -> Control:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def ask(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        """The answer's JSON. Raises ControlRefused."""
        try:
            reply = self._client.request(method, f"http://control{path}", **more)
        except httpx.HTTPError as error:
            raise ControlRefused(
                f"the running server did not answer ({type(error).__name__}): try again, its log may say why"
            ) from None
        try:
            body: dict[str, Any] = reply.json()
        except ValueError:
            raise ControlRefused(
                f"the server's control process is in trouble (status {reply.status_code}): see the server's log"
            ) from None
        if not reply.is_success:
            raise ControlRefused(body.get("error", {}).get("message", f"the server answered {reply.status_code}"), body)
        return body


def reach(data_dir: DataDir) -> Control | None:
    """A line to the server that runs on this data directory, None when none does. Waits for one that is starting.
    Raises ControlRefused when a server runs and its control process does not open its socket."""
    deadline = time.monotonic() + _START_SECONDS
    while not _listens(data_dir):
        if not data_dir.is_in_use:
            return None
        if time.monotonic() > deadline:
            raise ControlRefused(f"the server on {data_dir.root} does not answer: see its log")
        time.sleep(_LOOK_AGAIN_SECONDS)
    transport = httpx.HTTPTransport(uds=str(data_dir.control_socket))
    return Control(httpx.Client(transport=transport, timeout=_ASK_SECONDS))


def _listens(data_dir: DataDir) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(data_dir.control_socket))
        except OSError:
            return False
    return True
