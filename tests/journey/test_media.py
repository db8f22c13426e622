"""The official OpenAI client asks a running gateway for what is no conversation: moderation, pictures and sound."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator
from typing import Any

import anthropic
import cohere
import httpx
import ollama
import openai
import pytest
from google import genai
from google.genai.types import HttpOptions

from tests.journey.gate import Gate, Row, settings
from tests.journey.memory import MIB, Bounded, linux_only, resident
from tests.journey.upstream import Upstream
from tests.journey.wire import Wire, request

WAV = ("a.wav", b"RIFF\r\n--x\r\n" + bytes(range(256)) * 20, "audio/wav")
PNG = ("a.png", b"\x89PNG\r\n\x1a\n", "image/png")
MODELS = {
    "guard": "omni-moderation-latest",
    "draw": "gpt-image-1",
    "old-draw": "dall-e-3",
    "hear": "gpt-4o-transcribe",
    "old-hear": "whisper-1",
    "hear-cut": "gpt-4o-transcribe@cut,after=3,tps=100",
    "hear-half": "gpt-4o-transcribe@no_done,tps=100",
    "hear-error": "gpt-4o-transcribe@error_event,after=2,tps=100",
    "hear-busy": "gpt-4o-transcribe@status=503",
    "speak": "gpt-4o-mini-tts",
    "speak-cut": "gpt-4o-mini-tts@cut,after=3",
}


@pytest.fixture(scope="module")
def gate(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    provider = {"kind": "openai", "base_url": upstream.url, "api_key": "sk-of-the-provider", "passthrough": True}
    models: dict[str, Any] = {
        name: {"targets": [{"provider": "media", "model": model}]} for name, model in MODELS.items()
    }
    models["hear-anyway"] = {**models["hear-busy"], "fallbacks": ["hear"]}
    claude = {**provider, "kind": "anthropic"}
    gemini = {**provider, "kind": "gemini", "base_url": upstream.url.replace("/v1", "/v1beta")}
    root = upstream.url.removesuffix("/v1")
    others = {name: {**provider, "kind": name, "base_url": root} for name in ("cohere", "ollama")}
    providers = {"media": provider, "claude": claude, "gemini": gemini, **others}
    configured = settings(upstream.url, providers=providers, models=models, retry={"attempts": 1})
    with Gate(tmp_path_factory.mktemp("gate"), configured) as running:
        yield running


@pytest.fixture
def client(gate: Gate) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key=gate.token, base_url=gate.url, max_retries=0) as made:
        yield made


def last(gate: Gate) -> Row:
    return gate.records()[-1]


def parts_of(row: Row) -> dict[str, int]:
    """What the last attempt used, as the provider counted it; only what is not nought."""
    return {name: count for name, count in (row["attempts"][-1]["usage"] or {}).items() if count}


def test_a_text_is_moderated(client: openai.OpenAI, gate: Gate) -> None:
    """It costs no tokens that anybody counted."""
    made = client.moderations.create(model="guard", input=["kind words", "violent words"])
    assert [result.flagged for result in made.results] == [False, True]
    row = last(gate)
    assert (row["operation"], row["model"], row["status"]) == ("moderations", "guard", 200)
    assert (row["usage_source"], row["input_tokens"], row["cost"]) == ("none", None, None)


def test_a_picture_is_drawn_and_billed(client: openai.OpenAI, gate: Gate, upstream: Upstream) -> None:
    """By tokens where the vendor counts them; by the picture means unknown here."""
    made = client.images.generate(model="draw", prompt="a train", n=2)
    assert made.data is not None
    assert made.usage is not None
    assert [b64decode(one.b64_json or "")[:4] for one in made.data] == [b"\x89PNG"] * 2
    row = last(gate)
    (line,) = [line for line in upstream.lines() if line.id == row["id"]]
    assert line.reported is not None
    assert parts_of(row) == {
        "input": made.usage.input_tokens, "output": made.usage.output_tokens, "output_image": made.usage.output_tokens,
    }  # fmt: skip
    assert row["cost"] == made.usage.input_tokens * 5_000 + made.usage.output_tokens * 40_000
    older = client.images.generate(model="old-draw", prompt="a train")
    assert older.data is not None
    assert older.data[0].url
    assert (last(gate)["usage_source"], last(gate)["cost"]) == ("none", None)


def test_a_picture_is_edited(client: openai.OpenAI, gate: Gate, upstream: Upstream) -> None:
    """The form goes on with the target's model; the picture in it is read and billed as one."""
    made = client.images.edit(model="draw", prompt="red", image=[PNG, PNG])
    assert made.usage is not None
    assert made.usage.input_tokens_details.image_tokens == 200
    assert parts_of(last(gate))["input_image"] == 200
    heard = upstream.heard()
    assert b64decode(heard["body_base64"]).count(b"gpt-image-1") == 1
    assert dict(heard["headers"])["content-type"].startswith("multipart/form-data; boundary=")


