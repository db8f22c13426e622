"""The users' page on the fake says what the fake does."""

from __future__ import annotations

from pathlib import Path

from gateline.fake.cue import FAULTS, Cue
from gateline.fake.script import Script, read_script

PAGE = (Path(__file__).parents[2] / "docs/how-to/rehearse-failures.md").read_text(encoding="utf-8")


def test_every_fault_and_every_part_of_a_cue_is_on_the_page() -> None:
    """A fault that nobody can find is not a feature."""
    parts = FAULTS | set(Cue.__struct_fields__) - {"fault", "value"}
    assert [part for part in sorted(parts) if f"`{part}" not in PAGE] == []


def test_the_pages_script_is_a_script_with_every_field() -> None:
    """The example can be pasted, and shows all there is."""
    example = PAGE.partition("## Write a script\n\n```yaml\n")[2].partition("```")[0]
    script = read_script(example)
    assert len(script.rules) == 3
    assert [field for field in Script.__struct_fields__ if f"{field}:" not in example] == []
