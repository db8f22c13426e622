"""The chat model: real weights, real batching, OpenAI's JSON in and out."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from gateline.engine.refusal import Refused
from gateline.engine.text import TextStream

pytestmark = pytest.mark.local
CHAT = "/chat/completions"


@pytest.fixture(scope="module")
def chat_model() -> Any:
    pytest.importorskip("openvino_genai")
    from gateline.app.engine import CHAT_SOURCES, load_chat
    from gateline.store.datadir import cache_dir
    from gateline.store.weights import WeightsStore

    return load_chat(WeightsStore(cache_dir()).fetch(CHAT_SOURCES), cache_dir(), lambda _detail: None)


def ask(text: str = "What is the capital of France?", **fields: Any) -> dict[str, Any]:
    asked = {"model": "m", "messages": [{"role": "user", "content": text}], "temperature": 0, "max_tokens": 24}
    return asked | fields


Drive = Callable[..., dict[int, bytes]]


@pytest.fixture
def drive(chat_model: Any) -> Drive:
    """Admits all, steps until all have ended, gives each one's bytes."""

    def run(*bodies: dict[str, Any], path: str = CHAT) -> dict[int, bytes]:
        for key, body in enumerate(bodies):
            chat_model.admit(key, path, msgspec.json.encode(body))
        replies = dict.fromkeys(range(len(bodies)), b"")
        open_ = set(replies)
        while open_:
            for part in chat_model.step().parts:
                assert part.error == ""
                replies[part.key] += part.data
                if part.last:
                    open_.discard(part.key)
        return replies

    return run


def events(data: bytes) -> list[Any]:
    lines = data.decode().split("\n\n")
    assert lines[-2:] == ["data: [DONE]", ""]
    return [msgspec.json.decode(line.removeprefix("data: ")) for line in lines[:-2]]


def choice(data: bytes) -> Any:
    return msgspec.json.decode(data)["choices"][0]


def test_a_greedy_answer_is_the_same_streamed_and_whole(drive: Drive) -> None:
    """Its text, its usage and an event for each token."""
    whole = msgspec.json.decode(drive(ask())[0])
    assert "Paris" in whole["choices"][0]["message"]["content"]
    assert whole["choices"][0]["finish_reason"] == "stop"
    parts = events(drive(ask(stream=True, stream_options={"include_usage": True}))[0])
    assert parts.pop()["usage"] == whole["usage"]
    deltas = [part["choices"][0]["delta"] for part in parts]
    assert deltas[0]["role"] == "assistant"
    assert "".join([delta.get("content", "") for delta in deltas]) == whole["choices"][0]["message"]["content"]
    assert len(deltas) >= whole["usage"]["completion_tokens"]  # an event a token


def test_each_of_a_batch_gets_its_own_answer(drive: Drive) -> None:
    """Beside others a model may word it otherwise, since sums in another order round otherwise on some processors; it
    still answers what was asked."""
    others = [ask(f"Tell me about the number {number}.") for number in range(5)]
    batch = drive(ask(), ask(stream=True, stream_options={"include_usage": True}), *others)
    whole = msgspec.json.decode(batch[0])
    assert "Paris" in whole["choices"][0]["message"]["content"]
    parts = events(batch[1])
    usage = parts.pop()["usage"]
    text = "".join([part["choices"][0]["delta"].get("content", "") for part in parts])
    assert "Paris" in text
    assert usage["prompt_tokens"] == whole["usage"]["prompt_tokens"]


def test_max_tokens_end_an_answer_with_length(drive: Drive) -> None:
    answer = msgspec.json.decode(drive(ask("Tell me a long story.", max_tokens=5))[0])
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["usage"]["completion_tokens"] == 5


def test_a_stop_string_is_not_shown(drive: Drive) -> None:
    for stream in (False, True):
        data = drive(ask(stop=[" Par"], stream=stream))[0]
        if stream:
            parts = events(data)
            text = "".join([part["choices"][0]["delta"].get("content", "") for part in parts])
            finish = parts[-1]["choices"][0]["finish_reason"]
        else:
            text, finish = choice(data)["message"]["content"], choice(data)["finish_reason"]
        assert (text, finish) == ("The capital of France is", "stop")


