"""Tokens kept fresh, on a clock that the test turns: when they are renewed, what a failure costs, who is told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Any

import msgspec
import pytest
import structlog

from gateline.control.tokens.service import TokenService
from gateline.control.tokens.source import NoToken, Source
from gateline.control.tokens.sources import source_of
from gateline.model.credential import Aws, Credential, Entra, Google, Ibm, credential_id
from gateline.model.feed import Granted, Rejected
from gateline.model.snapshot import Model, Provider, Snapshot, Target
from gateline.model.token import Bearer, token_id

START = 1_000_000.0
DEADLINE = 10.0
IBM = Ibm("canary-key")
GOOGLE = Google(text='{"type": "canary-key"}')


def snapshot(*credentials: Credential | None) -> Snapshot:
    targets = tuple(
        Target(Provider(f"p{number}", "openai-compatible", credential=credential), "m", 1, number + 1)
        for number, credential in enumerate(credentials)
    )
    return Snapshot(1, {"default": {"m": Model("m", targets)}})


class Stage:
    """The service with sources whose answers are scripted, by credential: a token, or what is raised."""

    def __init__(self) -> None:
        self.now = START
        self.told: list[Granted] = []
        self.wanted: list[Collection[bytes]] = []
        self.script: dict[Credential, list[Any]] = {}
        self.fetched: list[Credential] = []
        self._sleeping: list[tuple[float, asyncio.Future[None]]] = []
        self._slept = asyncio.Event()
        self.service = TokenService(
            self.told.append, lambda wanted: self.wanted.append(set(wanted)), self._make, lambda: self.now, self._sleep
        )

    def _make(self, credential: Credential) -> Source:
        stage = self

        class Scripted:
            async def fetch(self) -> Any:
                stage.fetched.append(credential)
                answers = stage.script[credential]
                answer = answers.pop(0) if len(answers) > 1 else answers[0]
                if isinstance(answer, Exception):
                    raise answer
                return answer

        return Scripted()

    async def _sleep(self, seconds: float) -> None:
        woken = asyncio.get_running_loop().create_future()
        entry = (seconds, woken)
        self._sleeping.append(entry)
        self._slept.set()
        try:
            await woken
        finally:
            if entry in self._sleeping:
                self._sleeping.remove(entry)

    async def rest(self, count: int = 1) -> list[float]:
        """Waits until `count` keepers sleep; for how long, shortest first."""
        async with asyncio.timeout(DEADLINE):
            while len(self._sleeping) < count:
                self._slept.clear()
                await self._slept.wait()
        return sorted(seconds for seconds, _ in self._sleeping)

    def turn(self) -> None:
        """Lets the first sleeper wake, as late as it wanted."""
        entry = min(self._sleeping, key=lambda each: each[0])
        self._sleeping.remove(entry)
        self.now += entry[0]
        entry[1].set_result(None)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not holds():  # noqa: ASYNC110 - what the service does has no event of its own
            await asyncio.sleep(0)


def play(script: Callable[[Stage], Awaitable[None]]) -> Stage:
    made: list[Stage] = []

    async def run() -> None:
        stage = Stage()
        made.append(stage)
        try:
            await script(stage)
        finally:
            await stage.service.close()

    asyncio.run(run())
    return made[0]


def test_a_token_is_renewed_before_four_fifths_of_its_life_are_over() -> None:
    """A little earlier by chance, never later; each renewal is told."""

    async def script(at: Stage) -> None:
        at.script[IBM] = [Bearer("one", START + 3600), Bearer("two", START + 7200)]
        at.service.apply(snapshot(IBM))
        (wait,) = await at.rest()
        assert 0.72 * 3600 <= wait <= 0.8 * 3600
        at.turn()
        await at.rest()
        name = credential_id(IBM)
        assert at.told == [Granted(name, Bearer("one", START + 3600)), Granted(name, Bearer("two", START + 7200))]

    play(script)


def test_the_same_token_again_is_nobodys_news() -> None:
    """Metadata servers repeat theirs until shortly before its end, and are not asked without a pause."""

    async def script(at: Stage) -> None:
        at.script[IBM] = [Bearer("same", START + 100)]
        at.service.apply(snapshot(IBM))
        for _ in range(6):
            (wait,) = await at.rest()
            at.turn()
        assert wait == 5.0
        assert len(at.told) == 1

    play(script)


def test_lasting_keys_are_looked_at_again() -> None:
    """Somebody may have replaced them where they came from."""

    async def script(at: Stage) -> None:
        at.script[IBM] = [Bearer("for ever")]
        at.service.apply(snapshot(IBM))
        assert await at.rest() == [900.0]

    play(script)


def test_failures_wait_longer_each_time_and_say_why_once() -> None:
    """With jitter, at most a minute; the reason goes to the workers when it changes, not at every try."""

    async def script(at: Stage) -> None:
        at.script[IBM] = [*[NoToken("iam answered 401")] * 9, NoToken("iam answered 500")]
        at.service.apply(snapshot(IBM))
        waits = []
        for _ in range(10):
            waits += await at.rest()
            at.turn()
        await at.rest()
        for number, wait in enumerate(waits):
            full = min(2.0**number, 60.0)
            assert full / 2 <= wait <= full
        assert [(each.token, each.reason) for each in at.told] == [
            (None, "iam answered 401"),
            (None, "iam answered 500"),
        ]

    play(script)


def test_the_last_good_token_is_used_until_it_expires() -> None:
    """Failures before its end are not told; at its end they are, and the next good one again."""

    async def script(at: Stage) -> None:
        end = START + 100
        answers: list[Any] = [Bearer("one", end)]
        at.script[IBM] = answers
        at.service.apply(snapshot(IBM))
        await at.rest()
        answers[:] = [NoToken("away")]
        at.turn()
        while at.now < end:
            await at.rest()
            assert len(at.told) == 1
            at.turn()
        assert at.now == end
        await at.rest()
        assert [(each.token, each.reason) for each in at.told[1:]] == [(None, "away")]
        answers[:] = [Bearer("two", end + 1000)]
        at.turn()
        await at.rest()
        assert at.told[-1].token == Bearer("two", end + 1000)

    play(script)


def test_a_defect_of_one_source_ends_nobodys_tokens() -> None:
    """And of what it says only its kind goes on."""

    async def script(at: Stage) -> None:
        at.script[IBM] = [ValueError("canary"), Bearer("one", START + 3600)]
        at.script[GOOGLE] = [Bearer("two", START + 3600)]
        at.service.apply(snapshot(IBM, GOOGLE))
        await at.rest(2)
        assert {each.reason for each in at.told} == {"", "a defect, ValueError"}
        at.turn()
        await at.rest(2)
        assert at.told[-1] == Granted(credential_id(IBM), Bearer("one", START + 3600))

    play(script)


def test_providers_with_one_credential_share_its_token() -> None:
    """And those that need none have none fetched."""

    async def script(at: Stage) -> None:
        at.script[IBM] = [Bearer("one", START + 3600)]
        at.service.apply(snapshot(IBM, None, Ibm("canary-key"), Aws("r", "AKIA", "given")))
        await at.rest()
        assert at.fetched == [IBM]
        assert at.wanted == [{credential_id(IBM)}]

    play(script)


def test_a_provider_that_is_only_open_has_its_token() -> None:
    """No model leads there, and calls of its own API do."""

    async def script(at: Stage) -> None:
        at.script[IBM] = [Bearer("one", START + 3600)]
        opened = Provider("open", "openai-compatible", credential=IBM)
        at.service.apply(msgspec.structs.replace(snapshot(None), open_providers=(opened,)))
        await at.rest()
        assert at.wanted == [{credential_id(IBM)}]

    play(script)


def test_a_reload_keeps_what_is_good_and_tries_at_once_what_is_not() -> None:
    """Whoever reloads may have cured it. A token that is still good survives that, and a credential that left the
    configuration is fetched no more."""

    async def script(at: Stage) -> None:
        third = Ibm("third")
        failing: list[Any] = [Bearer("old", START + 3600), NoToken("away")]
        at.script = {IBM: failing, GOOGLE: [Bearer("two", START + 90_000)], third: [Bearer("three", START + 90_000)]}
        at.service.apply(snapshot(IBM, GOOGLE, third))
        await at.rest(3)
        at.turn()
        await at.rest(3)
        assert at.fetched.count(IBM) == 2
        at.service.apply(snapshot(IBM, GOOGLE))
        await until(lambda: at.fetched.count(IBM) == 3)
        await at.rest(2)
        assert [at.fetched.count(each) for each in (IBM, GOOGLE, third)] == [3, 1, 1]
        assert all(each.token is not None for each in at.told)
        assert at.wanted[-1] == {credential_id(IBM), credential_id(GOOGLE)}

    play(script)


def test_a_rejected_token_is_fetched_anew_at_once() -> None:
    """Once, however many workers have met the refusal; one that is no longer the last is nobody's matter."""

    async def script(at: Stage) -> None:
        one, two = Bearer("one", START + 3600), Bearer("two", START + 3600)
        at.script[IBM] = [one, two]
        at.service.apply(snapshot(IBM))
        await at.rest()
        name = credential_id(IBM)
        for token in (two, one, one):
            at.service.rejected(Rejected(name, token_id(token)))
        at.service.rejected(Rejected(b"unknown", token_id(one)))
        await until(lambda: len(at.told) == 2)
        at.service.rejected(Rejected(name, token_id(one)))
        (wait,) = await at.rest()
        assert wait > 0.7 * 3600
        assert at.told == [Granted(name, one), Granted(name, two)]
        assert len(at.fetched) == 2

    play(script)


