"""`gateline providers`: the table, and a provider added to a file with its key tried over a real connection."""

from __future__ import annotations

import json
import os
import pty
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateline.cli.providers import app
from gateline.control.config import load_with_sources
from gateline.providers.table import TABLE
from tests.cli.fakeprocess import fake_process

KEY = "sk-canary-0123456789"


@pytest.fixture(scope="module")
def vendor() -> Iterator[str]:
    with fake_process("--api-key", KEY) as url:
        yield url


def run(*arguments: str, key: str = KEY, **environment: str) -> tuple[int, str, str]:
    result = CliRunner(env=environment).invoke(app, [*arguments], input=key + "\n")
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.stdout, result.stderr


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_the_list_is_the_table() -> None:
    """Every kind with what it needs; the models on this machine are no provider of anybody's."""
    code, out, _ = run("list", COLUMNS="250")
    assert code == 0
    assert all(f"\n {kind} " in f"\n{out}" for kind in TABLE if kind != "local")
    code, out, _ = run("list", "--json")
    listed = {entry["kind"]: entry for entry in json.loads(out)}
    assert set(listed) == TABLE.keys() - {"local"}
    assert listed["cloudflare"]["options"] == ["account"]
    assert listed["openai-compatible"]["base_url"] is None


def test_a_key_that_is_good_is_written_where_only_its_owner_reads(tmp_path: Path, vendor: str) -> None:
    """The file refers to it; the rest of the file is as it was, and it is a configuration that the gateway takes."""
    config = tmp_path / "gateline.yaml"
    config.write_text("# mine\nproviders:\n  a: {kind: openai, api_key: k}  # first\n")
    config.chmod(0o640)
    code, out, err = run("add", "groq", "--config", str(config), "--base-url", vendor)
    assert code == 0
    tried, left = err.splitlines()
    assert tried == "groq: ok: it answers, and takes the key"
    assert left.startswith(f"next: gateline serve --config {config} ")
    kept = tmp_path / "groq.key"
    assert out == (f"{config}: provider groq added; its key is in {kept}; its models are served as groq/…\n")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert kept.read_text() == KEY + "\n"
    assert stat.S_IMODE(config.stat().st_mode) == 0o640
    assert config.read_text() == (
        "# mine\nproviders:\n  a: {kind: openai, api_key: k}  # first\n"
        f"  groq:\n    kind: groq\n    base_url: {vendor}\n    api_key: file:{kept}\n    models: auto\n"
    )
    read = load_with_sources(config).config.providers["groq"]
    assert read.api_key.get_secret_value() == KEY


def test_a_variable_is_referred_to(tmp_path: Path, vendor: str) -> None:
    """And the key is nowhere but in it."""
    config = tmp_path / "gateline.yaml"
    arguments = ("add", "openai", "--name", "mine", "--config", str(config), "--base-url", vendor)
    code, _, _ = run(*arguments, "--api-key-env", "MY_KEY", "--no-models", MY_KEY=KEY)
    assert code == 0
    assert config.read_text() == (
        f"providers:\n  mine:\n    kind: openai\n    base_url: {vendor}\n    api_key: ${{MY_KEY}}\n"
    )
    assert names(tmp_path) == ["gateline.yaml"]
    again = [each if each != "mine" else "other" for each in arguments]
    code, _, err = run(*again, "--api-key-env", "MY_KEY", MY_KEY="")
    assert (code, err) == (1, "the environment has no MY_KEY: set it, or do not try the key (--no-test)\n")


def test_a_key_stands_in_the_file_only_when_that_was_asked_for(tmp_path: Path, vendor: str) -> None:
    """Which nobody else may read then, if it is new."""
    config = tmp_path / "gateline.yaml"
    arguments = ("add", "openai", "--config", str(config), "--base-url", vendor, "--plain")
    assert run(*arguments)[0] == 0
    assert f"api_key: {KEY}\n" in config.read_text()
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    code, _, err = run(*arguments)
    assert code == 1
    assert "has a provider called openai already" in err
    assert "--name" in err
    assert KEY not in err


