"""A credential in bytes that nobody understands is covered, and all else is as it was."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from gateline.formats.mask import Mask, masked

SECRET = "sk-sk-secret"
STARS = b"*" * len(SECRET)


@given(
    pieces=st.lists(st.sampled_from([SECRET.encode(), b"sk-", b"sk-sk-", b"s", b"k", b"x", b"secret"]), max_size=12),
    data=st.data(),
)
def test_however_it_is_cut(pieces: list[bytes], data: st.DataObject) -> None:
    """The same comes out as of the whole: as long as what went in, and without the credential."""
    body = b"".join(pieces)
    places = sorted(data.draw(st.sets(st.integers(0, len(body)), max_size=6)))
    mask = Mask(SECRET)
    shown = b"".join([mask.feed(body[start:stop]) for start, stop in pairwise([0, *places, len(body)])]) + mask.rest()
    assert shown == masked(body, SECRET) == body.replace(SECRET.encode(), STARS)


def test_only_its_beginning_waits() -> None:
    """What cannot be the credential is shown at once."""
    mask = Mask(SECRET)
    assert mask.feed(b"hello") == b"hello"
    assert mask.feed(b"data: sk-s") == b"data: "
    assert mask.feed(b"ound") == b"sk-sound"
    assert mask.rest() == b""


def test_what_is_short_is_no_secret() -> None:
    """A server without keys is often given some word for one."""
    assert masked(b"none of it", "none") == b"none of it"
    assert masked(b"none of it", "") == b"none of it"
