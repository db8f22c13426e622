"""Whole responses, written for clients and read from vendors."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw

from gateline.formats.responses.reply import read_reply, write_reply
from gateline.formats.responses.usage import usage_in_tail, usage_of_reply
from gateline.model.chat import (
    Chat,
    Choice,
    Citation,
    Finish,
    Media,
    Output,
    Part,
    Reasoning,
    Refusal,
    Seal,
    Text,
    Thinking,
    Tokens,
    Tool,
    ToolChoice,
    ToolUse,
)
from gateline.model.chatreply import ChatReply
from gateline.model.errors import UpstreamBroken, UpstreamError
from gateline.model.usage import Usage
from tests.formats.responses.shapes import PARTS, USAGE, check_response, reply_of

CHAT = Chat(model="asked-for", turns=[])


def written(reply: ChatReply, chat: Chat = CHAT) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(write_reply(reply, chat, lambda: 1_700_000_009.7))
    check_response(found)
    return found


@pytest.mark.parametrize("name", PARTS)
def test_every_answer_has_all_fields_of_the_official_types(name: str) -> None:
    """Whatever an answer consists of, the official type takes the response, and nothing the schema wants is missing."""
    found = written(reply_of(PARTS[name]))
    assert found["model"] == "asked-for"
    assert found["status"] == "completed"
    assert (found["created_at"], found["completed_at"]) == (1_700_000_000, 1_700_000_009)


@pytest.mark.parametrize("name", ["text", "two texts", "tools", "refusal", "reasoning", "citations", "image"])
def test_what_is_written_reads_back_the_same(name: str) -> None:
    """A response that a vendor of this format would send is read into the parts it was written from."""
    reply = reply_of(PARTS[name])
    found = read_reply(write_reply(reply, CHAT), "")
    expected = reply.choices[0]
    for part in expected.parts:
        if isinstance(part, ToolUse) and not part.arguments:
            part.arguments = "{}"
    assert found.choices == [expected]
    assert found.usage == USAGE
    assert (found.id, found.created) == ("resp_abc", 1_700_000_000)


@pytest.mark.parametrize(
    ("finish", "status", "reason"),
    [("length", "incomplete", "max_output_tokens"), ("filter", "incomplete", "content_filter")],
)
def test_an_answer_that_was_cut_off_is_incomplete(finish: Finish, status: str, reason: str) -> None:
    """The response, and the item it ends in, are incomplete; it never completed."""
    found = written(reply_of([Text(text="One"), ToolUse(id="c", name="f", arguments='{"a')], finish))
    assert (found["status"], found["incomplete_details"]) == (status, {"reason": reason})
    assert found["completed_at"] is None
    assert [item["status"] for item in found["output"]] == ["completed", "incomplete"]
    assert read_reply(json.dumps(found).encode(), "").choices[0].finish == finish


def test_a_call_has_an_item_id_and_a_call_id() -> None:
    """`id` names the item, `call_id` is the vendor's, which the tool's output refers to."""
    [item] = written(reply_of([ToolUse(id="toolu_9", name="f")]))["output"]
    assert item["call_id"] == "toolu_9"
    assert item["id"].startswith("fc_")
    assert item["arguments"] == "{}"


@pytest.mark.parametrize(("given", "expected"), [("resp_1", "resp_1"), ("chatcmpl-1", "resp_chatcmpl-1")])
def test_the_id_is_the_vendors_in_this_formats_shape(given: str, expected: str) -> None:
    """An id of another shape gets the prefix that clients look for."""
    reply = reply_of([Text(text="a")])
    reply.id = given
    assert written(reply)["id"] == expected


def test_answers_of_vendors_without_ids_have_ids_of_their_own() -> None:
    """Two such answers can be told apart: they are kept under their ids."""
    reply = reply_of([Text(text="a")])
    reply.id = ""
    first, second = written(reply)["id"], written(reply)["id"]
    assert first != second
    assert first.startswith("resp_")


def test_the_response_repeats_the_call() -> None:
    """What was asked for stands in the response, as it does in OpenAI's."""
    chat = Chat(
        model="m",
        turns=[],
        tools=[Tool(name="f", description="d", schema=Raw(b'{"type":"object"}'), strict=True), Tool(name="g")],
        tool_choice=ToolChoice(mode="required", names=["f"]),
        parallel_tools=False,
        output=Output(kind="schema", name="o", schema=Raw(b'{"type": "object"}'), strict=True),
        thinking=Thinking(effort="low", summary="auto", is_shown=True),
        max_tokens=99,
        temperature=0.5,
        top_p=0.25,
        top_logprobs=3,
        verbosity="low",
        metadata={"a": "b"},
        user="u",
        cache_key="k",
        echo={"previous_response_id": "resp_before", "instructions": "Be brief.", "store": "true"},
    )
    found = written(reply_of([Text(text="a")]), chat)
    assert found["tools"][0] == {
        "type": "function",
        "name": "f",
        "description": "d",
        "parameters": {"type": "object"},
        "strict": True,
    }
    assert found["tools"][1]["parameters"] is None
    assert found["tool_choice"] == {"type": "function", "name": "f"}
    assert found["parallel_tool_calls"] is False
    assert found["text"] == {
        "format": {"type": "json_schema", "name": "o", "schema": {"type": "object"}, "strict": True},
        "verbosity": "low",
    }
    assert found["reasoning"] == {"effort": "low", "summary": "auto"}
    assert (found["max_output_tokens"], found["temperature"], found["top_p"]) == (99, 0.5, 0.25)
    assert (found["top_logprobs"], found["metadata"]) == (3, {"a": "b"})
    assert (found["safety_identifier"], found["prompt_cache_key"]) == ("u", "k")
    assert (found["previous_response_id"], found["instructions"], found["store"]) == ("resp_before", "Be brief.", True)