@pytest.mark.parametrize("edit", [False, True])
def test_a_picture_comes_in_parts(client: openai.OpenAI, gate: Gate, edit: bool) -> None:
    """Each event as the vendor's own types have it; the usage is the last event's."""
    kinds: list[str]
    if edit:
        edited = client.images.edit(model="draw", prompt="red", image=PNG, stream=True, partial_images=1)
        kinds = [event.type for event in edited]
    else:
        drawn = client.images.generate(model="draw", prompt="red", stream=True, partial_images=1)
        kinds = [event.type for event in drawn]
    name = "image_edit" if edit else "image_generation"
    assert kinds == [f"{name}.partial_image", f"{name}.completed"]
    row = last(gate)
    assert (row["stream"], row["usage_source"], parts_of(row)["output_image"]) == (1, "provider", 272)


def test_sound_is_heard_in_every_form(client: openai.OpenAI, gate: Gate) -> None:
    """JSON and its tokens; text, subtitles and what is paid by the second, without any."""
    heard = client.audio.transcriptions.create(model="hear", file=WAV)
    assert parts_of(last(gate)) == {"input": 5, "output": 8, "input_audio": 5}
    forms: list[Any] = ["text", "srt", "vtt"]
    for form in forms:
        plain = client.audio.transcriptions.create(model="old-hear", file=WAV, response_format=form)
        assert heard.text.strip() in str(plain)
        row = last(gate)
        assert (row["status"], row["error"], row["usage_source"]) == (200, "", "none")
    verbose = client.audio.transcriptions.create(model="old-hear", file=WAV, response_format="verbose_json")
    assert (verbose.text, verbose.duration) == (heard.text, 4.0)
    assert last(gate)["usage_source"] == "none"


def test_sound_is_translated(client: openai.OpenAI, gate: Gate) -> None:
    """By the endpoint of its own."""
    with pytest.warns(DeprecationWarning, match="deprecated"):  # by the vendor, whose API still has it
        made = client.audio.translations.create(model="old-hear", file=WAV, response_format="verbose_json")
    assert made.duration == 4.0
    assert (last(gate)["operation"], last(gate)["status"]) == ("audio.translations", 200)


def test_a_transcript_comes_word_by_word(client: openai.OpenAI, gate: Gate) -> None:
    """And is the whole one in the end, with its usage on record."""
    whole = client.audio.transcriptions.create(model="hear", file=WAV)
    events = list(client.audio.transcriptions.create(model="hear", file=WAV, stream=True))
    assert "".join(event.delta for event in events if event.type == "transcript.text.delta") == whole.text
    assert events[-1].type == "transcript.text.done"
    row = last(gate)
    assert (row["stream"], parts_of(row)) == (1, {"input": 5, "output": 8, "input_audio": 5})


@pytest.mark.parametrize(
    ("model", "error"),
    [("hear-cut", "upstream_broken"), ("hear-half", "upstream_broken"), ("hear-error", "fake_error")],
)
def test_a_transcript_that_breaks_off_is_an_error(client: openai.OpenAI, gate: Gate, model: str, error: str) -> None:
    """To the client's library, behind the words that came, and on record."""
    events = client.audio.transcriptions.create(model=model, file=WAV, stream=True)
    assert next(events).type == "transcript.text.delta"
    with pytest.raises(openai.APIError):
        list(events)
    row = last(gate)
    assert (row["error"], row["usage_source"]) == (error, "none")


def test_a_form_falls_back(client: openai.OpenAI, gate: Gate, upstream: Upstream) -> None:
    """The same file, to another target."""
    client.audio.transcriptions.create(model="hear-anyway", file=WAV)
    row = last(gate)
    assert [attempt["status"] for attempt in row["attempts"]] == [503, 200]
    assert b64decode(upstream.heard()["body_base64"]).count(WAV[1]) == 1


