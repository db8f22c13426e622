"""Calls for responses: read from clients, written to vendors."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw
from openai.types.responses import response_create_params
from pydantic import TypeAdapter

from gateline.formats.call import read_call
from gateline.formats.dialect import PLAIN, Dialect
from gateline.formats.features import FIELDS, PARTS
from gateline.formats.responses.names import CLIENT_NAMES, SERVER_NAMES
from gateline.formats.responses.read_request import read_chat
from gateline.formats.responses.reply import write_reply
from gateline.formats.responses.write_request import write_chat
from gateline.model.chat import (
    Chat,
    Citation,
    Media,
    Output,
    Part,
    Reasoning,
    Refusal,
    Role,
    Seal,
    Text,
    Thinking,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
    Turn,
)
from gateline.model.errors import BadRequest
from tests.formats.responses.shapes import reply_of

OPENAI = Dialect(has_developer=True)
_PARAMS: TypeAdapter[Any] = TypeAdapter(response_create_params.ResponseCreateParamsNonStreaming)


def asked(**fields: object) -> Chat:
    body = json.dumps({"model": "m"} | fields).encode()
    return read_chat(read_call(body, "responses"), body)


def sent(chat: Chat, dialect: Dialect = OPENAI) -> tuple[dict[str, Any], list[str]]:
    """What a vendor gets, checked against the official types, and what it does not."""
    written = write_chat(chat, "vendor-model", dialect)
    found: dict[str, Any] = json.loads(written.body)
    assert found["model"] == "vendor-model"
    _PARAMS.validate_python(found | {"stream": False})
    return found, list(written.dropped)


def talk(*turns: Turn, **fields: Any) -> Chat:
    return Chat(model="m", turns=list(turns), **fields)


def user(text: str = "hi") -> Turn:
    return Turn(role="user", parts=[Text(text=text)])


# --- from clients ---


def test_input_may_be_a_string() -> None:
    """It is what the user says; instructions come ahead of it."""
    assert asked(input="hi", instructions="Be brief.").turns == [
        Turn(role="system", parts=[Text(text="Be brief.")]),
        user(),
    ]


def test_messages_may_leave_their_type_out() -> None:
    """And their content may be a string or parts, in every role."""
    turns = asked(
        input=[
            {"role": "developer", "content": "a"},
            {"role": "user", "content": [{"type": "input_text", "text": "b"}]},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "c"}]},
            {"role": "assistant", "content": [{"type": "refusal", "refusal": "d"}]},
            {"role": "system", "content": "e"},
        ]
    ).turns
    expected: list[tuple[Role, list[Part]]] = [
        ("developer", [Text(text="a")]),
        ("user", [Text(text="b")]),
        ("assistant", [Text(text="c"), Refusal(text="d")]),
        ("system", [Text(text="e")]),
    ]
    assert turns == [Turn(role=role, parts=parts) for role, parts in expected]


def test_media_come_as_data_as_links_and_by_id() -> None:
    """A data URL is its bytes and their type."""
    [turn] = asked(
        input=[
            {
                "role": "user",
                "content": [
                    {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "low"},
                    {"type": "input_image", "image_url": "https://a.example/b.png"},
                    {"type": "input_image", "file_id": "file_1"},
                    {"type": "input_file", "file_data": "data:application/pdf;base64,BBBB", "filename": "a.pdf"},
                    {"type": "input_file", "file_url": "https://a.example/b.pdf"},
                    {"type": "input_audio", "input_audio": {"data": "CCCC", "format": "mp3"}},
                ],
            }
        ]
    ).turns
    assert turn.parts == [
        Media(kind="image", mime="image/png", data="AAAA", detail="low"),
        Media(kind="image", url="https://a.example/b.png"),
        Media(kind="image", file_id="file_1"),
        Media(kind="file", mime="application/pdf", data="BBBB", name="a.pdf"),
        Media(kind="file", url="https://a.example/b.pdf"),
        Media(kind="audio", mime="audio/mp3", data="CCCC"),
    ]


def test_one_answers_items_are_one_turn() -> None:
    """Reasoning, text and calls of one answer belong together, and so do the outputs of its tools."""
    turns = asked(
        input=[
            {"role": "user", "content": "hi"},
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"},
            {"type": "message", "id": "msg_1", "role": "assistant", "content": [{"type": "output_text", "text": "c"}]},
            {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": "{}"},
            {"type": "function_call", "call_id": "call_2", "name": "g", "arguments": '{"a":1}'},
            {"type": "function_call_output", "call_id": "call_1", "output": "one"},
            {"type": "function_call_output", "call_id": "call_2", "output": [{"type": "input_text", "text": "two"}]},
            {"role": "user", "content": "and?"},
        ]
    ).turns
    assert turns[1:] == [
        Turn(
            role="assistant",
            parts=[
                Reasoning(seal=Seal("openai", "gAAA"), is_hidden=True, id="rs_1"),
                Text(text="c"),
                ToolUse(id="call_1", name="f", arguments="{}"),
                ToolUse(id="call_2", name="g", arguments='{"a":1}'),
            ],
        ),
        Turn(
            role="user",
            parts=[
                ToolResult(id="call_1", parts=[Text(text="one")]),
                ToolResult(id="call_2", parts=[Text(text="two")]),
            ],
        ),
        user("and?"),
    ]


def test_options_are_read() -> None:
    """Each has its place in a chat."""
    chat = asked(
        input="hi",
        tools=[{"type": "function", "name": "f", "description": "d", "parameters": {"a": [1]}, "strict": True}],
        tool_choice="required",
        parallel_tool_calls=False,
        text={"format": {"type": "json_schema", "name": "o", "schema": {"b": 2}, "strict": True}, "verbosity": "low"},
        reasoning={"effort": "high", "summary": "auto"},
        max_output_tokens=9,
        temperature=0.5,
        top_p=0.2,
        top_logprobs=2,
        include=["reasoning.encrypted_content", "message.output_text.logprobs"],
        metadata={"k": "v"},
        safety_identifier="u",
        prompt_cache_key="c",
        service_tier="flex",
        store=False,
    )
    [tool] = chat.tools
    assert (tool.name, tool.description, bytes(tool.schema), tool.strict) == ("f", "d", b'{"a": [1]}', True)
    assert chat.tool_choice == ToolChoice(mode="required")
    assert chat.parallel_tools is False
    assert chat.output is not None
    assert (chat.output.kind, chat.output.name, bytes(chat.output.schema)) == ("schema", "o", b'{"b": 2}')
    assert chat.verbosity == "low"
    assert chat.thinking == Thinking(effort="high", summary="auto", is_shown=True)
    assert (chat.max_tokens, chat.temperature, chat.top_p) == (9, 0.5, 0.2)
    assert (chat.logprobs, chat.top_logprobs) == (True, 2)
    assert (chat.metadata, chat.user, chat.cache_key, chat.service_tier) == ({"k": "v"}, "u", "c", "flex")
    assert (chat.echo, chat.store, chat.unmapped) == ({}, None, [])


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("auto", ToolChoice(mode="auto")),
        ("none", ToolChoice(mode="none")),
        ({"type": "function", "name": "f"}, ToolChoice(mode="required", names=["f"])),
        (
            {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]},
            ToolChoice(mode="auto", names=["f"]),
        ),
    ],
)
def test_every_form_of_tool_choice_is_read(choice: object, expected: ToolChoice) -> None:
    """One tool is required by its name; some are allowed by theirs."""
    assert asked(input="hi", tool_choice=choice).tool_choice == expected


def test_what_the_response_repeats_is_kept_apart() -> None:
    """Of a chat it is no part: the gateway keeps responses itself, and has put earlier turns into the input."""
    chat = asked(input="hi", instructions="Be brief.", previous_response_id="resp_1")
    assert chat.echo == {"instructions": "Be brief.", "previous_response_id": "resp_1", "store": "true"}
    assert (chat.store, chat.unmapped) == (None, [])


def test_null_stands_for_absent() -> None:
    """SDKs send it for what was not set."""
    names = ["instructions", "tools", "tool_choice", "text", "reasoning", "temperature", "metadata", "include", "store"]
    names += ["conversation", "background", "previous_response_id", "prompt", "max_output_tokens", "top_logprobs"]
    chat = asked(input="hi", **dict.fromkeys(names))
    assert chat == asked(input="hi")


def test_what_has_no_place_elsewhere_is_named() -> None:
    """In the client's own spelling; the call goes on without it."""
    chat = asked(
        input=[
            {"role": "user", "content": [{"type": "input_text", "text": "hi"}, {"type": "hologram", "x": 1}]},
            {"id": "msg_1"},
            {"type": "computer_call_output", "call_id": "c", "output": {"type": "computer_screenshot"}},
            {"type": "file_search_call", "id": "fs_1", "queries": ["a"], "results": [{"text": "b"}]},
        ],
        tools=[{"type": "web_search"}, {"type": "function", "name": "f"}],
        tool_choice={"type": "web_search_preview"},
        include=["file_search_call.results"],
        truncation="auto",
        max_tool_calls=3,
        something_new={"a": 1},
    )
    assert chat.unmapped == [
        "truncation",
        "max_tool_calls",
        "something_new",
        "input[0].content[1].hologram",
        "input[1].item_reference",
        "input[2].computer_call_output",
        "input[3].file_search_call",
        "tools[0].web_search",
        "tool_choice.web_search_preview",
        "include.file_search_call.results",
    ]
    assert [tool.name for tool in chat.tools] == ["f"]
    assert chat.turns == [user()]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "input"),
        ({"input": 5}, "input"),
        ({"input": ["x"]}, "input[0]"),
        ({"input": [{"role": "robot", "content": "x"}]}, "input[0].role"),
        ({"input": [{"role": "user"}]}, "input[0].content"),
        ({"input": [{"role": "user", "content": 5}]}, "input[0].content"),
        ({"input": [{"role": "user", "content": [{"type": "input_text"}]}]}, "input[0].content[0].text"),
        ({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, "input[0].content[0].image_url"),
        ({"input": [{"role": "user", "content": [{"type": "input_file"}]}]}, "input[0].content[0].file_data"),
        ({"input": [{"type": "function_call", "name": "f", "arguments": "{}"}]}, "input[0].call_id"),
        ({"input": [{"type": "function_call", "call_id": "c", "arguments": "{}"}]}, "input[0].name"),
        ({"input": [{"type": "function_call", "call_id": "c", "name": "f", "arguments": {}}]}, "input[0].arguments"),
        ({"input": [{"type": "function_call_output", "output": "x"}]}, "input[0].call_id"),
        ({"input": [{"type": "function_call_output", "call_id": "c"}]}, "input[0].output"),
        ({"input": "x", "temperature": "hot"}, "temperature"),
        ({"input": "x", "tools": [{"type": "function"}]}, "tools[0].name"),
        ({"input": "x", "tools": [{"name": "f"}]}, "tools[0].type"),
        ({"input": "x", "tool_choice": "maybe"}, "tool_choice"),
        ({"input": "x", "tool_choice": {"type": "function"}}, "tool_choice.name"),
        ({"input": "x", "text": {"format": {"type": "json_schema", "name": "o"}}}, "text.format.schema"),
        ({"input": "x", "text": {"format": {"type": "xml"}}}, "text.format.type"),
        ({"input": "x", "reasoning": {"effort": "heroic"}}, "reasoning.effort"),
        ({"input": "x", "background": True}, "background"),
        ({"input": "x", "conversation": "conv_1"}, "conversation"),
    ],
)
def test_a_mistake_names_its_field(fields: dict[str, Any], param: str) -> None:
    """As the client spells it."""
    with pytest.raises(BadRequest) as caught:
        asked(**fields)
    assert caught.value.param == param