def test_several_tools_that_may_be_called_are_listed() -> None:
    """A subset of the tools is OpenAI's `allowed_tools`."""
    chat = Chat(model="m", turns=[], tool_choice=ToolChoice(mode="auto", names=["a", "b"]))
    found = written(reply_of([Text(text="a")]), chat)["tool_choice"]
    assert (found["type"], found["mode"], [tool["name"] for tool in found["tools"]]) == (
        "allowed_tools",
        "auto",
        ["a", "b"],
    )


def test_seals_of_other_makers_are_marked() -> None:
    """OpenAI's own stands as it is; another's says whose it is, and one of a call is right before the call."""
    native = written(reply_of([Reasoning(text="a", seal=Seal("openai", "gAAA"), id="rs_7"), Text(text="b")]))["output"]
    assert (native[0]["encrypted_content"], native[0]["id"]) == ("gAAA", "rs_7")
    foreign = written(reply_of([Reasoning(text="a", seal=Seal("anthropic", "Ep"))]))["output"]
    assert foreign[0]["encrypted_content"] == "gateline.anthropic.Ep"
    tool = written(reply_of([ToolUse(id="c", name="f", seal=Seal("gemini", "Zz"))]))["output"]
    assert [item["type"] for item in tool] == ["reasoning", "function_call"]
    assert tool[0]["encrypted_content"] == "gateline.call.gemini.Zz"


def test_a_citation_without_a_place_is_about_the_whole_text() -> None:
    """The official type requires both ends."""
    text = Text(text="12345", citations=[Citation(url="https://a.example"), Citation(document="doc", title="T")])
    [item] = written(reply_of([text]))["output"]
    first, second = item["content"][0]["annotations"]
    assert (first["start_index"], first["end_index"]) == (0, 5)
    assert second == {"type": "file_citation", "file_id": "doc", "filename": "T", "index": 0}


def test_sound_is_shown_by_its_transcript() -> None:
    """The format has no place for audio in an answer."""
    part = Media(kind="audio", mime="audio/wav", data="AAAA", transcript="Good day")
    [item] = written(reply_of([part]))["output"]
    assert item["content"][0]["text"] == "Good day"


def test_log_probabilities_stand_at_their_text() -> None:
    """Bytes are filled in where the vendor leaves them out."""
    tokens = [Tokens(token="é", logprob=-0.5, top=[Tokens(token="e", logprob=-1.0, bytes=[101])])]
    [item] = written(reply_of([Text(text="é")], logprobs=tokens))["output"]
    [found] = item["content"][0]["logprobs"]
    assert found["bytes"] == [195, 169]
    assert found["top_logprobs"] == [{"token": "e", "bytes": [101], "logprob": -1.0}]


def test_an_unknown_tier_is_not_shown() -> None:
    """The official type lists the tiers there are."""
    reply = reply_of([Text(text="a")])
    reply.service_tier = "standard"
    assert written(reply)["service_tier"] == "default"
    reply.service_tier = "flex"
    assert written(reply)["service_tier"] == "flex"


