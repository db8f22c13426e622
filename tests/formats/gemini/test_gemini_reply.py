"""Gemini's whole replies, read and written."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from google.genai import types

from gateline.formats.gemini.answer import write_reply
from gateline.formats.gemini.reply import read_counted, read_reply, write_counted
from gateline.model.chat import Choice, Citation, Media, Part, Reasoning, Refusal, Seal, Text, Tokens, ToolUse
from gateline.model.chatreply import ChatReply
from gateline.model.errors import UpstreamBroken, UpstreamError
from gateline.model.usage import Usage
from gateline.model.vectors import CountReply
from tests.formats.gemini.rig import asking, parse, reply_parts


def reply_of(*parts: dict[str, Any], finish: str | None = "STOP", **more: Any) -> ChatReply:
    body = {
        "candidates": [{"content": {"role": "model", "parts": list(parts)}, "finishReason": finish, **more}],
        "responseId": "r-1",
        "modelVersion": "gemini-x",
        "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5},
    }
    return read_reply(msgspec.json.encode(body), "")


def written(*parts: Part, **fields: Any) -> types.GenerateContentResponse:
    fields.setdefault("finish", "stop")
    logprobs = fields.pop("logprobs", None)
    choice = Choice(parts=list(parts), finish=fields.pop("finish"), logprobs=logprobs)
    return parse(write_reply(ChatReply(id="r-1", model="x", choices=[choice], **fields), asking()))


def test_text_thoughts_and_calls_are_read() -> None:
    """Parts become parts in their order; borders between texts mean nothing; a call without an id gets one that is the
    same every time."""
    reply = reply_of(
        {"text": "hm", "thought": True},
        {"text": "Hello "},
        {"text": "you"},
        {"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": "c2ln"},
        {"functionCall": {"name": "g", "id": "own"}},
    )
    assert reply_parts(reply) == [
        Reasoning(text="hm"),
        Text(text="Hello you"),
        ToolUse(id="call_r-1_0", name="f", arguments='{"a":1}', seal=Seal("gemini", "c2ln")),
        ToolUse(id="own", name="g", arguments="{}"),
    ]
    assert (reply.id, reply.model, reply.choices[0].finish) == ("r-1", "gemini-x", "tool")


def test_signatures_of_texts_stay_with_them() -> None:
    """On a text, or on an empty one behind it; where no text is, it is a block of its own; behind it a text begins."""
    assert reply_parts(reply_of({"text": "a", "thoughtSignature": "czE="}, {"text": "b"})) == [
        Text(text="a", seal=Seal("gemini", "czE=")),
        Text(text="b"),
    ]
    assert reply_parts(reply_of({"text": "a"}, {"text": "", "thoughtSignature": "czE="})) == [
        Text(text="a", seal=Seal("gemini", "czE="))
    ]
    assert reply_parts(reply_of({"functionCall": {"name": "f"}}, {"text": "", "thoughtSignature": "czE="}))[1:] == [
        Reasoning(seal=Seal("gemini", "czE="), is_hidden=True)
    ]
    assert reply_parts(reply_of({"text": "t", "thought": True, "thoughtSignature": "czE="})) == [
        Reasoning(text="t", seal=Seal("gemini", "czE="))
    ]


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("STOP", "stop"),
        ("MAX_TOKENS", "length"),
        *((reason, "filter") for reason in (
            "SAFETY", "RECITATION", "PROHIBITED_CONTENT", "BLOCKLIST", "SPII", "IMAGE_SAFETY",
            "MALFORMED_FUNCTION_CALL", "OTHER", "A_NEW_ONE",
        )),
    ],
)  # fmt: skip
def test_finish_reasons_are_read(reason: str, finish: str) -> None:
    """Whatever is neither a stop nor a length means that the answer was held back."""
    assert reply_of({"text": "x"}, finish=reason).choices[0].finish == finish


def test_a_blocked_prompt_is_a_filtered_answer() -> None:
    """It comes without candidates, and is no broken reply."""
    body = b'{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":3}}'
    reply = read_reply(body, "")
    assert reply.choices == [Choice(parts=[], finish="filter")]
    assert reply.usage == Usage(3)


def test_usage_counts_all_that_was_read_and_generated() -> None:
    """Results of tools are input, thoughts are output, and both are parts of the totals; unknown is None."""
    body = {
        "candidates": [{"content": {}, "finishReason": "STOP"}],
        "usageMetadata": {
            "promptTokenCount": 100, "cachedContentTokenCount": 40, "candidatesTokenCount": 10, "thoughtsTokenCount": 5,
            "toolUsePromptTokenCount": 7, "totalTokenCount": 122,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 20}, {"modality": "AUDIO", "tokenCount": 30},
                                    {"modality": "IMAGE", "tokenCount": 50}],
            "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 4}],
        },
    }  # fmt: skip
    usage = read_reply(msgspec.json.encode(body), "").usage
    assert usage == Usage(107, 15, 40, 5, input_audio=30, input_image=50, output_image=4)
    assert usage.input + usage.output == 122
    for nonsense in (b"{}", b'{"promptTokenCount":-1}', b'{"trafficType":"ON_DEMAND"}', b"7"):
        body_ = b'{"candidates":[{"finishReason":"STOP"}],"usageMetadata":%b}' % nonsense
        assert read_reply(body_, "").usage is None


def test_grounding_becomes_citations() -> None:
    """One for each passage and source; Gemini counts bytes, citations count characters."""
    reply = reply_of(
        {"text": "Zürich is big. Bern is not."},
        groundingMetadata={
            "groundingChunks": [{"web": {"uri": "u0", "title": "t0"}}, {"web": {"uri": "u1"}}, {"web": {"uri": "u2"}}],
            "groundingSupports": [
                {"segment": {"endIndex": 15, "text": "Zürich is big."}, "groundingChunkIndices": [0, 1]},
                {"segment": {"startIndex": 16, "endIndex": 28, "text": "Bern is not."}, "groundingChunkIndices": [9]},
            ],
        },
        citationMetadata={"citationSources": [{"startIndex": 16, "endIndex": 20, "uri": "u3"}]},
    )
    assert reply_parts(reply) == [
        Text(
            text="Zürich is big. Bern is not.",
            citations=[
                Citation(url="u0", title="t0", start=0, end=14),
                Citation(url="u1", start=0, end=14),
                Citation(url="u2"),
                Citation(url="u3", start=15, end=19),
            ],
        )
    ]


def test_citations_are_written_as_grounding() -> None:
    """With bytes again, which read back as the same characters."""
    text = Text(
        text="Zürich ist groß.",
        citations=[Citation(url="u0", title="t0", start=0, end=16), Citation(title="d", document="doc", quote="q")],
    )
    body = write_reply(ChatReply(id="r", model="m", choices=[Choice(parts=[text], finish="stop")]), asking())
    candidates = parse(body).candidates
    assert candidates
    grounding = candidates[0].grounding_metadata
    assert grounding is not None
    assert grounding.grounding_supports is not None
    assert grounding.grounding_supports[0].segment == types.Segment(end_index=18, text="Zürich ist groß.")
    assert reply_parts(read_reply(body, "")) == [text]


def test_log_probabilities_pass_both_ways() -> None:
    """Chosen tokens with the likeliest beside them."""
    logprobs = [Tokens(token="a", logprob=-0.5, top=[Tokens(token="b", logprob=-1.5)]), Tokens(token="c", logprob=-2.0)]
    body = write_reply(
        ChatReply(id="r", model="m", choices=[Choice(parts=[Text(text="ac")], finish="stop", logprobs=logprobs)]),
        asking(),
    )
    parse(body)
    assert read_reply(body, "").choices[0].logprobs == logprobs


def test_an_answer_is_written_as_gemini_would() -> None:
    """The SDK finds text, thoughts, calls, usage and names where it looks for them."""
    response = written(
        Reasoning(text="hm"),
        Text(text="Hi"),
        ToolUse(id="c1", name="f", arguments='{"a":1}'),
        ToolUse(id="c2", name="g"),
        finish="tool",
        usage=Usage(10, 7, 4, 2, input_audio=3),
        created=1_700_000_000,
    )
    assert response.response_id == "r-1"
    assert response.model_version == "the-model"
    assert response.create_time is not None
    assert response.create_time.timestamp() == 1_700_000_000
    assert response.function_calls == [
        types.FunctionCall(id="c1", name="f", args={"a": 1}),
        types.FunctionCall(id="c2", name="g", args={}),
    ]
    assert response.candidates
    candidate = response.candidates[0]
    assert (candidate.index, candidate.finish_reason) == (0, types.FinishReason.STOP)
    assert candidate.content is not None
    assert candidate.content.role == "model"
    assert [(part.text, part.thought) for part in candidate.content.parts or ()][:2] == [("hm", True), ("Hi", None)]
    usage = response.usage_metadata
    assert usage is not None
    assert (usage.prompt_token_count, usage.candidates_token_count, usage.thoughts_token_count) == (10, 5, 2)
    assert (usage.cached_content_token_count, usage.total_token_count) == (4, 17)


@pytest.mark.parametrize(
    ("finish", "reason"),
    [("stop", "STOP"), ("length", "MAX_TOKENS"), ("filter", "SAFETY"), ("refusal", "SAFETY"), ("pause", "OTHER")],
)
def test_finish_reasons_are_written(finish: str, reason: str) -> None:
    """Each in Gemini's word; an answer of no parts is one the SDK reads."""
    response = written(finish=finish)
    assert response.candidates
    assert response.candidates[0].finish_reason == reason
    assert response.text is None


