from __future__ import annotations

import pytest

from gateline.formats.openai.choices import has_choice


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
