"""What the hand-written pages say of the tree and of the code is so."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_QUOTED = re.compile(r"^\*\*`([^`]+)`\*\*", re.MULTILINE)
_ROOMS = "app|cli|control|engine|fake|formats|gateway|model|net|providers|store|wire"
_SOURCE = re.compile(rf"`((?:gateline/)?(?:{_ROOMS})/[\w/]*\w\.py)`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    """Links to other pages name files that exist, and headings that the page has."""
    for link in _LINK.findall(page.read_text()):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        name, _, heading = link.partition("#")
        there = (page.parent / name) if name else page
        assert there.exists(), link
        if heading:
            assert heading in {_anchor(line) for line in there.read_text().splitlines() if line.startswith("#")}, link


def _anchor(line: str) -> str:
    """GitHub's anchor of a heading."""
    return re.sub(r"[^\w\- ]", "", line.lstrip("# ").lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_source_file_that_a_page_names_exists(page: Path) -> None:
    """A file that was renamed is renamed in the documentation too."""
    for name in _SOURCE.findall(page.read_text()):
        assert (ROOT / "gateline" / name.removeprefix("gateline/")).is_file(), name


def test_the_life_of_a_request_follows_the_pipeline() -> None:
    """docs/request.md quotes each step of `handle`, in the order of the code, and nothing that is not there."""
    source = (ROOT / "gateline" / "gateway" / "pipeline.py").read_text()
    tree = ast.parse(source)
    handle = next(n for n in ast.walk(tree) if isinstance(n, ast.AsyncFunctionDef) and n.name == "handle")
    code = ast.get_source_segment(source, handle)
    assert code is not None
    quoted = _QUOTED.findall((ROOT / "docs" / "request.md").read_text())
    at = 0
    for step in quoted:
        at = code.index(step, at)
    calls = [n.value for n in ast.walk(handle) if isinstance(n, ast.Expr) and isinstance(n.value, ast.Await | ast.Call)]
    said = " ".join(quoted)
    explained = {"exchange.fail(error)", "self._on_defect", "exchange.fail(Internal", "self._look_up"}
    for call in calls:
        text = ast.unparse(call)
        assert text in said or any(each in text for each in explained), f"docs/request.md does not speak of: {text}"
