"""Whatever comes, whole or damaged, ends in an answer or in an error of ours."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateline.formats.call import read_call
from gateline.formats.openai.answer import write_reply
from gateline.formats.openai.chat_body import read_chat
from gateline.formats.openai.reply import read_reply
from gateline.model.errors import BadRequest, UpstreamError
from tests.formats.openai.chats import plain, read_stream, streamed
from tests.formats.openai.test_openai_chat_reader import STREAM
from tests.formats.openai.test_openai_chat_replies import REPLIES

BODY = json.dumps(
    {
        "model": "m",
        "messages": [
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png,%3C"}}]},
            {"role": "assistant", "content": None, "tool_calls": [{"id": "a", "function": {"name": "f"}}],
             "reasoning_details": [{"type": "reasoning.encrypted", "data": "x", "id": "a"}]},
            {"role": "tool", "content": "1", "tool_call_id": "a"},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
        "logit_bias": {"1": -1}, "stop": ["a"], "max_tokens": 5,
    }
).encode()  # fmt: skip
DAMAGE = st.lists(
    st.tuples(
        st.integers(0, 3000),
        st.integers(0, 3),
        st.binary(max_size=3) | st.sampled_from([b"null", b"1e999", b"{}", b"[]", b'""', b"\\ud83d", b"-5", b"\xff"]),
    ),
    min_size=1,
    max_size=3,
)


def damaged(data: bytes, damage: list[tuple[int, int, bytes]]) -> bytes:
    for at, length, put in damage:
        start = at % (len(data) + 1)
        data = data[:start] + put + data[start + length :]
    return data


@given(DAMAGE)
def test_a_damaged_stream_is_an_answer_or_an_error(damage: list[tuple[int, int, bytes]]) -> None:
    deltas, reader = read_stream(damaged(STREAM, damage))
    assert reader.done or isinstance(reader.error, UpstreamError)
    streamed(deltas, plain(stream=True))


@given(st.sampled_from(sorted(REPLIES)), DAMAGE)
def test_a_damaged_reply_is_an_answer_or_an_error(name: str, damage: list[tuple[int, int, bytes]]) -> None:
    body = damaged(write_reply(REPLIES[name], plain()), damage)
    try:
        found = read_reply(body, "")
    except UpstreamError:
        return
    assert write_reply(found, plain())


@given(DAMAGE)
@example([(0, 0, b"")])
def test_a_damaged_call_is_a_call_or_refused(damage: list[tuple[int, int, bytes]]) -> None:
    body = damaged(BODY, damage)
    try:
        call = read_call(body, "chat.completions")
        assert read_chat(call, body).turns
    except BadRequest:
        return


def test_an_error_that_cannot_be_read_is_one() -> None:
    """Bytes that are no text in the words of an error are no reason to take it for an answer."""
    with pytest.raises(UpstreamError, match="the upstream reported an error"):
        read_reply(b'{"error":{"message":"\xff"}}', "")


@pytest.mark.parametrize("created", [b"-4", b"1e90", b"null"])
def test_times_that_cannot_be_are_none(created: bytes) -> None:
    body = b'{"created":' + created + b',"choices":[{"message":{"content":"a"}}]}'
    assert read_reply(body, "").created == 0
