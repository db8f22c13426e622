"""The configurations that pages show are ones that the gateway takes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateline.control.config import Config, load
from gateline.control.mistakes import ConfigMistakes

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SCRIPT = "# script.yaml"  # the fake's, which is no configuration
_ELSEWHERE = "names no file that can be read"  # certificates and credentials of the reader's
_BLOCKS = [
    pytest.param(block, id=f"{page.relative_to(ROOT)}-{number}")
    for page in sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
    for number, block in enumerate(_BLOCK.findall(page.read_text()))
    if not block.startswith(_SCRIPT)
]


def _mistakes(text: str, file: Path) -> list[str]:
    file.write_text(text)
    try:
        load(file)
    except ConfigMistakes as error:
        return [str(mistake) for mistake in error.mistakes if _ELSEWHERE not in mistake.message]
    return []


@pytest.mark.parametrize("block", _BLOCKS)
def test_what_a_page_shows_is_good(block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a file, or as a section of `providers` where it is one; variables that it names are set."""
    for variable in re.findall(r"\$\{(\w+)\}", block):
        monkeypatch.setenv(variable, f"value-of-{variable}")
    if block.partition(":")[0] not in Config.model_fields:
        block = "models: auto\nproviders:\n" + re.sub(r"^", "  ", block, flags=re.MULTILINE)
    assert _mistakes(block, tmp_path / "gateline.yaml") == []


def test_there_are_configurations_to_look_at() -> None:
    assert len(_BLOCKS) > 10
