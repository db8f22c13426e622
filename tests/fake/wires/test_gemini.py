"""The fake as Gemini: what the official client gets from it, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from google import genai
from google.genai import errors, types
from google.genai.client import AsyncClient

from gateline.fake.script import Script
from gateline.fake.server import FakeProvider
from tests.fake.wires.stage import SCHEMA, billed_twice, play, post

TOOL: Any = {"function_declarations": [{"name": "weather", "description": "d", "parameters_json_schema": SCHEMA}]}
HI: Any = [{"role": "user", "parts": [{"text": "hi"}]}]
PATH = "/v1beta/models/gemini-x:generateContent"


@asynccontextmanager
async def client(fake: FakeProvider, key: str = "any") -> AsyncIterator[AsyncClient]:
    """Over httpx: its other transport is deprecated by its own library, and a warning is an error here."""
    async with httpx.AsyncClient(trust_env=False) as transport:
        options = types.HttpOptions(base_url=fake.origin, httpx_async_client=transport)
        yield genai.Client(api_key=key, http_options=options).aio


def joined(chunks: list[types.GenerateContentResponse]) -> dict[str, Any]:
    """What the chunks of one candidate add up to."""
    made: dict[str, Any] = {"text": "", "thought": "", "calls": [], "signatures": [], "finish": None, "grounding": None}
    for chunk in chunks:
        for candidate in chunk.candidates or []:
            made["finish"] = candidate.finish_reason or made["finish"]
            made["grounding"] = candidate.grounding_metadata or made["grounding"]
            for part in (candidate.content and candidate.content.parts) or []:
                if part.function_call:
                    made["calls"].append((part.function_call.name, part.function_call.args))
                if part.thought_signature:
                    made["signatures"].append(part.thought_signature)
                made["thought" if part.thought else "text"] += part.text or ""
    return {**made, "usage": chunks[-1].usage_metadata}


@pytest.mark.parametrize(
    "cue",
    [
        "tokens=8",
        "tools=1",
        "tools=2,arguments=none",
        "tools,tokens=3",
        "reasoning_text",
        "reasoning_text=hidden",
        "reasoning_text,tools=2",
        "refusal",
        "citations",
        "json",
        "finish=length",
        "split",
        "cached=1,reasoning=4",
    ],
)
def test_a_stream_adds_up_to_the_whole_response(cue: str) -> None:
    """Text, thoughts, calls, signatures, finish reason, grounding and usage are the same either way."""

    async def story(fake: FakeProvider) -> None:
        asked: Any = {"model": f"gemini-x@{cue}", "contents": HI, "config": {"tools": [TOOL]}}
        async with client(fake) as api:
            whole = await api.models.generate_content(**asked)
            chunks = [chunk async for chunk in await api.models.generate_content_stream(**asked)]
        assert joined(chunks) == joined([whole])
        billed = billed_twice(fake)
        usage = whole.usage_metadata
        assert usage is not None
        assert billed.input == usage.prompt_token_count
        assert billed.output == (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0)
        assert {line.model for line in fake.invoice.lines()} == {"gemini-x"}

    play(story)


def test_the_json_array_has_the_objects_of_the_events() -> None:
    """Without alt=sse the same objects come as one array."""

    async def story(fake: FakeProvider) -> None:
        path, asked = "/v1beta/models/m:streamGenerateContent", {"contents": HI}
        _, headers, array = await post(fake, path, asked)
        _, _, events = await post(fake, f"{path}?alt=sse", asked)
        assert headers["content-type"] == "application/json"
        parsed = [json.loads(line[6:]) for line in events.split(b"\r\n") if line.startswith(b"data: ")]
        assert json.loads(array) == parsed
        assert len(parsed) == 17
        _, _, broken = await post(fake, "/v1beta/models/m@error_event,after=2:streamGenerateContent", asked)
        assert json.loads(broken)[-1]["error"]["status"] == "UNAVAILABLE"
        _, _, short = await post(fake, "/v1beta/models/m@no_done:streamGenerateContent", asked)
        with pytest.raises(json.JSONDecodeError):
            json.loads(short)

    play(story)


def turns(content: Any, result: str = "sunny") -> list[Any]:
    calls = [part["functionCall"] for part in content["parts"] if "functionCall" in part]
    answers = [{"functionResponse": {"name": call["name"], "response": {"result": result}}} for call in calls]
    return [*HI, content, {"role": "user", "parts": answers}]


def test_a_call_comes_back_with_its_signature_or_is_refused() -> None:
    """Gemini 3 wants the signature of the current turn's first call, and no other's; the documented skip passes."""

    async def story(fake: FakeProvider) -> None:
        path = "/v1beta/models/gemini-3-pro@tools=2:generateContent"
        config = {"tools": [TOOL]}
        status, _, body = await post(fake, path, {"contents": HI, **config})
        content = json.loads(body)["candidates"][0]["content"]
        assert [("thoughtSignature" in part) for part in content["parts"]] == [True, False]

        async def again(signature: str | None) -> tuple[int, str]:
            first, second = content["parts"]
            kept = {name: value for name, value in first.items() if name != "thoughtSignature"}
            signed = kept if signature is None else {**kept, "thoughtSignature": signature}
            sent = {"contents": turns({"role": "model", "parts": [signed, second]}), **config}
            status, _, body = await post(fake, path, sent)
            return status, str(json.loads(body).get("error", {}).get("message"))

        own = content["parts"][0]["thoughtSignature"]
        assert (await again(own))[0] == 200
        assert (await again("skip_thought_signature_validator"))[0] == 200
        status, message = await again(None)
        assert (status, "missing a thought_signature" in message) == (400, True)
        for wrong in (own[:-4], "EqoB" + own[4:], own[:8] + "AAAA" + own[12:], "x"):
            assert await again(wrong) == (400, "Thought signature is not valid.")
        moved = {"role": "model", "parts": [content["parts"][1], {**content["parts"][0]}]}
        assert (await post(fake, path, {"contents": turns(moved), **config}))[0] == 400
        older = path.replace("gemini-3", "gemini-2.5")
        unsigned = {"role": "model", "parts": [content["parts"][1], content["parts"][1]]}
        assert (await post(fake, older, {"contents": turns(unsigned), **config}))[0] == 200

    play(story)


def test_the_official_client_brings_signatures_back() -> None:
    """Its chat keeps them through a turn with tools and thoughts."""

    async def story(fake: FakeProvider) -> None:
        config = types.GenerateContentConfig(tools=[TOOL], thinking_config=types.ThinkingConfig(include_thoughts=True))
        async with client(fake) as api:
            chat = api.chats.create(model="gemini-3-pro@tools=2", config=config)
            first = await chat.send_message("hi")
            assert first.function_calls is not None
            results: Any = [
                types.Part.from_function_response(name=c.name or "", response={"r": 1}) for c in first.function_calls
            ]
            second = await chat.send_message(results)
            assert second.text
            assert (await chat.send_message("and now?")).function_calls

    play(story)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"messages": []}, 'Unknown name "messages": Cannot find field.'),
        ({"generationConfig": {"max_tokens": 3}}, "at 'generation_config'"),
        ({"contents": []}, "contents is not specified"),
        ({"contents": [{"role": "assistant", "parts": [{"text": "a"}]}]}, "Please use a valid role: user, model."),
        ({"contents": [{"role": "user", "parts": []}]}, "parts must not be empty"),
        ({"contents": [{"role": "user", "parts": [{"thought": True}]}]}, "must have one initialized field"),
        (
            {"contents": [{"role": "user", "parts": [{"functionResponse": {"name": "a", "response": {}}}]}]},
            "immediately after a function call turn",
        ),
        (
            {"contents": [*HI, {"role": "model", "parts": [{"functionCall": {"name": "a"}}]}, *HI]},
            "number of function response parts is equal",
        ),
        (
            {
                "tools": [
                    {"functionDeclarations": [{"name": "a", "parameters": {**SCHEMA, "additionalProperties": False}}]}
                ]
            },
            "function_declarations[0].parameters': Cannot find field.",
        ),
        ({"generationConfig": {"candidateCount": 9}}, "candidate_count"),
        ({"generationConfig": {"responseSchema": SCHEMA}}, "application/json"),
    ],
)
def test_what_google_refuses_is_refused(change: dict[str, Any], message: str) -> None:
    """400, INVALID_ARGUMENT, and the field's place."""

    async def story(fake: FakeProvider) -> None:
        status, _, body = await post(fake, PATH, {"contents": HI, **change})
        error = json.loads(body)["error"]
        assert (status, error["code"], error["status"]) == (400, 400, "INVALID_ARGUMENT")
        assert message in error["message"]

    play(story)


