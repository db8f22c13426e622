"""The tokens a worker holds: by credential, until they expire, never longer than the configuration names them."""

from __future__ import annotations

import pytest

from gateline.gateway import tokens
from gateline.gateway.tokens import TokenTable
from gateline.model.credential import Aws, Credential, Ibm, credential_id
from gateline.model.errors import Unavailable
from gateline.model.feed import Granted
from gateline.model.snapshot import Model, Provider, Snapshot, Target
from gateline.model.token import AwsKeys, Bearer
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


def refused(table: TokenTable, credential: Credential, now: float) -> str:
    with pytest.raises(Unavailable) as caught:
        table.of(credential).check(now)
    assert caught.value.retry_after == 1
    assert caught.value.status == 503
    return str(caught.value)


def test_before_the_first_token_the_reason_is_told(clock: Clock) -> None:
    """Once the control process has said why there is none, in its words."""
    table = TokenTable(clock)
    assert "has not brought one" in refused(table, IBM, NOW)
    table.granted(Granted(credential_id(IBM), None, "iam answered 401"))
    assert refused(table, IBM, NOW) == "There is no token for the upstream yet: iam answered 401."


def test_a_bearer_is_a_header_line_until_it_expires(clock: Clock) -> None:
    """By the monotonic clock, in case the wall's is set while it is held."""
    table = TokenTable(clock)
    held = table.of(IBM)
    table.granted(Granted(credential_id(IBM), Bearer("canary", UTC + 60)))
    held.check(NOW + 59.9)
    assert (held.line, held.secret, held.aws) == (b"Authorization: Bearer canary\r\n", "canary", None)
    assert "canary" not in repr(held)
    assert "has expired" in refused(table, IBM, NOW + 60)


def test_a_new_token_comes_into_the_object_that_targets_hold(clock: Clock) -> None:
    table = TokenTable(clock)
    held = table.of(IBM)
    for value in ("one", "two"):
        table.granted(Granted(credential_id(IBM), Bearer(value, UTC + 60)))
        assert table.of(IBM) is held
        assert held.secret == value
    table.granted(Granted(credential_id(IBM), None, "gone"))
    assert (held.line, held.secret) == (b"", "")


def test_keys_of_aws_that_are_given_need_nobody(clock: Clock) -> None:
    """They sign from the first request on, whatever the control process does; with a role they wait for its keys."""
    table = TokenTable(clock)
    held = table.of(Aws("r", "AKIA", "canary"))
    held.check(NOW)
    assert (held.aws, held.secret) == (AwsKeys("AKIA", "canary"), "canary")
    role = Aws("r", "AKIA", "canary", role_arn="arn")
    refused(table, role, NOW)
    table.granted(Granted(credential_id(role), AwsKeys("ASIA", "s", "session", UTC + 60)))
    table.of(role).check(NOW)
    assert table.of(role).secret == "session"


def test_a_changed_credential_never_sends_the_old_ones_token(clock: Clock) -> None:
    """Although the provider's name is the same."""
    table = TokenTable(clock)
    table.of(IBM)
    table.granted(Granted(credential_id(IBM), Bearer("old", UTC + 60)))
    refused(table, Ibm("changed"), NOW)


def test_only_what_the_configuration_names_is_kept(clock: Clock) -> None:
    """A token of no known credential is dropped, and so is what left the configuration."""
    table = TokenTable(clock)
    table.granted(Granted(credential_id(IBM), Bearer("too early", UTC + 60)))
    held = table.of(IBM)
    refused(table, IBM, NOW)
    table.adopt(snapshot(IBM))
    assert table.of(IBM) is held
    table.adopt(snapshot())
    assert table.of(IBM) is not held


def test_a_credential_of_a_provider_that_is_only_open_is_kept(clock: Clock) -> None:
    """Whose whole API may be asked for, and that no model names: its token comes into what its route holds."""
    table = TokenTable(clock)
    held = table.of(IBM)
    table.adopt(Snapshot(1, {}, open_providers=(Provider("p", "k", credential=IBM),)))
    table.granted(Granted(credential_id(IBM), Bearer("canary", UTC + 60)))
    assert held.secret == "canary"
