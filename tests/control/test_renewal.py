"""Prices at their dates and lists of models come in without anybody's reload, and never with an unfinished edit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateline.control import renewal as renewal_module
from gateline.control.catalogue.live import NoList
from gateline.control.configuration import Configuration
from gateline.control.mistakes import ConfigMistakes
from gateline.control.renewal import Renewal
from gateline.model.snapshot import DEFAULT_TENANT, Provider
from gateline.store.datadir import DataDir

CONFIG = """
providers:
  house: {kind: openai-compatible, base_url: "http://127.0.0.1:9000/v1"}
  google: {kind: openai-compatible, base_url: "https://generativelanguage.googleapis.com/v1beta/openai"}
"""


class Gateway:
    """A configuration, its renewal, and vendors that say what a test tells them to."""

    def __init__(self, tmp_path: Path, models: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = tmp_path / "gateline.yaml"
        self.path.write_text(CONFIG + models)
        data_dir = DataDir(tmp_path / "data")
        data_dir.create()
        self.configuration = Configuration(self.path, data_dir)
        self.configuration.keep()
        self.now = 0.0
        self.lists: dict[str, tuple[str, ...]] = {}
        self.asked = 0
        self.reloads = 0
        self.reloaded = asyncio.Event()
        self.looked = asyncio.Event()
        self.renewal = Renewal(self.path, data_dir, self.configuration, self.reload, lambda: self.now)
        monkeypatch.setattr(renewal_module, "live_list", self._live_list)

    async def _live_list(self, provider: Provider, *_: object) -> tuple[str, ...]:
        self.asked += 1
        self.looked.set()
        if provider.name not in self.lists:
            raise NoList("it answered 500")
        return self.lists[provider.name]

    async def reload(self) -> None:
        try:
            self.configuration.reload()
        finally:
            self.reloads += 1
            self.reloaded.set()
        self.renewal.ask()  # as the control process does

    def run(self, story: Callable[[], Awaitable[None]]) -> list[Any]:
        """Runs `story` beside the renewal; the log of both."""

        async def both() -> None:
            task = asyncio.create_task(self.renewal.run())
            await asyncio.wait_for(story(), 10)
            task.cancel()

        with capture_logs() as log:
            asyncio.run(both())
        return log

    @property
    def models(self) -> set[str]:
        return set(self.configuration.snapshot.models[DEFAULT_TENANT])


def test_a_providers_list_is_asked_for_at_the_start_and_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One reload brings it in; that reload asks nobody again; a provider that gives none has the catalogue."""
    gateway = Gateway(tmp_path, "models: auto\n", monkeypatch)
    gateway.lists["house"] = ("a", "b")
    assert gateway.models == set()

    async def story() -> None:
        await gateway.reloaded.wait()
        await _settled()

    log = gateway.run(story)
    assert gateway.models == {"house/a", "house/b"}
    assert (gateway.reloads, gateway.asked) == (1, 2)
    assert [entry["event"] for entry in log] == ["no_model_list", "model_lists_changed"]
    assert (log[0]["provider"], log[0]["using"]) == ("google", "the catalogue")


def test_a_reload_asks_again_and_takes_only_what_is_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same list in another order changes nothing; one that is gone leaves the last in force."""
    gateway = Gateway(tmp_path, "models: auto\n", monkeypatch)
    gateway.lists["house"] = ("a", "b")

    async def story() -> None:
        await gateway.reloaded.wait()
        await _settled()
        for changed in ({"house": ("b", "a")}, {}, {"house": ("b", "c")}):
            gateway.lists, before = dict(changed), gateway.asked
            gateway.looked.clear()
            gateway.renewal.ask()
            await gateway.looked.wait()
            await _settled()
            assert gateway.asked == before + 2

    gateway.run(story)
    assert gateway.reloads == 2
    assert gateway.models == {"house/b", "house/c"}


def test_prices_change_at_their_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without lists nobody is asked; when an announced price begins the snapshot is compiled anew."""
    text = "models: {flash: {targets: [{provider: google, model: gemini-3.8-flash}]}}\n"
    gateway = Gateway(tmp_path, text, monkeypatch)
    until = gateway.configuration.snapshot.prices_until
    if not until:
        pytest.skip("the price list announces no change of this model's price any more")
    gateway.now = until + 1.0

    async def story() -> None:
        await gateway.reloaded.wait()
        await _settled()

    log = gateway.run(story)
    assert (gateway.reloads, gateway.asked) == (1, 0)  # once: the same change is not tried for ever
    assert [entry["event"] for entry in log] == ["prices_changed"]


@pytest.mark.parametrize("edit", ["# edited\n", "nonsense: 1\n"])
def test_an_edit_that_nobody_reloaded_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, edit: str) -> None:
    """A change of a list or a price must not bring a half-finished file into force: it waits, and the log says so."""
    gateway = Gateway(tmp_path, "models: auto\n", monkeypatch)
    gateway.lists["house"] = ("a",)
    gateway.path.write_text(gateway.path.read_text() + "# a comment\n")

    async def story() -> None:
        await gateway.looked.wait()
        await _settled()

    log = gateway.run(story)
    assert gateway.reloads == 0
    assert log[-1]["event"] == "model_lists_changed"
    assert "reload it" in log[-1]["remedy"]
    gateway.path.write_text(gateway.path.read_text() + edit)
    if edit.startswith("#"):
        gateway.configuration.reload()
        assert gateway.models == {"house/a"}  # it was kept for whoever reloads
    else:
        with pytest.raises(ConfigMistakes):
            gateway.configuration.reload()


async def _settled() -> None:
    """Until the renewal waits again: its threads have come back and nothing is left to do."""
    for _ in range(50):
        await asyncio.to_thread(lambda: None)