def test_refusals_and_pictures_are_parts() -> None:
    """A refusal is what the model said; a picture is inline data; a file of another vendor is left out."""
    response = written(
        Refusal(text="no"), Media(kind="image", mime="image/png", data="QUJD"), Media(kind="file", file_id="f")
    )
    assert response.parts is not None
    assert response.parts[0].text == "no"
    assert response.parts[1].inline_data == types.Blob(mime_type="image/png", data=b"ABC")
    assert len(response.parts) == 2


def test_every_choice_is_a_candidate() -> None:
    """Candidates are numbered."""
    choices = [Choice(parts=[Text(text=text)], finish="stop") for text in "ab"]
    body = write_reply(ChatReply(id="r", model="m", choices=choices), asking())
    assert [candidate.index for candidate in parse(body).candidates or ()] == [0, 1]
    assert read_reply(body, "").choices == choices


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b'{"candidates":[]}', b'{"candidates":5}', b"{}"])
def test_what_is_no_reply_is_broken(body: bytes) -> None:
    """A success without an answer in it is none."""
    with pytest.raises(UpstreamBroken):
        read_reply(body, "")


def test_an_error_in_a_success_is_an_error_without_the_secret() -> None:
    """It is told in the vendor's words, less the credential."""
    body = b'{"error":{"code":503,"message":"overloaded, key the-secret","status":"UNAVAILABLE"}}'
    with pytest.raises(UpstreamError, match="overloaded") as failed:
        read_reply(body, "the-secret")
    assert "the-secret" not in str(failed.value)
    assert failed.value.reason == "UNAVAILABLE"


def test_counts_pass_both_ways() -> None:
    """`totalTokens` is what was counted."""
    body = write_counted(CountReply(tokens=8, cached=3), None)
    assert types.CountTokensResponse.model_validate_json(body).total_tokens == 8
    assert read_counted(body, "") == CountReply(tokens=8, cached=3)
    with pytest.raises(UpstreamBroken):
        read_counted(b"{}", "")
