"""The tutorial's commands, run as written, in one shell, in an empty folder. Only the port numbers are exchanged."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial.md"
SECONDS = 120.0
_BLOCK = re.compile(r"^```(sh|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PORTS = ("8080", "8081", "9001", "9002")


def _on_free_ports(text: str) -> str:
    with ExitStack() as stack:
        for port in _PORTS:
            holder = stack.enter_context(socket.socket())
            holder.bind(("127.0.0.1", 0))
            text = text.replace(port, str(holder.getsockname()[1]))
    return text


def _blocks() -> list[tuple[str, list[str]]]:
    """Each `sh` block with the lines that the `text` block after it promises."""
    blocks: list[tuple[str, list[str]]] = []
    for kind, text in _BLOCK.findall(TUTORIAL.read_text()):
        if kind == "sh":
            blocks.append((text, []))
        else:
            blocks[-1][1].extend(text.splitlines())
    return blocks


def _run(script: str, folder: Path) -> str:
    """What the script prints. Nothing that it started outlives this."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    with (folder / "output").open("w+") as output:
        shell = subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=folder,
            env={**os.environ, "PATH": path, "COLUMNS": "160"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            status = shell.wait(SECONDS)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGKILL)
            shell.wait()
        output.seek(0)
        said = output.read()
    assert status == 0, said
    return said


def test_every_command_of_the_tutorial_does_what_the_text_says(tmp_path: Path) -> None:
    """All blocks run in order, none fails, and each prints the lines that stand below it (`…` is anything)."""
    blocks = _blocks()
    script = _on_free_ports("".join(f"{commands}\necho '== end of {n}'\n" for n, (commands, _) in enumerate(blocks)))
    said = _run(script, tmp_path)
    begin = 0
    for number, (commands, promised) in enumerate(blocks):
        end = said.index(f"== end of {number}\n", begin)
        lines = said[begin:end].splitlines()
        for promise in promised:
            pattern = ".*".join(re.escape(part) for part in promise.split("…"))
            assert any(re.fullmatch(pattern, line) for line in lines), (promise, commands, lines)
        begin = end
