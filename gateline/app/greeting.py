"""What a person who has started the gateway is told: where it is, the first key once, a line to paste."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from time import monotonic

from gateline.app.launch import Launch
from gateline.net.room import room
from gateline.store.columns import LAST_TICK_NS, Columns

_LOCAL = "openvino_genai"  # comes with the extra alone
_LAST_LOOK = 20.0  # seconds after which nothing more is waited for


class Greeting:
    """Speaks when the first worker runs, and again when the control process brings the first key. `files` is how many
    descriptors a process may open: it says when they are too few for the connections that were configured."""

    def __init__(self, launch: Launch, host: str, port: int, data_dir: str, files: int) -> None:
        scheme = "https" if launch.tls_certificate else "http"
        shown = "127.0.0.1" if host == "0.0.0.0" else f"[{host}]" if ":" in host else host  # noqa: S104 - only shown
        self.url = f"{scheme}://{shown}:{port}"
        self._data_dir = data_dir
        self._workers = launch.workers
        self._model = launch.engines[0] if launch.engines else ""
        self._shortage = _shortage(launch.connections, files)
        self._began = monotonic()
        self._ready = False
        self._token = ""
        self.is_done = False

    def look(self, columns: Columns) -> None:
        """Called often until `is_done`."""
        if self._ready:
            self.is_done = True
        elif any(columns.worker(index)[LAST_TICK_NS] for index in range(columns.workers)):
            self._ready = True
            workers = f"{self._workers} worker" + "s" * (self._workers != 1)
            self._print(f"Gateline is ready at {self.url}  ({workers}, data in {self._data_dir})")
            if self._shortage:
                self._print(self._shortage)
            if self._token:
                self._introduce()
        elif monotonic() - self._began > _LAST_LOOK:
            self.is_done = True

    def first_key(self, token: str) -> None:
        self._token = token
        if self._ready:
            self._introduce()

    def _introduce(self) -> None:
        self._print("\nThe first key, shown this once (more: gateline keys create --name NAME):\n")
        self._print(f"  {self._token}\n")
        self._print("Try it:\n")
        if self._model and find_spec(_LOCAL) is None:
            self._print(f"  curl {self.url}/v1/models -H 'Authorization: Bearer {self._token}'\n")
            self._print(
                "The local models need what is not installed: pip install 'gateline[local]', or add a provider:"
            )
            self._print("gateline providers add openai (`gateline providers list` shows all kinds).\n")
        elif self._model == "local-chat":
            body = '{"model": "local-chat", "messages": [{"role": "user", "content": "Say hello."}]}'
            self._print(
                f"  curl {self.url}/v1/chat/completions -H 'Authorization: Bearer {self._token}' \\\n"
                f"    -H 'Content-Type: application/json' -d '{body}'\n"
            )
            self._print("The local models are still loading: until one is ready its calls get 503 and a Retry-After,")
            self._print("and GET /v1/models says so.\n")
        else:
            self._print(f"  curl {self.url}/v1/models -H 'Authorization: Bearer {self._token}'\n")
        self._token = ""

    @staticmethod
    def _print(text: str) -> None:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def _shortage(configured: int, files: int) -> str:
    possible = room(configured, files)
    if possible == configured:
        return ""
    return (
        f"Warning: a worker takes {possible:,} client connections, not the {configured:,} of server.connections: at "
        f"most {files:,} files may be open. Raise the hard limit (ulimit -Hn, LimitNOFILE= of systemd)."
    )
