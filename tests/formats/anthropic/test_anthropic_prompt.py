from __future__ import annotations

import base64

from gateline.formats.dialect import PLAIN, Dialect
from gateline.model.chat import (
    Citation,
    Media,
    Reasoning,
    Refusal,
    Seal,
    Text,
    ToolResult,
    ToolUse,
    Turn,
)
from tests.formats.anthropic.asked import NEW, OLD, PNG, TOOL, assistant, chat, user, write


def test_instructions_stand_beside_the_turns() -> None:
    """System and developer turns become the system prompt, wherever they stood; a call of nothing else is a turn."""
    system = Turn(role="system", parts=[Text(text="a", cache="1h"), Text(text=" ")])
    body, dropped = write(chat(system, user("hi"), Turn(role="developer", parts=[Text(text="b")])))
    assert body["system"] == [
        {"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
        {"type": "text", "text": "b"},
    ]
    assert len(body["messages"]) == 1
    assert dropped == []
    body, _ = write(chat(system))
    assert [message["role"] for message in body["messages"]] == ["user"]
    assert "system" not in body


def _told(text: str) -> Turn:
    return Turn(role="system", parts=[Text(text=text)])


def test_instructions_stand_where_they_came_for_models_that_take_them_so() -> None:
    """Behind all that the user said there, ahead of the answer, neighbours as one: the vendor's placement rules."""
    turns = [_told("a"), user("1"), assistant("2"), _told("b"), user("3"), _told("c"), assistant("4"), user("5")]
    body, dropped = write(chat(*turns, _told("d")), NEW)
    assert [(each["role"], [block["text"] for block in each["content"]]) for each in body["messages"]] == [
        ("user", ["1"]),
        ("assistant", ["2"]),
        ("user", ["3"]),
        ("system", ["b", "c"]),
        ("assistant", ["4"]),
        ("user", ["5"]),
        ("system", ["d"]),
    ]
    assert (body["system"], dropped) == ([{"type": "text", "text": "a"}], [])


def test_instructions_that_lose_their_place_are_told() -> None:
    """At models and hosts that take none between turns, and behind an answer that no user follows; those ahead of the
    first answer lose nothing."""
    turns = [user("1"), assistant("2"), _told("b"), user("3")]
    for asked, model, dialect in (
        (chat(*turns), OLD, PLAIN),
        (chat(*turns), NEW, Dialect(anthropic_version="vertex-2023-10-16")),
        (chat(*turns), NEW, Dialect(maker="other")),
        (chat(user("1"), assistant("2"), _told("b"), assistant("3"), user("4")), NEW, PLAIN),
    ):
        body, dropped = write(asked, model, dialect)
        assert body["system"] == [{"type": "text", "text": "b"}]
        assert [each["role"] for each in body["messages"]][:2] == ["user", "assistant"]
        assert dropped == ["system_place"]
    assert write(chat(user("1"), _told("b"), user("2"), assistant("3"), user("4")))[1] == []


def test_neighbours_become_one_turn_with_results_first() -> None:
    """Several results in turns of their own follow their tool uses in one, ahead of what the user says."""
    body, dropped = write(
        chat(
            user("hi"),
            assistant(ToolUse(id="a", name="f", arguments='{"x":1}'), ToolUse(id="b", name="f")),
            user("wait"),
            user(ToolResult(id="a", parts=[Text(text="1"), Text(text="")])),
            user(ToolResult(id="b", parts=[Media(kind="image", data=PNG, cache="5m")], is_error=True)),
            tools=[TOOL],
        )
    )
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "user"]
    assert body["messages"][1]["content"] == [
        {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}},
        {"type": "tool_use", "id": "b", "name": "f", "input": {}},
    ]
    assert body["messages"][2]["content"] == [
        {"type": "tool_result", "tool_use_id": "a", "content": [{"type": "text", "text": "1"}]},
        {
            "type": "tool_result",
            "tool_use_id": "b",
            "content": [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}],
            "is_error": True,
            "cache_control": {"type": "ephemeral"},
        },
        {"type": "text", "text": "wait"},
    ]
    assert dropped == []


