"""`gateline import litellm`: ours on standard output or in a new file, and on standard error all that did not come."""

from __future__ import annotations

import stat
from pathlib import Path

from typer.testing import CliRunner, Result

from gateline.cli.main import app

GIVEN = """\
model_list:
  - model_name: m
    litellm_params: {model: groq/llama, api_key: os.environ/GROQ_API_KEY, rpm: 9}
general_settings: {master_key: sk-canary}
"""


def run(*arguments: str, **environment: str) -> Result:
    return CliRunner(env=environment).invoke(app, [*arguments])


def test_the_result_is_what_the_check_takes(tmp_path: Path) -> None:
    """In a file that only its owner reads, never over one that is there."""
    given, ours = tmp_path / "config.yaml", tmp_path / "gateline.yaml"
    given.write_text(GIVEN)
    done = run("import", "litellm", str(given), "--output", str(ours))
    assert (done.exit_code, done.stdout) == (0, "")
    assert stat.S_IMODE(ours.stat().st_mode) == 0o600
    checked = run("check", str(ours), GROQ_API_KEY="k")
    assert checked.stdout.startswith(f"{ours}: good: 1 provider; 1 model")
    again = run("import", "litellm", str(given), "--output", str(ours))
    assert again.exit_code == 1
    assert again.stderr.endswith(f"{ours} is there already: name another file\n")


def test_without_a_file_it_is_printed_and_the_rest_is_told_apart(tmp_path: Path) -> None:
    """By file and line; secrets stay out of it."""
    given = tmp_path / "config.yaml"
    given.write_text(GIVEN)
    done = run("import", "litellm", str(given))
    assert done.exit_code == 0
    assert "    api_key: ${GROQ_API_KEY}\n" in done.stdout
    lines = done.stderr.splitlines()
    assert lines[0].startswith(f"{given}:3: model_list[0].litellm_params.rpm: ")
    assert lines[1].startswith(f"{given}:4: general_settings.master_key: keys are made with")
    assert lines[2] == "1 provider, 1 model; 2 fields to look at, above"
    assert "canary" not in done.output


def test_what_is_no_configuration_is_refused(tmp_path: Path) -> None:
    """Text that is not YAML, a file that is not there, one that names no model."""
    given = tmp_path / "config.yaml"
    for text, words in (("a: [", "this is not YAML"), ("model_list: []\n", "no model could be carried")):
        given.write_text(text)
        done = run("import", "litellm", str(given))
        assert (done.exit_code, words in done.stderr) == (1, True), done.stderr
    assert "cannot be read" in run("import", "litellm", str(tmp_path / "none.yaml")).stderr
