"""The tokens a worker holds: by credential, until they expire, never longer than the configuration names them."""

from __future__ import annotations

import pytest

from gateline.gateway import tokens
from gateline.gateway.tokens import Held, TokenTable
from gateline.model.credential import Aws, Credential, Ibm, credential_id
from gateline.model.errors import Unavailable
from gateline.model.feed import Granted, Rejected
from gateline.model.snapshot import Model, Provider, Snapshot, Target
from gateline.model.token import AwsKeys, Bearer, token_id
from gateline.net.clock import Clock

NOW = 500.0  # monotonic
UTC = 1_000_000.0
IBM = Ibm("canary-key")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    clock.now = NOW
    monkeypatch.setattr(tokens, "time", lambda: UTC + clock.now - NOW)
    return clock


def snapshot(*credentials: Credential) -> Snapshot:
    targets = tuple(Target(Provider("p", "k", credential=credential), "m", 1, 1) for credential in credentials)
    return Snapshot(1, {"default": {"m": Model("m", targets)}})


def table_at(clock: Clock) -> TokenTable:
    return TokenTable(clock, lambda _: None)


def refused(table: TokenTable, credential: Credential, now: float) -> str:
    held = table.of(credential)
    assert held.pick(now) is None
    shortage = held.shortage(now)
    assert isinstance(shortage, Unavailable)
    assert shortage.retry_after == 1
    return str(shortage)


def secret(held: Held) -> str:
    seat = held.pick(NOW)
    return seat.secret if seat is not None else ""


def test_before_the_first_token_the_reason_is_told(clock: Clock) -> None:
    """Once the control process has said why there is none, in its words."""
    table = table_at(clock)
    assert "has not brought one" in refused(table, IBM, NOW)
    table.granted(Granted(credential_id(IBM), None, "iam answered 401"))
    assert refused(table, IBM, NOW) == "There is no token for the upstream yet: iam answered 401."


def test_a_bearer_is_a_header_line_until_it_expires(clock: Clock) -> None:
    """By the monotonic clock, in case the wall's is set while it is held."""
    table = table_at(clock)
    held = table.of(IBM)
    table.granted(Granted(credential_id(IBM), Bearer("canary", UTC + 60)))
    seat = held.pick(NOW + 59.9)
    assert seat is not None
    assert (seat.lines, seat.secret, seat.aws) == (b"Authorization: Bearer canary\r\n", "canary", None)
    assert "canary" not in repr(held)
    assert "has expired" in refused(table, IBM, NOW + 60)


def test_a_new_token_comes_into_the_object_that_targets_hold(clock: Clock) -> None:
    table = table_at(clock)
    held = table.of(IBM)
    for value in ("one", "two"):
        table.granted(Granted(credential_id(IBM), Bearer(value, UTC + 60)))
        assert table.of(IBM) is held
        assert secret(held) == value
    table.granted(Granted(credential_id(IBM), None, "gone"))
    assert held.seat is None


def test_keys_of_aws_that_are_given_need_nobody(clock: Clock) -> None:
    """They sign from the first request on, whatever the control process does, and nobody has others; with a role they
    wait for its keys."""
    table = table_at(clock)
    held = table.of(Aws("r", "AKIA", "canary"))
    seat = held.pick(NOW)
    assert seat is not None
    assert (seat.aws, seat.secret, held.spare) == (AwsKeys("AKIA", "canary"), "canary", 0)
    role = Aws("r", "AKIA", "canary", role_arn="arn")
    refused(table, role, NOW)
    table.granted(Granted(credential_id(role), AwsKeys("ASIA", "s", "session", UTC + 60)))
    assert (secret(table.of(role)), table.of(role).spare) == ("session", 1)


def test_a_refused_token_is_asked_for_once(clock: Clock) -> None:
    """By its name between our processes; a refusal of the one before it is no news, and so is a want of rights."""
    said: list[Rejected] = []
    table = TokenTable(clock, said.append)
    held = table.of(IBM)
    seats = []
    for value in ("one", "two"):
        table.granted(Granted(credential_id(IBM), Bearer(value, UTC + 60)))
        seats.append(held.pick(NOW))
    old, new = seats
    assert old is not None
    assert new is not None
    held.learn(old, 401, None, NOW)
    held.learn(new, 403, None, NOW, "AccessDeniedException")
    assert (said, held.has_other(old, NOW), held.has_other(new, NOW)) == ([], True, False)
    held.learn(new, 401, None, NOW)
    held.learn(new, 401, None, NOW + 29)
    assert said == [Rejected(credential_id(IBM), token_id(Bearer("two", UTC + 60)))]
    assert held.awaits_other(new, NOW + 4.9)
    assert not held.awaits_other(old, NOW)
    assert not held.has_other(new, NOW + 5)
    held.learn(new, 401, None, NOW + 30)
    assert len(said) == 2


def test_a_changed_credential_never_sends_the_old_ones_token(clock: Clock) -> None:
    """Although the provider's name is the same."""
    table = table_at(clock)
    table.of(IBM)
    table.granted(Granted(credential_id(IBM), Bearer("old", UTC + 60)))
    refused(table, Ibm("changed"), NOW)


def test_only_what_the_configuration_names_is_kept(clock: Clock) -> None:
    """A token of no known credential is dropped, and so is what left the configuration."""
    table = table_at(clock)
    table.granted(Granted(credential_id(IBM), Bearer("too early", UTC + 60)))
    held = table.of(IBM)
    refused(table, IBM, NOW)
    table.adopt(snapshot(IBM))
    assert table.of(IBM) is held
    table.adopt(snapshot())
    assert table.of(IBM) is not held


def test_a_credential_of_a_provider_that_is_only_open_is_kept(clock: Clock) -> None:
    """Whose whole API may be asked for, and that no model names: its token comes into what its route holds."""
    table = table_at(clock)
    held = table.of(IBM)
    table.adopt(Snapshot(1, {}, open_providers=(Provider("p", "k", credential=IBM),)))
    table.granted(Granted(credential_id(IBM), Bearer("canary", UTC + 60)))
    assert secret(held) == "canary"