def test_blank_texts_and_turns_are_left_out() -> None:
    """The vendor refuses a text that is white space, and a turn of nothing."""
    body, dropped = write(chat(user("a", " \n"), assistant(""), user("b")))
    assert [block["text"] for message in body["messages"] for block in message["content"]] == ["a", "b"]
    assert dropped == []


def test_ids_of_other_vendors_fit() -> None:
    """The id of a tool use has few characters there; use and result stay together, and others apart."""
    body, _ = write(
        chat(
            user("hi"),
            assistant(ToolUse(id="functions.f:0", name="f"), ToolUse(id="functions_f_0", name="f")),
            user(ToolResult(id="functions.f:0", parts=[]), ToolResult(id="functions_f_0", parts=[])),
            tools=[TOOL],
        )
    )
    uses = [block["id"] for block in body["messages"][1]["content"]]
    assert uses == [block["tool_use_id"] for block in body["messages"][2]["content"]]
    assert len(set(uses)) == 2
    assert all(name.replace("_", "").replace("-", "").isalnum() for name in uses)


def test_only_own_seals_go_back() -> None:
    """Anthropic's seals go back byte for byte, in order; others, and reasoning without any, are told and left out."""
    body, dropped = write(
        chat(
            user("hi"),
            assistant(
                Reasoning(text="t", seal=Seal("anthropic", "S1")),
                Reasoning(seal=Seal("anthropic", "S2"), is_hidden=True),
                Reasoning(text="", seal=Seal("anthropic", "S3")),
                Reasoning(text="u", seal=Seal("openai", "X")),
                Text(text="x", seal=Seal("gemini", "Y"), citations=[Citation(url="https://x")]),
                ToolUse(id="1", name="f", seal=Seal("gemini", "Z")),
            ),
            user(ToolResult(id="1", parts=[])),
            tools=[TOOL],
        )
    )
    assert body["messages"][1]["content"] == [
        {"type": "thinking", "thinking": "t", "signature": "S1"},
        {"type": "redacted_thinking", "data": "S2"},
        {"type": "thinking", "thinking": "", "signature": "S3"},
        {"type": "text", "text": "x"},
        {"type": "tool_use", "id": "1", "name": "f", "input": {}},
    ]
    assert dropped == ["reasoning", "seal", "citations"]


def test_media_that_the_vendor_takes() -> None:
    """Four types of images, PDFs and text, inline, at a URL or as its own files; the rest is told and left out."""
    text = base64.b64encode(b"text").decode()
    body, dropped = write(
        chat(
            user(
                Media(kind="image", mime="image/jpg", data="/9j/"),
                Media(kind="image", url="https://x/y"),
                Media(kind="image", file_id="file_1"),
                Media(kind="file", mime="application/pdf", data="JVBE", name="n", cache="5m"),
                Media(kind="file", mime="text/csv", data=text),
                Media(kind="file", url="https://x/y.pdf"),
                Media(kind="image", mime="image/bmp", data="Qk0="),
                Media(kind="image", url="gs://x/y"),
                Media(kind="file", file_id="file-openai"),
                Media(kind="file", mime="application/zip", data="UEsD"),
                Media(kind="audio", data="AAAA"),
                Media(kind="video", url="https://x/y.mp4"),
            ),
        )
    )
    assert body["messages"][0]["content"] == [
        {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": "/9j/"}},
        {"type": "image", "source": {"type": "url", "url": "https://x/y"}},
        {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBE"},
            "title": "n",
            "cache_control": {"type": "ephemeral"},
        },
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "text"}},
        {"type": "document", "source": {"type": "url", "url": "https://x/y.pdf"}},
    ]
    assert dropped == ["image", "file", "audio", "video"]


def test_refusals_and_spoken_answers_are_text() -> None:
    """What an earlier answer said stays in the conversation as text."""
    answer = assistant(
        Refusal(text="no"), Media(kind="audio", data="AA", transcript="spoken"), Media(kind="image", data=PNG)
    )
    body, dropped = write(chat(user("a"), answer, user("b")))
    assert body["messages"][1]["content"] == [{"type": "text", "text": "no"}, {"type": "text", "text": "spoken"}]
    assert dropped == ["image"]