def test_names_in_snake_case_and_schemas_in_capitals_are_understood() -> None:
    """Protocol buffers read both spellings; a schema's answer fits it."""

    async def story(fake: FakeProvider) -> None:
        schema = {"type": "OBJECT", "properties": {"is_open": {"type": "BOOLEAN"}}, "required": ["is_open"]}
        config = {"response_mime_type": "application/json", "response_schema": schema, "max_output_tokens": 99}
        _, _, body = await post(fake, PATH, {"contents": HI, "generation_config": config})
        text = json.loads(body)["candidates"][0]["content"]["parts"][0]["text"]
        assert list(json.loads(text)) == ["is_open"]

    play(story)


def test_counts_embeddings_and_models() -> None:
    """countTokens agrees with the usage; one embedding or several; the list of models in Google's form."""

    async def story(fake: FakeProvider) -> None:
        async with client(fake) as api:
            made = await api.models.generate_content(model="m", contents=HI)
            counted = await api.models.count_tokens(model="m", contents=HI)
            assert made.usage_metadata is not None
            assert counted.total_tokens == made.usage_metadata.prompt_token_count
            texts: Any = ["a", "b"]
            vectors = await api.models.embed_content(
                model="e", contents=texts, config=types.EmbedContentConfig(output_dimensionality=8)
            )
            assert [len(v.values or []) for v in vectors.embeddings or []] == [8, 8]
            _, _, one = await post(fake, "/v1beta/models/e:embedContent", {"content": {"parts": [{"text": "a"}]}})
            assert len(json.loads(one)["embedding"]["values"]) == 3072
            assert (await anext(aiter(await api.models.list()))).name == "models/gpt-4o"

    play(story)


