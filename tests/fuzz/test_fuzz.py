"""The committed corpus, replayed by `make test`; `make fuzz` looks further."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"
INPUTS = [(name, path) for name in TARGETS for path in sorted((CORPUS / name).iterdir())]


@pytest.mark.parametrize(("name", "path"), INPUTS, ids=[f"{name}-{path.name}" for name, path in INPUTS])
def test_the_corpus_breaks_no_promise(name: str, path: Path) -> None:
    """Every input that was ever interesting keeps its target's promise."""
    TARGETS[name](path.read_bytes())


def test_every_target_has_a_corpus() -> None:
    """No target runs over nothing, and no corpus lies there for nobody."""
    assert {name for name, _ in INPUTS} == set(TARGETS) == {path.name for path in CORPUS.iterdir()}