def test_a_schema_gives_json_that_follows_it(drive: Drive) -> None:
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string", "maxLength": 20}, "million": {"type": "integer", "maximum": 99}},
        "required": ["city", "million"],
        "additionalProperties": False,
    }
    wanted = {"type": "json_schema", "json_schema": {"name": "city", "schema": schema, "strict": True}}
    answer = choice(drive(ask("Name a city as JSON.", response_format=wanted, max_tokens=80), ask())[0])
    found = msgspec.json.decode(answer["message"]["content"])
    assert set(found) == {"city", "million"}
    assert isinstance(found["city"], str)
    assert isinstance(found["million"], int)


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"$ref": "#/$defs/n", "$defs": {"n": {"type": "object", "properties": {"n": {"$ref": "#/$defs/n"}}}}},
        {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}},
        {"type": "array", "items": {"anyOf": [{"const": 3}, {"enum": ["x", None, True, 1.5]}]}, "minItems": 1},
        {"oneOf": [{"type": "integer", "minimum": -5, "exclusiveMaximum": 2}, {"type": ["string", "null"]}]},
        {"type": "number", "exclusiveMinimum": 0.5, "exclusiveMaximum": 0.6},
        {"type": "integer", "minimum": 2.0, "maximum": 2**53},
        {"type": "object", "additionalProperties": {"type": "string", "format": "date"}, "required": ["not a.b-c"]},
        {"enum": ["a!?,;'()+=*&%#<>", "_-. $@/:"]},
        {"properties": {"a b$@/:.-_": {"minimum": 1, "maxLength": 3}}},
    ],
)
def test_no_accepted_schema_breaks_the_step(drive: Drive, schema: dict[str, Any]) -> None:
    """A schema that the compiler chokes on would break the model for everybody."""
    wanted = {"type": "json_schema", "json_schema": {"name": "s", "schema": schema}}
    assert choice(drive(ask(response_format=wanted, max_tokens=2))[0])["finish_reason"] in {"stop", "length"}


def test_a_json_object_begins_as_one(drive: Drive) -> None:
    answer = choice(drive(ask("Give me a JSON object.", response_format={"type": "json_object"}))[0])
    assert answer["message"]["content"].lstrip().startswith("{")


def test_a_seed_repeats_an_answer(drive: Drive) -> None:
    """Once the prompt is cached: processors that compute in bfloat16 round it differently before."""

    def sample(seed: int) -> str:
        return str(choice(drive(ask("Tell me a story.", temperature=1.5, seed=seed))[0])["message"]["content"])

    sample(7)
    assert sample(7) == sample(7)
    assert len({sample(seed) for seed in range(4)}) > 1


def test_the_older_endpoint_continues_a_prompt(drive: Drive) -> None:
    body = {"model": "m", "prompt": "The capital of France is", "temperature": 0, "max_tokens": 3}
    assert "Paris" in choice(drive(body, path="/completions")[0])["text"]


def test_what_does_not_fit_the_context_is_refused_at_once(chat_model: Any) -> None:
    """By tokens, by what the answer may take, and by size alone when it is huge."""
    for body in (ask("word " * 9000), ask("hi", max_tokens=8190), ask("x" * 10_000_000)):
        with pytest.raises(Refused) as caught:
            chat_model.admit(1, CHAT, msgspec.json.encode(body))
        assert caught.value.code == "context_length_exceeded"
        assert "8192" in str(caught.value)
    with pytest.raises(Refused, match="empty"):
        chat_model.admit(1, "/completions", msgspec.json.encode({"prompt": ""}))


def test_a_cancelled_chat_is_not_computed_again(chat_model: Any) -> None:
    for key in (1, 2):
        chat_model.admit(key, CHAT, msgspec.json.encode(ask("Tell me a long story.", max_tokens=200)))
    while chat_model.step().batch < 2:
        pass
    chat_model.cancel(1)
    step = chat_model.step()
    assert step.batch == 1
    assert all(part.key == 2 for part in step.parts)
    chat_model.cancel(2)
    assert chat_model.step().batch == 0


@pytest.mark.parametrize(
    "text", ["plain words, 12 + 3", "héllo wörld", "日本語のテキスト", "🎉👩‍👩‍👧 ok", "a\n\n\tb  c"]
)
def test_token_bytes_are_what_the_tokenizer_decodes(chat_model: Any, text: str) -> None:
    tokenizer = chat_model._tokenizer
    ids = tokenizer.encode("<|im_start|>" + text + "<|im_end|>", add_special_tokens=False).input_ids.data[0].tolist()
    stream = TextStream(chat_model._pieces)
    shown = "".join([stream.push([token]) for token in ids]) + stream.finish()
    assert shown == tokenizer.decode(ids) == text


def test_a_request_the_cache_has_no_room_for_is_an_error(chat_model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The scheduler gives such a request up without a word; its caller gets 503."""
    ignored = chat_model._genai.GenerationStatus.IGNORED
    handle = SimpleNamespace(can_read=lambda: False, get_status=lambda: ignored, cancel=lambda: None)
    pipeline = SimpleNamespace(
        add_request=lambda *_: handle,
        has_non_finished_requests=lambda: False,
        get_metrics=lambda: SimpleNamespace(scheduled_requests=0),
    )
    monkeypatch.setattr(chat_model, "_pipeline", pipeline)
    chat_model.admit(1, CHAT, msgspec.json.encode(ask()))
    (part,) = chat_model.step().parts
    assert (part.status, part.last) == (503, True)
    assert b"no memory left" in part.data