def test_no_usage_is_shown_where_none_is_known() -> None:
    """Unknown is null, not zero."""
    reply = reply_of([Text(text="a")])
    reply.usage = None
    assert written(reply)["usage"] is None


# --- from vendors ---


def reply_with(**fields: object) -> bytes:
    return json.dumps({"id": "resp_1", "object": "response", "model": "m", "status": "completed"} | fields).encode()


def test_what_vendors_tools_did_is_left_out() -> None:
    """Items of kinds unknown here are passed over, whatever they hold."""
    found = read_reply(
        reply_with(
            output=[
                {"type": "web_search_call", "id": "ws_1", "action": {"type": "search"}, "status": "completed"},
                {"type": "computer_call_output", "output": {"type": "computer_screenshot"}},
                {"type": "mcp_call", "arguments": "{}", "output": "x", "error": None},
                {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Done"}]},
            ]
        ),
        "",
    )
    assert found.choices[0].parts == [Text(text="Done")]
    assert found.choices[0].finish == "stop"


def test_a_summary_in_paragraphs_is_one_text() -> None:
    """So is reasoning that is shown in full."""
    summary = [{"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}]
    full = [{"type": "reasoning_text", "text": "c"}]
    found = read_reply(
        reply_with(
            output=[
                {"type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": "E"},
                {"type": "reasoning", "id": "x", "summary": [], "content": full},
                {"type": "reasoning", "id": "rs_3", "summary": [], "encrypted_content": None},
            ]
        ),
        "",
    )
    parts: list[Part] = [
        Reasoning(text="a\n\nb", seal=Seal("openai", "E"), id="rs_1"),
        Reasoning(text="c", id="x"),
    ]
    assert found.choices == [Choice(parts=parts, finish="stop")]


def test_xais_citations_have_no_place() -> None:
    """An annotation that is nothing but a URL is a citation all the same."""
    part = {"type": "output_text", "text": "x", "annotations": [{"type": "url_citation", "url": "https://x.ai"}]}
    found = read_reply(reply_with(output=[{"type": "message", "content": [part]}]), "")
    assert found.choices[0].parts == [Text(text="x", citations=[Citation(url="https://x.ai")])]


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b"{}", b'{"output":null}', b'{"output":[1]}', b'{"id":1}'])
def test_what_is_no_response_is_broken(body: bytes) -> None:
    """A body of another format is the upstream's failure, not an empty answer."""
    with pytest.raises(UpstreamBroken):
        read_reply(body, "")


def test_a_failed_response_is_an_error_without_the_secret() -> None:
    """A reply of status 200 may be a failure; what it says is shown, but for the credential that was sent."""
    body = reply_with(status="failed", error={"code": "server_error", "message": "no: top-secret-1"}, output=[])
    with pytest.raises(UpstreamError) as caught:
        read_reply(body, "top-secret-1")
    assert "top-secret-1" not in str(caught.value)
    assert caught.value.reason == "server_error"


def test_a_refusal_is_told_from_an_answer() -> None:
    """Its words are in a part of their own."""
    content = [{"type": "refusal", "refusal": "No."}]
    found = read_reply(reply_with(output=[{"type": "message", "content": content}]), "")
    assert found.choices == [Choice(parts=[Refusal(text="No.")], finish="refusal")]


# --- usage ---


def test_usage_is_found_in_a_whole_reply_and_in_its_tail() -> None:
    """It is the response's own, not one that its text quotes."""
    body = write_reply(reply_of([Text(text='"usage": {"input_tokens": 1}')]), CHAT)
    assert usage_of_reply(body) == USAGE
    assert usage_in_tail(body[-400:]) == USAGE
    assert usage_in_tail(body[-20:]) is None


def test_usage_without_details_is_usage() -> None:
    """xAI leaves cache writes out, others all details; without input tokens it is unknown."""
    assert usage_of_reply(b'{"usage":{"input_tokens":3,"output_tokens":4}}') == Usage(3, 4)
    assert usage_of_reply(b'{"usage":{"output_tokens":4}}') is None
    assert usage_of_reply(b'{"usage":null}') is None
    assert usage_of_reply(b'{"usage":{"input_tokens":-3,"output_tokens":4}}') is None
