"""The generated pages of docs/reference are what the code says now."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def generate() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    path = list(sys.path)
    try:
        spec.loader.exec_module(module)
        yield module
    finally:
        sys.path[:] = path


def test_the_pages_are_current(generate: ModuleType) -> None:
    """Every field, error, metric, option and record field has its words; `make docs` would change nothing."""
    for name, text in generate.pages().items():
        assert (DOCS / "reference" / name).read_text() == text, f"{name} is out of date: run `make docs`"


def test_words_for_what_is_not_there_are_an_error(generate: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """A field that was removed or renamed in the code cannot stay behind in the documentation."""
    monkeypatch.setitem(generate.meanings.FIELDS, "server.no_such_field", "gone")
    with pytest.raises(generate.Gap, match="no_such_field"):
        generate.pages()
