from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import msgspec
import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from gateline.cli.usage import _print_table, cost_of, dollars, usage
from gateline.model.record import Attempt, Opened, record_of_lost
from gateline.model.usage import Usage
from gateline.store.datadir import DataDir
from gateline.store.journal import Journal

app = typer.Typer()
app.command()(usage)

ROW = {
    "name": "gpt",
    "requests": 3,
    "errors": 1,
    "input_tokens": 1_234_567,
    "output_tokens": 5,
    "cached_tokens": 0,
    "reasoning_tokens": 0,
    "cost": 1_500,
    "unpriced": 0,
    "unmetered": 0,
    "cache_write_tokens": 0,
    "cache_write_1h_tokens": 0,
    "input_audio_tokens": 0,
    "output_audio_tokens": 0,
    "input_image_tokens": 0,
    "output_image_tokens": 0,
    "cached_audio_tokens": 0,
}


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, [*arguments])
    return result.exit_code, result.output


@pytest.fixture
def place(tmp_path: Path) -> DataDir:
    place = DataDir(tmp_path / "data")
    place.create()
    return place


def test_without_a_server_it_imports_and_reads_by_itself(place: DataDir) -> None:
    """What the last server left in its journals is counted, and a database is made when there is none."""
    journal = Journal(place.journal, "0a-1", 65_536)
    for number, cost in enumerate((1_000_000_001, None)):
        opened = Opened(f"r{number}", "default", "key_1", 0, "chat", "gpt", "up/gpt", stream=False, started=1)
        record = record_of_lost(opened, finished=2)
        attempts = [Attempt("up/gpt", 200)]
        journal.append(
            msgspec.msgpack.encode(
                msgspec.structs.replace(
                    record, error="", attempts=attempts, usage=Usage(7, 3), usage_source="provider", cost=cost
                )
            )
        )
    journal.close()
    code, output = run("--data-dir", str(place.root), "--json")
    assert code == 0
    (row,) = json.loads(output)
    assert (row["name"], row["requests"], row["input_tokens"], row["cost"], row["unpriced"]) == (
        "gpt",
        2,
        14,
        1_000_000_001,
        1,
    )
    code, output = run("--data-dir", str(place.root), "--by", "key")
    assert code == 0
    assert "key_1" in output
    assert "$1.000000001" in output
    assert "unpriced" in output


def test_an_empty_time_says_so(place: DataDir) -> None:
    """No rows is an answer, not an error."""
    assert run("--data-dir", str(place.root), "--since", "1h") == (0, "no calls in that time\n")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [(("--since", "yesterday"), "duration"), (("--by", "moon"), "moon"), (("--data-dir", "/nowhere/at/all"), "serve")],
)
def test_a_mistake_is_named(arguments: tuple[str, ...], says: str, tmp_path: Path) -> None:
    """A wrong option or a place without data ends in one message that says what to do."""
    code, output = run("--data-dir", str(tmp_path), *arguments)
    assert code != 0
    assert says in output
    assert "Traceback" not in output


class Server(socketserver.UnixStreamServer):
    asked: list[str]
    answer: tuple[int, Any]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        status, body = (200, {}) if self.path == "/status" else self.server.answer
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def address_string(self) -> str:
        return "unix"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        """Keep the test's output clean."""


@pytest.fixture
def server(place: DataDir) -> Iterator[Server]:
    with Server(str(place.control_socket), Handler) as server:
        server.asked = []
        server.answer = (200, [ROW])
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_running_server_is_asked(place: DataDir, server: Server) -> None:
    """The question goes over the control socket as it was put; the database is not touched."""
    code, output = run("--data-dir", str(place.root), "--since", "30m", "--by", "tenant", "--json")
    assert (code, json.loads(output)) == (0, [ROW])
    assert server.asked[-1] in {"/usage?by=tenant&since=30m", "/usage?since=30m&by=tenant"}
    assert not place.database.exists()


def test_a_servers_refusal_is_passed_on(place: DataDir, server: Server) -> None:
    """Its message is printed and the exit code says that there is no answer."""
    server.answer = (503, {"error": {"message": "the database is away"}})
    code, output = run("--data-dir", str(place.root))
    assert code == 1
    assert "the database is away" in output


def test_names_from_the_network_do_not_reach_the_terminal_raw(place: DataDir, server: Server) -> None:
    """Neither markup nor control characters of a name act."""
    server.answer = (200, [ROW | {"name": "[red]\x1b[2Jx"}])
    code, output = run("--data-dir", str(place.root))
    assert code == 0
    assert "\x1b[2J" not in output
    assert "[red]" in output


@given(st.integers(0, 10**15))
def test_dollars_are_exact(nano: int) -> None:
    """Reading the text back gives the same nano-dollars, with at least the cents shown."""
    whole, _, fraction = dollars(nano).removeprefix("$").partition(".")
    assert 2 <= len(fraction) <= 9
    assert int(whole) * 10**9 + int(fraction.ljust(9, "0")) == nano


def test_unknown_cost_is_never_shown_as_nothing() -> None:
    """Only a group whose every cost is known may read $0.00."""
    assert cost_of(ROW | {"cost": 0}) == "$0.00"
    assert cost_of(ROW | {"cost": 0, "unpriced": 3}) == "unknown"
    assert cost_of(ROW | {"unpriced": 1}) == "$0.0000015"


@pytest.mark.parametrize("width", [50, 60, 80, 100, 140])
@pytest.mark.parametrize("by", ["model", "key", "tenant"])
def test_no_figure_is_cut(
    width: int, by: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever the screen has no room for is named, and cost is the last to go."""
    large = {name: 123_456_789 for name, value in ROW.items() if isinstance(value, int)}
    name = "key_1d7e0aab59f7d2b0d748" if by == "key" else "openrouter/meta-llama/llama-3.1-405b-instruct"
    monkeypatch.setenv("COLUMNS", str(width))
    _print_table([{**large, "name": name}, {**ROW, "name": "b"}], by)
    output = capsys.readouterr().out
    assert "…" not in output
    assert max(map(len, output.splitlines())) <= width
    assert "$0.123456789" in output
    assert ("123,456,789" in output) == (width > 50 or by != "key")
    assert ("--json" in output) == ("cached audio" not in output.partition("want of")[0])