def test_a_large_file_arrives_whole(client: openai.OpenAI, gate: Gate, upstream: Upstream) -> None:
    """12 MiB, which another process looks at for the worker, and which goes on byte for byte."""
    sound = bytes(range(251)) * (12 * MIB // 251)
    heard = client.audio.transcriptions.create(model="hear", file=("a.wav", sound, "audio/wav"))
    with openai.OpenAI(api_key="sk-of-mine", base_url=upstream.url, max_retries=0) as direct:
        same = direct.audio.transcriptions.create(model="gpt-4o-transcribe", file=("a.wav", sound, "audio/wav"))
    assert heard.text == same.text  # which hangs on every byte
    row = last(gate)
    assert row["bytes_in"] > len(sound)
    assert parts_of(row)["input_audio"] == len(sound) // 1_000


def test_speech_is_the_same_sound(client: openai.OpenAI, gate: Gate, upstream: Upstream) -> None:
    """Bytes as the vendor sends them, under its type, without usage; in events, with."""
    made = client.audio.speech.create(model="speak", voice="alloy", input="one two three", response_format="wav")
    assert (made.response.headers["content-type"], len(made.content)) == ("audio/wav", 3_072)
    assert (last(gate)["usage_source"], last(gate)["bytes_out"] > 3_072) == ("none", True)
    body = {"model": "speak", "voice": "alloy", "input": "one two three", "stream_format": "sse"}
    with Wire(gate.port) as wire:
        answer = wire.send(request("POST", "/v1/audio/speech", gate.token, json.dumps(body).encode())).answer()
    *deltas, done = [json.loads(line[6:]) for line in answer.body.decode().split("\n\n") if line]
    assert b"".join(b64decode(delta["audio"]) for delta in deltas) == made.content
    assert done["type"] == "speech.audio.done"
    row = gate.record(answer.id)
    assert parts_of(row) == {"input": done["usage"]["input_tokens"], "output": 3, "output_audio": 3}


def test_speech_that_breaks_off_is_no_whole_sound(client: openai.OpenAI, gate: Gate) -> None:
    """The connection says so, since the sound cannot."""
    with pytest.raises(openai.APIConnectionError):
        client.audio.speech.create(model="speak-cut", voice="alloy", input="one two three four five six")
    assert last(gate)["error"] == "upstream_broken"


@linux_only
def test_much_speech_takes_little_memory(client: openai.OpenAI, gate: Gate) -> None:
    """5 MiB for a client that lets it lie at first: the worker holds no more of it than of any other large reply, and
    answers others meanwhile."""
    gate.settle()
    body = {"model": "speak", "voice": "alloy", "input": "word " * (5 * 1_024)}
    (pid,) = gate.worker_pids()
    with Wire(gate.port) as wire, Bounded(pid, resident(pid), 4 * MIB):
        wire.send(request("POST", "/v1/audio/speech", gate.token, json.dumps(body).encode()))
        status, _ = wire.head()
        for _ in range(20):
            client.moderations.create(model="guard", input="kind words")
        taken = sum(len(piece) for piece in iter(wire.chunk, b""))
    assert (status, taken) == (200, 5 * MIB)


def test_a_providers_own_api_is_open(client: openai.OpenAI, gate: Gate) -> None:
    """Under the same key, on record; and shut where the configuration does not open it."""
    with openai.OpenAI(
        api_key=gate.token, base_url=gate.url.replace("/v1", "/passthrough/media"), max_retries=0
    ) as own:
        assert [model.id for model in own.models.list()]
        row = last(gate)
        assert (row["operation"], row["target"], row["status"]) == ("passthrough", "media/*", 200)
        heard = own.audio.transcriptions.create(model="gpt-4o-transcribe", file=WAV)
        assert heard.text == client.audio.transcriptions.create(model="hear", file=WAV).text
    with Wire(gate.port) as wire:
        answer = wire.send(request("GET", "/passthrough/up/models", gate.token)).answer()
    assert answer.status == 404


def test_libraries_that_bring_a_version_along(gate: Gate) -> None:
    """Base URLs end in it too: it is sent once."""
    root = gate.url.replace("/v1", "/passthrough")
    with anthropic.Anthropic(api_key=gate.token, base_url=f"{root}/claude", max_retries=0) as claude:
        said = claude.messages.create(
            model="claude-sonnet-5-5", max_tokens=64, messages=[{"role": "user", "content": "Hi"}]
        )
    assert said.content[0].type == "text"
    assert (last(gate)["target"], last(gate)["status"]) == ("claude/*", 200)
    with genai.Client(api_key=gate.token, http_options=HttpOptions(base_url=f"{root}/gemini")) as google:
        answer = google.models.generate_content(model="gemini-2.5-flash", contents="Hi")
    assert answer.text
    assert (last(gate)["target"], last(gate)["status"]) == ("gemini/*", 200)


def test_libraries_whose_base_url_has_no_version(gate: Gate) -> None:
    """Their own paths are appended as they are; OpenAI's library brings no version, and may be given one."""
    root = gate.url.replace("/v1", "/passthrough")
    turns = [{"role": "user", "content": "Hi"}]
    for base in (f"{root}/media", f"{root}/media/v1"):
        with openai.OpenAI(api_key=gate.token, base_url=base, max_retries=0) as plain:
            assert plain.chat.completions.create(model="gpt-4o", messages=turns).choices  # type: ignore[arg-type]
        assert (last(gate)["target"], last(gate)["status"]) == ("media/*", 200)
    with httpx.Client() as http:
        client = cohere.ClientV2(gate.token, base_url=f"{root}/cohere", max_retries=0, httpx_client=http)
        said = client.chat(model="command-a-03-2025", messages=[cohere.UserChatMessageV2(content="Hi")])
    assert said.message.content
    assert (last(gate)["target"], last(gate)["status"]) == ("cohere/*", 200)
    with ollama.Client(host=f"{root}/ollama", headers={"authorization": f"Bearer {gate.token}"}) as local:
        assert local.chat(model="llama3.2", messages=turns).message.content
    assert (last(gate)["target"], last(gate)["status"]) == ("ollama/*", 200)


@pytest.mark.parametrize("prefix", ["", "/cohere"])
def test_coheres_library_lists_models(gate: Gate, prefix: str) -> None:
    """With and without the prefix, all of them and one."""
    with httpx.Client() as http:
        origin = gate.url.removesuffix("/v1") + prefix
        client = cohere.ClientV2(gate.token, base_url=origin, max_retries=0, httpx_client=http)
        assert {"speak", "draw"} & {model.name for model in client.models.list().models}
        assert client.models.get("speak").name == "speak"