# --- to vendors ---


def test_a_conversation_is_written_as_items() -> None:
    """Calls and their outputs are items beside the messages, in the order of the turns."""
    body, dropped = sent(
        talk(
            Turn(role="system", parts=[Text(text="Be brief.")]),
            Turn(role="developer", parts=[Text(text="Be kind.")]),
            user(),
            Turn(role="assistant", parts=[Text(text="Wait."), ToolUse(id="c1", name="f", arguments="")]),
            Turn(role="user", parts=[ToolResult(id="c1", parts=[Text(text="one")]), Text(text="go on")]),
            stream=True,
        )
    )
    assert body == {
        "model": "vendor-model",
        "instructions": "Be brief.",
        "stream": True,
        "store": False,
        "input": [
            {"type": "message", "role": "developer", "content": "Be kind."},
            {"type": "message", "role": "user", "content": "hi"},
            {"type": "message", "role": "assistant", "content": "Wait."},
            {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": "one"},
            {"type": "message", "role": "user", "content": "go on"},
        ],
    }
    assert dropped == []


def test_media_are_written() -> None:
    """Images and files, in messages and in what tools answer; sound and video have no place."""
    media: list[Part] = [
        Media(kind="image", mime="image/png", data="AAAA"),
        Media(kind="image", url="https://a.example/b.png", detail="high"),
        Media(kind="file", mime="application/pdf", data="BBBB"),
        Media(kind="audio", mime="audio/wav", data="CCCC"),
        Media(kind="video", url="https://a.example/b.mp4"),
    ]
    picture = Media(kind="image", data="DDDD")
    body, dropped = sent(
        talk(
            Turn(role="user", parts=media),
            Turn(role="assistant", parts=[ToolUse(id="c", name="f")]),
            Turn(role="user", parts=[ToolResult(id="c", parts=[Text(text="see"), picture], is_error=True)]),
        )
    )
    assert body["input"][0]["content"] == [
        {"type": "input_image", "detail": "auto", "image_url": "data:image/png;base64,AAAA"},
        {"type": "input_image", "detail": "high", "image_url": "https://a.example/b.png"},
        {"type": "input_file", "filename": "file.pdf", "file_data": "data:application/pdf;base64,BBBB"},
    ]
    assert body["input"][2]["output"] == [
        {"type": "input_text", "text": "see"},
        {"type": "input_image", "detail": "auto", "image_url": "data:image/png;base64,DDDD"},
    ]
    assert dropped == ["audio", "video", "tool_error"]


def test_options_are_written() -> None:
    """Each under the vendor's name; what the format has no place for is told."""
    body, dropped = sent(
        talk(
            user(),
            tools=[Tool(name="f", schema=Raw(b'{"type":"object"}')), Tool(name="g", strict=True, description="d")],
            tool_choice=ToolChoice(mode="required", names=["f"]),
            parallel_tools=True,
            output=Output(kind="schema", name="o", schema=Raw(b'{"type":"object"}'), strict=True),
            thinking=Thinking(effort="low", is_shown=True),
            max_tokens=100,
            temperature=0.5,
            top_p=0.2,
            logprobs=True,
            top_logprobs=2,
            verbosity="high",
            metadata={"k": "v"},
            user="u",
            cache_key="c",
            service_tier="flex",
            store=True,
            seed=1,
            stop=["x"],
            n=2,
            top_k=3,
            frequency_penalty=0.1,
        )
    )
    assert body["tools"] == [
        {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": False},
        {
            "type": "function",
            "name": "g",
            "parameters": {"type": "object", "properties": {}},
            "strict": True,
            "description": "d",
        },
    ]
    assert body["tool_choice"] == {"type": "function", "name": "f"}
    assert body["text"] == {
        "format": {"type": "json_schema", "name": "o", "schema": {"type": "object"}, "strict": True},
        "verbosity": "high",
    }
    assert body["reasoning"] == {"effort": "low", "summary": "auto"}
    assert body["include"] == ["reasoning.encrypted_content", "message.output_text.logprobs"]
    assert (body["max_output_tokens"], body["top_logprobs"], body["store"]) == (100, 2, True)
    assert (body["safety_identifier"], body["prompt_cache_key"], body["service_tier"]) == ("u", "c", "flex")
    assert dropped == ["top_k", "frequency_penalty", "seed", "stop", "n"]


@pytest.mark.parametrize(
    ("thinking", "effort", "is_sealed"),
    [
        (Thinking(effort="none"), "none", False),
        (Thinking(budget=0), "none", False),
        (Thinking(budget=1024), "low", True),
        (Thinking(budget=10_000), "medium", True),
        (Thinking(budget=50_000), "high", True),
        (Thinking(budget=-1), None, True),
        (Thinking(effort="max"), "max", True),
    ],
)
def test_budgets_become_efforts(thinking: Thinking, effort: str | None, is_sealed: bool) -> None:
    """Reasoning that is asked for comes back sealed; seals of reasoning that is turned off are not asked for."""
    body, _ = sent(talk(user(), thinking=thinking))
    assert body.get("reasoning", {}).get("effort") == effort
    assert ("include" in body) == is_sealed


def test_what_a_vendor_would_refuse_is_not_sent() -> None:
    """A bound that is too low is raised; long names, foreign tiers and options of tools without tools are left out."""
    body, dropped = sent(
        talk(
            user(),
            max_tokens=5,
            user="u" * 65,
            service_tier="standard_only",
            tool_choice=ToolChoice(mode="auto"),
            parallel_tools=True,
        )
    )
    assert body["max_output_tokens"] == 16
    assert {"safety_identifier", "service_tier", "tool_choice", "parallel_tool_calls"}.isdisjoint(body)
    assert dropped == ["max_tokens", "user", "service_tier"]


def test_a_dialect_refuses_what_it_refuses() -> None:
    """It is left out and told; a vendor that knows no developers gets a system message."""
    chat = talk(
        Turn(role="developer", parts=[Text(text="a")]), user(), temperature=0.5, thinking=Thinking(effort="low")
    )
    body, dropped = sent(chat, Dialect(refuses=frozenset({"temperature", "thinking"}), schema=False))
    assert {"temperature", "reasoning", "include"}.isdisjoint(body)
    assert body["input"][0]["role"] == "system"
    assert dropped == ["thinking", "temperature", "developer"]


def test_a_vendor_without_schemas_is_asked_for_an_object() -> None:
    """JSON at least."""
    chat = talk(user(), output=Output(kind="schema", schema=Raw(b"{}")))
    assert sent(chat, Dialect(schema=False))[0]["text"] == {"format": {"type": "json_object"}}


def test_long_ids_of_calls_are_shortened_alike() -> None:
    """A tool's output still refers to its call: OpenAI takes 64 characters."""
    long = "x" * 100
    turns = [
        Turn(role="assistant", parts=[ToolUse(id=long, name="f")]),
        Turn(role="user", parts=[ToolResult(id=long, parts=[Text(text="a")])]),
    ]
    call, output = sent(talk(*turns))[0]["input"]
    assert call["call_id"] == output["call_id"]
    assert len(call["call_id"]) <= 64


def test_marks_and_sources_of_others_are_told() -> None:
    """Cache marks, citations and names have no place in an input."""
    cited = Text(text="b", citations=[Citation(url="https://a.example")])
    chat = talk(
        Turn(role="user", parts=[Text(text="a", cache="5m")], name="ann"), Turn(role="assistant", parts=[cited])
    )
    assert sent(chat)[1] == ["name", "cache", "citations"]


def test_what_the_system_says_first_are_the_instructions() -> None:
    """In one text; a mark on it is told. What the system says later stays where it is."""
    first = Turn(role="system", parts=[Text(text="a", cache="5m"), Text(text="b")])
    body, dropped = sent(talk(first, user(), Turn(role="system", parts=[Text(text="c")])))
    assert body["instructions"] == "a\n\nb"
    assert [item["role"] for item in body["input"]] == ["user", "system"]
    assert dropped == ["cache"]
    assert "instructions" not in sent(talk(Turn(role="system", parts=[Text(text="")]), user()))[0]


# --- reasoning state over two turns ---


def second_turn(parts: list[Part]) -> Chat:
    """The chat that follows on an answer of `parts`, sent back by a client as it came."""
    output = json.loads(write_reply(reply_of(parts), Chat(model="m", turns=[])))["output"]
    return asked(input=[{"role": "user", "content": "hi"}, *output, {"role": "user", "content": "and?"}])


@pytest.mark.parametrize(
    "parts",
    [
        [Reasoning(text="Hm.", seal=Seal("openai", "gAAA+/="), id="rs_1"), Text(text="a")],
        [Reasoning(text="Hm.\n\n x", seal=Seal("anthropic", "Ep+/="), id="rs_abc_0"), Text(text="a")],
        [Reasoning(seal=Seal("anthropic", "redacted"), is_hidden=True, id="rs_abc_0"), Text(text="a")],
        [
            ToolUse(id="c", name="f", arguments="{}", seal=Seal("gemini", "sig")),
            ToolUse(id="d", name="g", arguments="{}"),
        ],
        [Text(text="a", seal=Seal("gemini", "sig")), ToolUse(id="c", name="f", arguments="{}")],
        [Text(text="", seal=Seal("gemini", "sig"))],
        [
            Reasoning(text="So.", seal=Seal("gemini", "one"), id="rs_abc_0"),
            ToolUse(id="c", name="f", arguments="{}", seal=Seal("gemini", "two")),
        ],
    ],
)
def test_seals_of_any_maker_survive_a_client(parts: list[Part]) -> None:
    """After two turns the chat has the maker's own bytes where they were."""
    assert second_turn(parts).turns[1].parts == parts


def test_only_openais_seals_reach_openai() -> None:
    """Byte for byte, with their id and summary; those of others are stripped, and told."""
    own = Reasoning(text="Hm.", seal=Seal("openai", "gAAA+/="), id="rs_1")
    body, dropped = sent(second_turn([own, Text(text="a")]))
    assert body["input"][1] == {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "Hm."}],
        "encrypted_content": "gAAA+/=",
    }
    assert body["include"] == ["reasoning.encrypted_content"]
    assert dropped == []
    others: list[Part] = [
        Reasoning(text="Hm.", seal=Seal("anthropic", "Ep")),
        Reasoning(seal=Seal("anthropic", "hidden"), is_hidden=True),
        Text(text="a"),
        ToolUse(id="c", name="f", arguments="{}", seal=Seal("gemini", "sig")),
    ]
    written = write_chat(second_turn(others), "m", PLAIN)
    assert b"gateline" not in written.body
    for data in (b"Ep", b"hidden", b"sig", b"Hm."):
        assert data not in written.body
    assert list(written.dropped) == ["reasoning", "seal"]


