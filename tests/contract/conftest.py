"""Gathers what each cell of the contract came to, and writes the README's table where it is asked for."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from tests.contract.table import Cells, write_readme

_OUTCOMES: pytest.StashKey[Cells] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-table", action="store_true", help="write what the contract came to into README.md")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    params: dict[str, Any] = getattr(getattr(item, "callspec", None), "params", {})
    if {"client", "vendor", "scenario"} <= params.keys():
        cells = item.config.stash.setdefault(_OUTCOMES, {})
        cell = cells.setdefault((params["client"], params["vendor"]), {})
        if call.when == "call" or report.failed:
            scenario = params["scenario"]
            reason = getattr(report, "wasxfail", "") or ("" if report.passed else "failed")
            cell[scenario] = cell.get(scenario) or reason
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    if session.config.getoption("--write-table", default=False):
        outcomes: Cells = session.config.stash.get(_OUTCOMES, {})
        write_readme(outcomes)
