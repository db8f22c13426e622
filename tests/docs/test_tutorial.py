"""Commands of the tutorial and of other pages, run as written, in one shell, in an empty folder. Only the port numbers
are exchanged."""

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

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("tutorial.md", "how-to/add-a-vendor.md", "how-to/what-was-dropped.md")
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


def _blocks(page: str) -> list[tuple[str, list[str]]]:
    """Each `sh` block with the lines that the `text` block after it promises."""
    blocks: list[tuple[str, list[str]]] = []
    for kind, text in _BLOCK.findall((DOCS / page).read_text()):
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


@pytest.mark.parametrize("page", PAGES)
def test_every_command_does_what_the_text_says(page: str, tmp_path: Path) -> None:
    """All blocks run in order, none fails, and each prints the lines that stand below it (`…` is anything)."""
    blocks = _blocks(page)
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


def test_a_vendor_that_is_not_listed_takes_six_lines_at_most() -> None:
    """The whole configuration of the page that adds one."""
    (written,) = [commands for commands, _ in _blocks("how-to/add-a-vendor.md") if "cat > gateline.yaml" in commands]
    lines = written.partition("<<'END'\n")[2].partition("END\n")[0].splitlines()
    assert any("kind: openai-compatible" in line for line in lines)
    assert 0 < len(lines) <= 6