def test_reasoning_without_what_it_led_to_is_not_sent() -> None:
    """OpenAI refuses it; an answer may have been cut off while it was thought."""
    chat = talk(user(), Turn(role="assistant", parts=[Reasoning(text="Hm", seal=Seal("openai", "E"))]), user())
    body, dropped = sent(chat)
    assert [item["type"] for item in body["input"]] == ["message", "message"]
    assert dropped == ["reasoning"]


# --- round trips ---

_words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
_ids = st.text("abc_123", min_size=1, max_size=64)
_media = st.builds(
    Media,
    kind=st.just("image"),
    mime=st.just("image/png"),
    data=st.just("AAAA"),
    detail=st.sampled_from(["low", "high"]),
)
_user = st.builds(
    Turn, role=st.just("user"), parts=st.lists(st.one_of(st.builds(Text, text=_words), _media), min_size=1, max_size=3)
)
_results = st.builds(
    Turn,
    role=st.just("user"),
    parts=st.lists(
        st.builds(ToolResult, id=_ids, parts=st.lists(st.builds(Text, text=_words), min_size=1, max_size=1)),
        min_size=1,
        max_size=2,
    ),
)
_sealed = st.builds(Reasoning, text=_words, seal=st.builds(Seal, st.just("openai"), _words), id=st.just("rs_1"))
_answer = st.builds(
    Turn,
    role=st.just("assistant"),
    parts=st.builds(
        lambda before, last: [*before, last],
        st.lists(
            st.one_of(
                st.builds(Text, text=_words),
                st.builds(Refusal, text=_words),
                st.builds(ToolUse, id=_ids, name=_ids, arguments=_words),
                _sealed,
            ),
            max_size=3,
        ),
        st.builds(ToolUse, id=_ids, name=_ids, arguments=_words),
    ),
)


