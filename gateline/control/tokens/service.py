"""Keeps a good token for each credential of the configuration: one task a credential, however many providers use it.

Renewed when four fifths of its life are over, so that an hour of failures ends no hour-long token early: the last good
one stays in use until it expires. One that a vendor refuses is renewed at once, but not again and again: a vendor may
refuse for want of a right what no new token cures. Imports nothing slow until a credential needs it.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Collection

import structlog

from gateline.control.complaint import Complaint
from gateline.control.tokens.source import NoToken, Source
from gateline.control.tokens.sources import source_of
from gateline.model.credential import Credential, credential_id, ready_token
from gateline.model.feed import Granted, Rejected
from gateline.model.snapshot import Snapshot
from gateline.model.token import Token, token_id

RENEW_AT = 0.8  # of what is left of a token's life
_JITTER = 0.1  # of that, earlier: gateways that started together do not ask together
_SOONEST = 5.0  # seconds; metadata servers give the same token again until shortly before its end
_LASTING_LOOK = 900.0  # seconds; keys without an end are looked up again, since somebody may have replaced them
_FIRST_RETRY, _LONGEST_RETRY = 1.0, 60.0  # seconds
_REJECTED_PAUSE = 30.0  # seconds between renewals of one credential that vendors' refusals ask for


class TokenService:
    """`grant` hears each change; `forget` which credentials the configuration has, when it changes."""

    def __init__(
        self,
        grant: Callable[[Granted], None],
        forget: Callable[[Collection[bytes]], None],
        make: Callable[[Credential], Source] = source_of,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._grant = grant
        self._forget = forget
        self._make = make
        self._now = now
        self._sleep = sleep
        self._keepers: dict[bytes, _Keeper] = {}

    def apply(self, snapshot: Snapshot) -> None:
        """Keeps tokens for the providers of `snapshot` from now on. A credential that fails is tried at once: whoever
        reloads may just have cured it."""
        wanted = _wanted(snapshot)
        self._forget(wanted.keys())
        before, self._keepers = self._keepers, {}
        for name, (credential, provider) in wanted.items():
            keeper = before.get(name)
            if keeper is None or keeper.is_failing:
                keeper = _Keeper(name, credential, provider, self, keeper)
            self._keepers[name] = keeper
        for name, keeper in before.items():
            if self._keepers.get(name) is not keeper:
                keeper.task.cancel()

    def rejected(self, message: Rejected) -> None:
        """A vendor refused a token. Unless another one is out already, it is fetched anew, by a source that remembers
        nothing; however that ends, and also when it was just tried, workers are told, since calls wait for it."""
        keeper = self._keepers.get(message.credential)
        if keeper is None or keeper.token is None or token_id(keeper.token) != message.token or keeper.is_awaited:
            return
        if self._now() < keeper.rests_until:
            self._grant(Granted(keeper.name, keeper.token))
            return
        structlog.get_logger().warning("token_refused", provider=keeper.provider, remedy="fetched anew")
        keeper.task.cancel()
        renewed = self._keepers[keeper.name] = _Keeper(keeper.name, keeper.credential, keeper.provider, self, keeper)
        renewed.is_awaited = True
        renewed.rests_until = self._now() + _REJECTED_PAUSE

    async def close(self) -> None:
        keepers, self._keepers = self._keepers, {}
        for keeper in keepers.values():
            keeper.task.cancel()
        await asyncio.gather(*(keeper.task for keeper in keepers.values()), return_exceptions=True)

    async def keep(self, keeper: _Keeper) -> None:
        """The life of one keeper. Never returns."""
        source: Source | None = None
        while True:
            try:
                if source is None:
                    source = await asyncio.to_thread(self._make, keeper.credential)
                token = await source.fetch()
            except NoToken as error:
                await self._sleep(self._failed(keeper, str(error)))
            except Exception as error:  # noqa: BLE001 a task's boundary: one credential's defect ends no other's tokens
                await self._sleep(self._failed(keeper, f"a defect, {type(error).__name__}"))
            else:
                await self._sleep(self._renewed(keeper, token))

    def _renewed(self, keeper: _Keeper, token: Token) -> float:
        """Seconds until the next look."""
        keeper.failures = 0
        keeper.complaint.went_well()
        if token != keeper.token or keeper.reason or keeper.is_awaited:
            keeper.token, keeper.reason, keeper.is_awaited = token, "", False
            self._grant(Granted(keeper.name, token))
        if not token.expires_at:
            return _LASTING_LOOK
        left = (token.expires_at - self._now()) * RENEW_AT
        return max(left * (1.0 - random.random() * _JITTER), _SOONEST)  # noqa: S311 - spreads load, hides nothing

    def _failed(self, keeper: _Keeper, reason: str) -> float:
        """Seconds until the next try: at the latest when the last good token ends, so that workers hear why."""
        keeper.failures += 1
        keeper.complaint.failed(NoToken(f"provider {keeper.provider}: {reason}"))
        wait = min(_FIRST_RETRY * 2.0 ** min(keeper.failures - 1, 10), _LONGEST_RETRY)
        wait *= 1.0 - random.random() / 2  # noqa: S311 - as above
        token = keeper.token
        if token is not None and (not token.expires_at or token.expires_at > self._now()):
            if keeper.is_awaited:
                keeper.is_awaited = False
                self._grant(Granted(keeper.name, token))
            return min(wait, max(token.expires_at - self._now(), 0.0)) if token.expires_at else wait
        if reason != keeper.reason:
            keeper.token, keeper.reason = None, reason
            self._grant(Granted(keeper.name, None, reason))
        return wait


class _Keeper:
    """One credential, under care: its last token, or why there is none. `provider` is the first that uses it."""

    def __init__(
        self, name: bytes, credential: Credential, provider: str, service: TokenService, before: _Keeper | None
    ) -> None:
        self.name = name
        self.credential = credential
        self.provider = provider
        self.token: Token | None = before.token if before else None
        self.reason: str = before.reason if before else ""
        self.failures = 0
        self.is_awaited: bool = before.is_awaited if before else False  # by calls whose token was refused
        self.rests_until: float = before.rests_until if before else 0.0
        self.complaint = Complaint("token_refresh_failed")
        self.task = asyncio.get_running_loop().create_task(service.keep(self))

    @property
    def is_failing(self) -> bool:
        return self.failures > 0


def _wanted(snapshot: Snapshot) -> dict[bytes, tuple[Credential, str]]:
    """The credentials that need an exchange, by their id, each with the first provider that has it."""
    found: dict[bytes, tuple[Credential, str]] = {}
    for provider in snapshot.providers():
        credential = provider.credential
        if credential is not None and ready_token(credential) is None:
            found.setdefault(credential_id(credential), (credential, provider.name))
    return found