def test_vertex_embeds_by_prediction() -> None:
    """One prediction for each instance, with the tokens that the invoice has."""

    async def story(fake: FakeProvider) -> None:
        path = "/v1/projects/p/locations/l/publishers/google/models/text-embedding-x:predict"
        asked = {"instances": [{"content": "abcd"}, {"content": "e"}], "parameters": {"outputDimensionality": 4}}
        _, _, body = await post(fake, path, asked)
        made = [one["embeddings"] for one in json.loads(body)["predictions"]]
        assert [(len(one["values"]), one["statistics"]["token_count"]) for one in made] == [(4, 1), (4, 1)]
        (line,) = fake.invoice.lines()
        assert line.reported is not None
        assert line.reported.input == 2

    play(story)


def test_keys_come_in_googles_places() -> None:
    """A header or the query; Vertex wants a bearer token."""

    async def story(fake: FakeProvider) -> None:
        async with client(fake, "right") as api:
            await api.models.generate_content(model="m", contents=HI)
        with pytest.raises(errors.ClientError, match="API key not valid") as refused:
            async with client(fake, "wrong") as api:
                await api.models.generate_content(model="m", contents=HI)
        assert (refused.value.code, refused.value.status) == (400, "INVALID_ARGUMENT")
        assert (await post(fake, f"{PATH}?key=right", {"contents": HI}))[0] == 200
        assert (await post(fake, PATH, {"contents": HI}, authorization="Bearer right"))[0] == 400
        vertex = "/v1/projects/p/locations/l/publishers/google/models/gemini-x:generateContent"
        assert (await post(fake, vertex, {"contents": HI}, authorization="Bearer right"))[0] == 200
        assert (await post(fake, vertex, {"contents": HI}, x_goog_api_key="right"))[0] == 401

    play(story, Script(api_key="right"))


@pytest.mark.parametrize(
    ("status", "name"),
    [(400, "INVALID_ARGUMENT"), (403, "PERMISSION_DENIED"), (429, "RESOURCE_EXHAUSTED"), (503, "UNAVAILABLE")],
)
def test_statuses_are_the_clients_own_exceptions(status: int, name: str) -> None:
    """Streaming or not."""

    async def story(fake: FakeProvider) -> None:
        async with client(fake) as api:
            models = api.models
            asked: Any = {"model": f"m@status={status}", "contents": HI}
            with pytest.raises(errors.APIError) as whole:
                await models.generate_content(**asked)
            with pytest.raises(errors.APIError) as streamed:
                async for _ in await models.generate_content_stream(**asked):
                    pass
            assert {(e.value.code, e.value.status) for e in (whole, streamed)} == {(status, name)}

    play(story)


def test_several_candidates() -> None:
    """Each has its index, whole and streamed, and its tokens count."""

    async def story(fake: FakeProvider) -> None:
        asked: Any = {"model": "m", "contents": HI, "config": {"candidate_count": 2, "max_output_tokens": 3}}
        async with client(fake) as api:
            models = api.models
            whole = await models.generate_content(**asked)
            texts = ["", ""]
            async for chunk in await models.generate_content_stream(**asked):
                for candidate in chunk.candidates or []:
                    assert candidate.content is not None
                    texts[candidate.index or 0] += "".join(part.text or "" for part in candidate.content.parts or [])
            assert texts == [c.content.parts[0].text for c in whole.candidates or [] if c.content and c.content.parts]
            assert whole.usage_metadata is not None
            assert whole.usage_metadata.candidates_token_count == 6

    play(story)
