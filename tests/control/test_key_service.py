"""Keys as their owner makes them: the token once, the hash for ever."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from gateline.control.keys import BadKey, Keys, KeyWish, UnknownKey, described
from gateline.model.key import key_hash
from gateline.store.migrations import migrate
from gateline.store.sql.base import connect

PEPPER = bytes(32)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    migrate(tmp_path / "gateline.db")
    engine = connect(tmp_path / "gateline.db")
    yield engine
    engine.dispose()


@pytest.fixture
def keys(engine: Engine) -> Keys:
    return Keys(engine, PEPPER)


def test_a_token_is_long_random_and_stored_only_as_a_keyed_hash(keys: Keys, engine: Engine, tmp_path: Path) -> None:
    token, key = keys.create(KeyWish(name="bob", models=("gpt-4o",), requests_per_minute=5, concurrency=2))
    assert re.fullmatch(r"sk-gl-[A-Za-z0-9_-]{43}", token)
    assert key.hash == key_hash(token.encode(), PEPPER)
    assert key.hash != key_hash(token.encode(), b"\1" * 32)
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert token.encode() not in stored
    assert key.hash.hex() not in str(described(key))


def test_the_first_key_is_made_once_and_is_an_admins(keys: Keys) -> None:
    assert keys.create_first() is not None
    assert keys.create_first() is None
    (stored,) = keys.list_keys()
    assert (stored.key.name, stored.key.admin) == ("first", True)


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        (KeyWish(name=""), "name"),
        (KeyWish(name="a\nb"), "name"),
        (KeyWish(name="x" * 201), "name"),
        (KeyWish(name="x", tenant="a/b"), "tenant"),
        (KeyWish(name="x", requests_per_minute=0), "requests_per_minute"),
        (KeyWish(name="x", concurrency=-1), "concurrency"),
        (KeyWish(name="x", models=()), "models"),
        (KeyWish(name="x", models=("a b",)), "models"),
    ],
)
def test_a_wish_that_makes_no_sense_is_refused(keys: Keys, wish: KeyWish, field: str) -> None:
    with pytest.raises(BadKey, match=f"^{field}: "):
        keys.create(wish)
    assert keys.list_keys() == []


def test_a_revoked_key_stays_in_the_list_and_stays_revoked(keys: Keys) -> None:
    _, key = keys.create(KeyWish(name="bob"))
    assert keys.revoke(key.id).revoked
    assert keys.revoke(key.id).revoked
    (stored,) = keys.list_keys()
    assert stored.revoked_at is not None
    with pytest.raises(UnknownKey):
        keys.revoke("key_none")


def test_pages_hold_every_key_once(keys: Keys) -> None:
    made = [key.id for _, key in keys.create_all([KeyWish(name=f"n{n}") for n in range(25)])]
    seen: list[str] = []
    after = -1
    while page := keys.list_keys(after, limit=10):
        seen += [stored.key.id for stored in page]
        after = page[-1].key.slot
    assert seen == made