def test_a_key_that_is_refused_is_not_written(tmp_path: Path, vendor: str) -> None:
    """Nor shown; the vendor's words are, and what to do. Untried, it is written."""
    config = tmp_path / "gateline.yaml"
    arguments = ("add", "groq", "--config", str(config), "--base-url", vendor)
    code, out, err = run(*arguments, key="sk-canary-wrong-key")
    assert (code, out) == (1, "")
    assert "groq: key refused (401: Incorrect API key provided.): make a new one" in err
    assert "nothing was written" in err
    assert "canary" not in err
    assert names(tmp_path) == []
    code, out, err = run(*arguments, "--no-test", key="sk-canary-wrong-key")
    assert (code, err[:6]) == (0, "next: ")


def test_a_vendor_that_cannot_be_reached_says_so(tmp_path: Path) -> None:
    """By whichever reason: nobody listens, no such name, a name that leads into the private network."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        port = holder.getsockname()[1]
        for url, words in (
            (f"http://127.0.0.1:{port}/v1", "unreachable (no connection): check base_url"),
            ("http://nowhere.invalid/v1", "unreachable (its name is not known): check base_url"),
        ):
            code, _, err = run("add", "groq", "--config", str(tmp_path / "g.yaml"), "--base-url", url)
            assert code == 1
            assert words in err
            assert names(tmp_path) == []


def test_what_is_not_free_is_not_tried(tmp_path: Path) -> None:
    """The command says so and writes."""
    config = tmp_path / "g.yaml"
    code, _, err = run("add", "cloudflare", "--config", str(config), "--option", "account=a1b2")
    assert code == 0
    assert err.startswith("cloudflare: not tested: ")
    assert "    account: a1b2\n" in config.read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["grok"], "there is no kind 'grok': did you mean groq?"),
        (["local"], "there is no kind 'local'"),
        (["cloudflare"], "this kind needs account: give it with --option account=…"),
        (["openai-compatible"], "this kind needs base_url: give it with --base-url"),
        (["cloudflare", "--option", "account=a/b"], "account: must be letters, digits, dots, hyphens or underscores"),
        (["cloudflare", "--option", "account"], "--option takes FIELD=VALUE"),
        (["groq", "--option", "profile=p"], "profile means nothing to kind groq: remove it"),
        (["groq", "--name", "a b"], "a provider cannot be called 'a b'"),
        (["openai-compatible", "--base-url", "h/v1"], "base_url: must be http://host"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_tried(tmp_path: Path, arguments: list[str], words: str) -> None:
    """With the option that mends it; no file is made."""
    code, _, err = run("add", *arguments, "--config", str(tmp_path / "g.yaml"))
    assert (code, words in err, names(tmp_path)) == (1, True, []), err
    assert KEY not in err


def test_a_key_is_needed_where_the_vendor_wants_one(tmp_path: Path, vendor: str) -> None:
    """Servers of one's own may do without, and hear what they answer."""
    config = str(tmp_path / "g.yaml")
    assert "no key was given" in run("add", "groq", "--config", config, key="")[2]
    code, _, err = run("add", "vllm", "--config", config, "--base-url", vendor, key="")
    assert code == 1
    assert "it wants one: add it" in err


def test_a_file_that_cannot_be_extended_is_left_alone(tmp_path: Path) -> None:
    """What would stand there is shown, and the key is not left behind."""
    config = tmp_path / "g.yaml"
    config.write_text("- a list\n")
    code, _, err = run("add", "groq", "--config", str(config), "--no-test")
    assert code == 1
    assert "was left as it is" in err
    assert "  groq:\n    kind: groq\n" in err
    assert names(tmp_path) == ["g.yaml"]
    assert config.read_text() == "- a list\n"


def test_a_person_is_asked_for_what_is_missing(tmp_path: Path, vendor: str) -> None:
    """At a terminal: options first, then the key, which is not echoed."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "gateline", "providers", "add", "openai-compatible", "--config", "g.yaml"]
    with subprocess.Popen(command, cwd=tmp_path, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        said = b""
        for question, answer in ((b"base_url: ", vendor), (b"(empty: none): ", KEY)):
            while not said.endswith(question):
                said += os.read(ours, 1024)
            os.write(ours, answer.encode() + b"\n")
        while b"provider openai-compatible added" not in said:
            said += os.read(ours, 1024)
        assert process.wait() == 0
    os.close(ours)
    assert KEY.encode() not in said
    assert b"ok: it answers, and takes the key" in said
    assert (tmp_path / "openai-compatible.key").read_text() == KEY + "\n"