@pytest.mark.parametrize("answer", [NoToken("away"), Bearer("one", START + 3600)])
def test_calls_that_wait_hear_that_there_is_no_other_token(answer: Any) -> None:
    """The same is told again, which is used on: where the issuer fails or repeats it, and where it was just asked."""

    async def script(at: Stage) -> None:
        one = Bearer("one", START + 3600)
        at.script[IBM] = [one, answer]
        at.service.apply(snapshot(IBM))
        await at.rest()
        rejected = Rejected(credential_id(IBM), token_id(one))
        at.service.rejected(rejected)
        await until(lambda: len(at.told) == 2)
        at.service.rejected(rejected)
        assert at.told == [Granted(credential_id(IBM), one)] * 3
        assert len(at.fetched) == 2
        at.now += 30
        at.service.rejected(rejected)
        await until(lambda: len(at.told) == 4)
        assert len(at.fetched) == 3

    play(script)


def test_the_log_names_the_provider_and_no_secret() -> None:
    with structlog.testing.capture_logs() as lines:

        async def script(at: Stage) -> None:
            at.script[IBM] = [NoToken("iam answered 401"), Bearer("canary", START + 3600)]
            at.service.apply(snapshot(IBM))
            await at.rest()
            at.turn()
            await at.rest()

        play(script)
    assert [line["event"] for line in lines] == ["token_refresh_failed", "token_refresh_failed_over"]
    assert lines[0]["cause"] == "provider p0: iam answered 401"
    assert "canary" not in str(lines)


@pytest.mark.parametrize(
    ("credential", "name"),
    [(IBM, "IbmIam"), (GOOGLE, "GoogleAccount"), (Entra("s"), "EntraId"), (Aws("r"), "AwsChain")],
)
def test_each_credential_has_its_source(credential: Credential, name: str) -> None:
    assert type(source_of(credential)).__name__ == name
