"""Answers in OpenAI's shapes."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
import pytest

from gateline.engine.chatreply import EventReply, WholeReply

TEXTS = ["Hel", "", 'lo "you"\n', "🙂"]


def _events(data: bytes) -> list[Any]:
    lines = data.decode().split("\n\n")
    assert lines[-2:] == ["data: [DONE]", ""]
    return [msgspec.json.decode(line.removeprefix("data: ")) for line in lines[:-2]]


@pytest.mark.parametrize("shape", ["chat", "completion"])
@pytest.mark.parametrize("usage", [True, False])
def test_an_assembled_stream_is_the_whole_answer(shape: Literal["chat", "completion"], usage: bool) -> None:
    whole = WholeReply(shape, "id-1", 7, "m")
    stream = EventReply(shape, "id-1", 7, "m", include_usage=usage)
    data = b"".join([stream.grow(text) for text in TEXTS]) + stream.end("stop", 3, 4)
    for text in TEXTS:
        assert whole.grow(text) == b""
    answer = msgspec.json.decode(whole.end("stop", 3, 4))
    events = _events(data)
    if usage:
        last = events.pop()
        assert last["choices"] == []
        assert last["usage"] == answer["usage"] == {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
        assert all(event["usage"] is None for event in events)
    else:
        assert all("usage" not in event for event in events)
    assert {(event["id"], event["created"], event["model"]) for event in events} == {("id-1", 7, "m")}
    choices = [event["choices"][0] for event in events]
    if shape == "chat":
        assert choices[0]["delta"] == {"role": "assistant", "content": ""}
        message = {"role": "assistant", "content": "".join([c["delta"].get("content", "") for c in choices])}
        assert message == answer["choices"][0]["message"]
    else:
        assert "".join([choice["text"] for choice in choices]) == answer["choices"][0]["text"]
    assert [choice["finish_reason"] for choice in choices[:-1]] == [None] * (len(choices) - 1)
    assert choices[-1]["finish_reason"] == answer["choices"][0]["finish_reason"] == "stop"


def test_an_empty_answer_still_has_its_role() -> None:
    stream = EventReply("chat", "id", 0, "m", include_usage=False)
    deltas = [event["choices"][0]["delta"] for event in _events(stream.end("length", 1, 0))]
    assert deltas == [{"role": "assistant", "content": ""}, {}]


@pytest.mark.parametrize("usage", [True, False])
def test_the_official_clients_types_take_every_shape(usage: bool) -> None:
    """Strictly: a missing or mistyped field is an error here, where the client itself would pass it on."""
    from openai.types import Completion
    from openai.types.chat import ChatCompletion, ChatCompletionChunk

    shapes: list[tuple[Literal["chat", "completion"], Any, Any]] = [
        ("chat", ChatCompletion, ChatCompletionChunk),
        ("completion", Completion, None),
    ]
    for shape, whole_type, event_type in shapes:
        whole = WholeReply(shape, "id", 7, "m")
        whole.grow("text")
        whole_type.model_validate_json(whole.end("stop", 3, 4))
        stream = EventReply(shape, "id", 7, "m", include_usage=usage)
        for event in _events(stream.grow("text") + stream.end("length", 3, 4)):
            if event_type is not None:
                event_type.model_validate(event, strict=True)
