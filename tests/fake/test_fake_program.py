"""`gateline fake` as a person starts it: another process, with OpenAI's synchronous client."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import openai
import pytest

COMMAND = [sys.executable, "-c", "import typer; from gateline.cli.fake import fake; typer.run(fake)"]


@contextmanager
def started(*options: str) -> Iterator[str]:
    """Yields the base URL; ends the program with SIGTERM and checks that it leaves in order."""
    with subprocess.Popen([*COMMAND, "--port", "0", *options], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert "http" in line
            yield line.split()[-1]
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0


def invoice(url: str) -> dict[str, int]:
    with urllib.request.urlopen(f"{url.removesuffix('/v1')}/fake/invoice") as reply:
        totals: dict[str, int] = json.load(reply)["totals"]
    return totals


def test_the_synchronous_client_talks_to_a_scripted_program(tmp_path: Path) -> None:
    """A script file's rule strikes, the options override its pace, and the invoice adds up."""
    script = tmp_path / "script.yaml"
    script.write_text("tokens: 3\nrules: [{match: {nth: 2}, cue: 'status=500'}]\n")
    with (
        started("--script", str(script), "--tokens", "5") as url,
        openai.OpenAI(api_key="k", base_url=url, max_retries=0) as api,
    ):
        answer = api.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}])
        assert answer.usage is not None
        assert answer.usage.completion_tokens == 5
        with pytest.raises(openai.InternalServerError):
            api.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}])
        stream = api.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}], stream=True)
        text = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
        assert text == answer.choices[0].message.content
        totals = invoice(url)
        assert (totals["requests"], totals["finished"], totals["faulted"]) == (3, 2, 1)


def test_fast_workers_share_one_port_and_one_invoice() -> None:
    """Whichever process answers, the totals are those of all."""
    with started("--fast", "--workers", "2", "--reply-bytes", "1000") as url:
        for _ in range(12):  # a new connection each: they spread over the processes
            with openai.OpenAI(api_key="k", base_url=url) as api:
                api.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}])
        assert {invoice(url)["chat"] for _ in range(6)} == {12}


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (["--workers", "2"], "--fast"),
        (["--certificate", "/dev/null"], "--key"),
        (["--script", "BAD"], "nonsense"),
        (["--tps", "0"], "tps"),
        (["--fast", "--api-key", "k"], "plain mode"),
        (["--host", "192.0.2.1"], "cannot serve"),
    ],
)
def test_what_cannot_work_is_refused_in_one_line(options: list[str], part: str, tmp_path: Path) -> None:
    """Wrong options end the program with a message and a status."""
    script = tmp_path / "bad.yaml"
    script.write_text("rules: [{cue: nonsense}]")
    given = [str(script) if option == "BAD" else option for option in options]
    ended = subprocess.run([*COMMAND, "--port", "0", *given], capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode != 0
    assert part in ended.stderr
    assert "Traceback" not in ended.stderr
