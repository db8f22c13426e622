from __future__ import annotations

from dataclasses import fields

from hypothesis import given
from hypothesis import strategies as st

from gateline.app.launch import Launch

words = st.text(max_size=20)
launches = st.builds(
    Launch,
    data_dir=words,
    config=words,
    host=words,
    port=st.integers(0, 65_535),
    workers=st.integers(1, 64),
    engines=st.lists(words, max_size=3).map(tuple),
    drain_delay=st.floats(0, 1_000),
    grace=st.floats(0, 1_000),
    tls_certificate=words,
    tls_key=words,
)


@given(launches)
def test_what_is_handed_over_arrives(launch: Launch) -> None:
    """The argument of a command line becomes the same launch again, in one line without a NUL."""
    text = launch.dump()
    assert Launch.load(text) == launch
    assert "\n" not in text
    assert "\x00" not in text


def test_it_carries_no_secret() -> None:
    """Anybody on the machine can read a command line: there is no field in it for a key or password."""
    names = {field.name for field in fields(Launch)} - {"tls_key"}  # a path
    assert not [name for name in names if any(word in name for word in ("key", "secret", "token", "password"))]