@given(
    exchanges=st.lists(st.tuples(_user, _answer, _results), max_size=3),
    last=_user,
    temperature=st.none() | st.floats(0, 2),
    max_tokens=st.none() | st.integers(16, 10_000),
    effort=st.sampled_from([None, "low", "high"]),
)
def test_what_is_written_to_a_vendor_reads_back_the_same(
    exchanges: list[tuple[Turn, Turn, Turn]], last: Turn, temperature: float | None, max_tokens: int | None, effort: Any
) -> None:
    """Any conversation that the format carries is the same on its other side."""
    turns = [turn for exchange in exchanges for turn in exchange] + [last]
    for turn in turns:
        for part in turn.parts:
            if isinstance(part, Reasoning):
                part.is_hidden = False
    chat = talk(*turns, temperature=temperature, max_tokens=max_tokens)
    if effort is not None:
        chat.thinking = Thinking(effort=effort)
    written = write_chat(chat, "m", OPENAI)
    assert written.dropped == []
    found = read_chat(read_call(written.body, "responses"), written.body)
    assert found.turns == chat.turns
    assert (found.temperature, found.max_tokens, found.thinking) == (temperature, max_tokens, chat.thinking)


def test_names_are_those_of_features() -> None:
    """The table of what maps to what is made from them."""
    known = FIELDS.keys() | PARTS.keys()
    assert set(SERVER_NAMES) <= known
    assert set(CLIENT_NAMES) <= known
