from __future__ import annotations

import json
from typing import Any

import pytest
from openai.types import Completion

from gateline.formats.call import read_call
from gateline.formats.openai.completion import CompletionWriter, read_completion, write_completion
from gateline.model.chat import Chat, Choice, Finish, Reasoning, Refusal, Text, ToolUse, Turn
from gateline.model.chatreply import ChatReply
from gateline.model.errors import BadRequest, UpstreamBroken
from gateline.wire.sse import EventSplitter, event_data
from tests.formats.openai.chats import USAGE, deltas_of, plain


def asked(**fields: Any) -> Chat:
    body = json.dumps({"model": "m", "prompt": "once", **fields}).encode()
    return read_completion(read_call(body, "completions"), body)


def test_a_prompt_is_a_users_turn() -> None:
    """What chat has too is carried; what it has not is named."""
    chat = asked(
        max_tokens=5, temperature=0.5, top_p=0.9, seed=7, stop="x", frequency_penalty=0.1, presence_penalty=0.2,
        logit_bias={"1": 1}, user="u", stream=True, stream_options={"include_usage": True},
        n=2, echo=True, suffix="s", best_of=3, logprobs=2,
    )  # fmt: skip
    assert chat == Chat(
        model="m", turns=[Turn(role="user", parts=[Text(text="once")])], max_tokens=5, temperature=0.5, top_p=0.9,
        seed=7, stop=["x"], frequency_penalty=0.1, presence_penalty=0.2, logit_bias={"1": 1.0}, user="u", stream=True,
        include_usage=True, unmapped=["n", "echo", "suffix", "best_of", "logprobs"],
    )  # fmt: skip
    assert asked(prompt=["once"]).turns == chat.turns


@pytest.mark.parametrize("prompt", [None, [], ["a", "b"], [1, 2], [[1, 2]], 5])
def test_other_prompts_are_refused(prompt: object) -> None:
    """Several prompts, tokens and none at all have no turn that says the same."""
    with pytest.raises(BadRequest) as caught:
        asked(prompt=prompt)
    assert caught.value.param == "prompt"


@pytest.mark.parametrize(
    ("finish", "reason"), [("stop", "stop"), ("length", "length"), ("filter", "content_filter"), ("tool", "stop")]
)
@pytest.mark.parametrize("include_usage", [True, False])
def test_a_reply_is_the_vendors_own_whole_and_streamed(finish: Finish, reason: str, include_usage: bool) -> None:
    """The official type takes the reply and every event, strictly; the texts of the events are the reply's."""
    reply = ChatReply(
        id="chatcmpl-1", model="x", created=7, usage=USAGE,
        choices=[Choice(
            parts=[Reasoning(text="hm"), Text(text="upon "), Refusal(text="a time"), ToolUse(id="a", name="f")],
            finish=finish,
        )],
    )  # fmt: skip
    chat = plain(stream=True, include_usage=include_usage)
    whole = Completion.model_validate_json(write_completion(reply, chat), strict=True)
    assert (whole.id, whole.object, whole.model, whole.choices[0].text) == (
        "cmpl-1", "text_completion", "m", "upon a time",
    )  # fmt: skip
    assert whole.choices[0].finish_reason == reason
    writer = CompletionWriter(chat, "req-1")
    stream = b"".join(writer.write([delta]) for delta in deltas_of(reply)) + writer.end()
    datas = [event_data(event) for event in EventSplitter().feed(stream)]
    assert datas.pop() == b"[DONE]"
    events = [json.loads(data or b"") for data in datas]
    for event in events:
        for choice in event["choices"]:
            if choice["finish_reason"] is None:  # the type of whole replies does not know it as yet to come
                choice["finish_reason"] = "stop"
        Completion.model_validate(event, strict=True)
        assert event["id"] == whole.id
    choices = [choice for event in events for choice in event["choices"]]
    assert "".join(choice["text"] for choice in choices) == whole.choices[0].text
    assert choices[-1]["finish_reason"] == reason
    assert (events[-1].get("usage") is not None) == include_usage
    assert whole.usage is not None
    assert whole.usage.prompt_tokens == USAGE.input


def test_a_broken_stream_ends_in_an_error() -> None:
    written = CompletionWriter(plain(stream=True), "req-1").fail(UpstreamBroken("it broke"), "req-1")
    assert b'"error"' in written
    assert b"[DONE]" not in written
