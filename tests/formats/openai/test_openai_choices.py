from __future__ import annotations

import pytest

from gateline.formats.openai.choices import glance, has_choice
from gateline.model.usage import Usage


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"choices":[{"index":0}]}', True),
        (b'{"choices": [{"index":0}]}', True),
        (b'{ "choices" : [ {} ] }', True),
        (b'{"choices":7}', True),
        (b"{}", False),
        (b'{"choices":[],"usage":{"prompt_tokens":4}}', False),
        (b'{"choices":null}', False),
        (b'{"id":"a"}', False),
    ],
)
def test_a_reply_with_a_choice_is_an_answer(body: bytes, expected: bool) -> None:
    """However it is spaced; what is not even the format's is for the client to judge."""
    assert has_choice(body) is expected


_USED = b'"usage":{"prompt_tokens":7,"completion_tokens":3}'


def test_a_usual_reply_is_known_at_a_glance() -> None:
    """All of it is read once: an answer, its usage, no error, and JSON to the last brace."""
    assert glance(b'{"id":"a","choices":[{"index":0,"message":{"content":"}"}}],%b}' % _USED) == Usage(7, 3)


@pytest.mark.parametrize(
    "body",
    [
        b"{%b}" % _USED,
        b'{"choices":[],%b}' % _USED,
        b'{"choices":[{}]}',
        b'{"choices":[{}],"usage":null}',
        b'{"choices":[{}],"usage":{"prompt_tokens":-1}}',
        b'{"choices":[{}],"usage":{"total_tokens":9}}',
        b'{"choices":[{}],"error":null,%b}' % _USED,
        b'{"choices":[{}],"error":{"message":"no"},%b}' % _USED,
        b'{"choices":[{}],%b,"cut":{"a":1}' % _USED,
        b'{"choices":[{}],%b}{' % _USED,
        b'{"choices":[7],%b}' % _USED,
        b"[" * 100_000,
        b"",
    ],
)
def test_whatever_is_unusual_needs_a_closer_look(body: bytes) -> None:
    """A reply without usage too: that may stand elsewhere."""
    assert glance(body) is None
