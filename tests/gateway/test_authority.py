"""With what requests to a target go out: a key in turn, a token, a signature over the whole request, or nothing."""

from __future__ import annotations

from hashlib import sha256

import pytest

from gateline.gateway import authority
from gateline.gateway.authority import NOBODY, Authority, seats_of
from gateline.gateway.keyring import Keyring
from gateline.gateway.tokens import Held
from gateline.model.errors import Unavailable, UpstreamRefused
from gateline.model.snapshot import Provider
from gateline.model.token import AwsKeys, Bearer
from gateline.providers.sigv4 import sign

NOW = 500.0
UTC = 1_764_547_200.0
TWO = Provider("house", "openai", api_key="one", api_keys=("two",))


def test_keys_are_header_lines_of_the_vendors() -> None:
    """In their order; without a key, or use for one, there is none."""
    assert [(seat.lines, seat.secret) for seat in seats_of(TWO, "x-api-key")] == [
        (b"x-api-key: one\r\n", "one"),
        (b"x-api-key: two\r\n", "two"),
    ]
    assert [seat.lines for seat in seats_of(TWO, "bearer")] == [
        b"Authorization: Bearer one\r\n",
        b"Authorization: Bearer two\r\n",
    ]
    assert seats_of(TWO, "none") == []
    assert seats_of(Provider("p", "k"), "bearer") == []


def test_another_key_is_worth_a_try_while_one_is_ready() -> None:
    seats = seats_of(TWO, "bearer")
    ring = Keyring("house", seats)
    access = Authority(ring)
    assert access.spare == 1
    assert access.seat(NOW) is seats[0]
    access.learn(seats[0], 401, None, NOW, None)
    assert access.has_other(seats[0], NOW)
    assert not access.has_other(seats[1], NOW)
    access.learn(seats[1], 429, 7.0, NOW, None)
    assert not access.has_other(seats[1], NOW)
    with pytest.raises(UpstreamRefused) as caught:
        access.seat(NOW)
    assert (caught.value.status, caught.value.retry_after) == (429, 7.0)


def test_a_lone_key_has_no_other() -> None:
    access = Authority(Keyring("p", seats_of(Provider("p", "k", api_key="one"), "bearer")))
    assert access.lone is not None
    assert not access.has_other(access.lone, NOW)
    assert access.seat(NOW) is access.lone


def test_a_token_is_used_while_it_is_good() -> None:
    held = Held(Bearer("canary"), NOW, lambda _: None)
    access = Authority(held)
    seat = access.seat(NOW)
    assert seat is not None
    assert (seat.lines, seat.secret) == (b"Authorization: Bearer canary\r\n", "canary")
    assert (access.lone, access.signs, access.signature(seat, b"POST", "/v1/x", [b"{}"])) == (None, False, b"")
    held.take(None, "iam answered 401", NOW)
    with pytest.raises(Unavailable, match="iam answered 401"):
        access.seat(NOW)


def test_a_signature_is_over_the_request_as_it_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Path and query apart, and the body in whatever pieces it goes out."""
    monkeypatch.setattr(authority, "time", lambda: UTC)
    keys = AwsKeys("AKIA", "secret", "session")
    access = Authority(Held(keys, NOW), host="h.example", region="eu-west-3")
    assert access.signs
    assert access.lone is not None
    lines = access.signature(access.lone, b"POST", "/model/a%3A0/converse?x=1", [b'{"a"', memoryview(b":1}")])
    digest = sha256(b'{"a":1}').hexdigest()
    expected = sign("POST", "h.example", "/model/a%3A0/converse", digest, keys, "eu-west-3", "bedrock", UTC, "x=1")
    assert lines == expected
    assert access.lone.secret == "session"


def test_nobodys_authority_is_nothing() -> None:
    assert NOBODY.seat(NOW) is None
    assert not NOBODY.has_other(None, NOW)
