"""A Gemini client's calls as neutral ones."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from gateline.formats.gemini.request import read_chat, read_count
from gateline.model.chat import Media, Output, Reasoning, Seal, Text, Thinking, ToolChoice, ToolResult, ToolUse
from gateline.model.errors import BadRequest
from tests.formats.gemini.rig import call, read

HELLO = [{"role": "user", "parts": [{"text": "hello"}]}]


def texts(body: dict[str, Any]) -> list[tuple[str, list[str]]]:
    return [(turn.role, [part.text for part in turn.parts if isinstance(part, Text)]) for turn in read(body).turns]


def test_turns_have_roles_and_the_system_instruction_comes_first() -> None:
    """`model` is the assistant, a content without a role the user's, the system instruction a turn ahead of all."""
    body = {
        "systemInstruction": {"parts": [{"text": "be brief"}]},
        "contents": [{"parts": [{"text": "hi"}]}, {"role": "model", "parts": [{"text": "yes?"}]}, *HELLO],
    }
    assert texts(body) == [
        ("system", ["be brief"]),
        ("user", ["hi"]),
        ("assistant", ["yes?"]),
        ("user", ["hello"]),
    ]


@pytest.mark.parametrize(
    "contents",
    ["hello", {"parts": {"text": "hello"}}, [{"parts": "hello"}], ["hello"], [{"role": "user", "parts": ["hello"]}]],
)
def test_single_objects_and_texts_stand_for_lists(contents: object) -> None:
    """Google's parser takes one for a list of one, and so does this."""
    assert texts({"contents": contents}) == [("user", ["hello"])]


def test_either_spelling_is_read() -> None:
    """snake_case is read as camelCase is, and what the caller named is left alone."""
    chat = read(
        {
            "system_instruction": {"parts": {"text": "s"}},
            "contents": [
                {"parts": [{"inline_data": {"mime_type": "image/png", "data": "QUJD"}}]},
                {
                    "role": "model",
                    "parts": [{"function_call": {"name": "f", "args": {"top_k": 1}}, "thought_signature": "c2ln"}],
                },
                {"parts": [{"function_response": {"name": "f", "response": {"mime_type": "x", "a": 1}}}]},
            ],
            "generation_config": {"max_output_tokens": 5, "thinking_config": {"include_thoughts": True}},
            "tools": [
                {
                    "function_declarations": [
                        {"name": "f", "parameters_json_schema": {"properties": {"file_uri": {"type": "string"}}}}
                    ]
                }
            ],
            "safety_settings": [],
        }
    )
    assert chat.max_tokens == 5
    assert chat.thinking == Thinking(is_shown=True)
    assert chat.unmapped == ["safety_settings"]
    assert bytes(chat.tools[0].schema) == b'{"properties":{"file_uri":{"type":"string"}}}'
    parts = [part for turn in chat.turns[1:] for part in turn.parts]
    assert parts == [
        Media(kind="image", mime="image/png", data="QUJD"),
        ToolUse(id="call_0", name="f", arguments='{"top_k":1}', seal=Seal("gemini", "c2ln")),
        ToolResult(id="call_0", name="f", parts=[Text(text='{"mime_type":"x","a":1}')]),
    ]


def test_sampling_is_read() -> None:
    """Every field of the generation config that others know has its place; numbers may be strings, null is unset."""
    chat = read(
        {
            "contents": HELLO,
            "generationConfig": {
                "temperature": 0.5, "topP": "0.9", "topK": 40.0, "maxOutputTokens": "100", "candidateCount": 2,
                "seed": 7, "presencePenalty": 0.1, "frequencyPenalty": 0.2, "stopSequences": ["X"],
                "responseLogprobs": True, "logprobs": 3, "responseModalities": ["TEXT", "IMAGE"],
                "thinkingConfig": {"thinkingBudget": 0, "thinkingLevel": "HIGH"}, "mediaResolution": "LOW",
                "speechConfig": None,
            },
            "labels": {"team": "a"}, "serviceTier": "STANDARD", "cachedContent": "cachedContents/x",
        }
    )  # fmt: skip
    assert (chat.temperature, chat.top_p, chat.top_k, chat.max_tokens, chat.n, chat.seed) == (0.5, 0.9, 40, 100, 2, 7)
    assert (chat.presence_penalty, chat.frequency_penalty, chat.stop) == (0.1, 0.2, ["X"])
    assert (chat.logprobs, chat.top_logprobs, chat.modalities) == (True, 3, ["text", "image"])
    assert chat.thinking == Thinking(effort="high", budget=0)
    assert (chat.metadata, chat.service_tier) == ({"team": "a"}, "default")
    assert chat.unmapped == ["generationConfig.mediaResolution", "cachedContent"]


@pytest.mark.parametrize(
    ("config", "output"),
    [
        ({"responseMimeType": "application/json"}, Output(kind="json")),
        (
            {"responseMimeType": "application/json", "responseJsonSchema": {"type": "object"}},
            Output(kind="schema", schema=msgspec.Raw(b'{"type":"object"}')),
        ),
        (
            {"responseMimeType": "application/json", "responseSchema": {"type": "ARRAY", "items": {"type": "STRING"}}},
            Output(kind="schema", schema=msgspec.Raw(b'{"type":"array","items":{"type":"string"}}')),
        ),
        ({"responseMimeType": "text/plain"}, None),
    ],
)
def test_output_is_read(config: dict[str, Any], output: Output | None) -> None:
    """JSON and JSON Schema are asked for by type and by either kind of schema."""
    assert read({"contents": HELLO, "generationConfig": config}).output == output


@pytest.mark.parametrize(
    ("config", "choice"),
    [
        ({"mode": "AUTO"}, ToolChoice(mode="auto")),
        ({"mode": "any", "allowedFunctionNames": ["f"]}, ToolChoice(mode="required", names=["f"])),
        ({"mode": "NONE"}, ToolChoice(mode="none")),
        ({"mode": "VALIDATED", "allowedFunctionNames": ["f"]}, ToolChoice(mode="auto", names=["f"])),
    ],
)
def test_tool_choice_is_read(config: dict[str, Any], choice: ToolChoice) -> None:
    """Every mode of function calling has its choice."""
    assert read({"contents": HELLO, "toolConfig": {"functionCallingConfig": config}}).tool_choice == choice


def test_tools_of_googles_own_are_named_as_unmapped() -> None:
    """No other vendor searches with Google: the tool is named, the functions beside it stay."""
    chat = read({"contents": HELLO, "tools": [{"googleSearch": {}}, {"functionDeclarations": [{"name": "f"}]}]})
    assert [tool.name for tool in chat.tools] == ["f"]
    assert chat.unmapped == ["tools.googleSearch"]


def test_calls_without_ids_are_matched_by_name_and_order() -> None:
    """Two calls of one name without ids get their own, and responses answer them in order; ids that are given hold."""
    chat = read(
        {
            "contents": [
                {
                    "role": "model",
                    "parts": [{"functionCall": {"name": "f", "args": {}}}, {"functionCall": {"name": "f"}},
                              {"functionCall": {"name": "g", "id": "x1"}}],
                },
                {
                    "role": "function",
                    "parts": [{"functionResponse": {"id": "x1", "name": "g", "response": {"error": "no"}}},
                              {"functionResponse": {"name": "f", "response": {"output": "a"}}},
                              {"functionResponse": {"name": "f", "response": {"result": [1]}}}],
                },
            ]
        }
    )  # fmt: skip
    assert [part.id for part in chat.turns[0].parts if isinstance(part, ToolUse)] == ["call_0", "call_1", "x1"]
    assert chat.turns[1].parts == [
        ToolResult(id="x1", name="g", parts=[Text(text="no")], is_error=True),
        ToolResult(id="call_0", name="f", parts=[Text(text="a")]),
        ToolResult(id="call_1", name="f", parts=[Text(text="[1]")]),
    ]


def test_an_answer_in_pieces_is_put_together() -> None:
    """A streamed answer that comes back as one content an event is the turn that it was."""
    chat = read(
        {
            "contents": [
                *HELLO,
                {"role": "model", "parts": [{"text": "I th", "thought": True}]},
                {"role": "model", "parts": [{"text": "ink", "thought": True}]},
                {"role": "model", "parts": [{"text": "Yes"}]},
                {"role": "model", "parts": [{"text": ", sir"}]},
                {"role": "model", "parts": [{"text": "", "thoughtSignature": "c2ln"}]},
            ]
        }
    )
    assert len(chat.turns) == 2
    assert chat.turns[1].parts == [Reasoning(text="I think"), Text(text="Yes, sir", seal=Seal("gemini", "c2ln"))]


def test_files_and_code_are_read_or_named() -> None:
    """A file by URI is media of its type; code that Google ran has no place elsewhere and is named once."""
    chat = read(
        {
            "contents": [
                {"parts": [{"fileData": {"fileUri": "https://x/a.mp4"}},
                           {"fileData": {"fileUri": "gs://b/c", "mimeType": "application/pdf"}, "videoMetadata": {}}]},
                {"role": "model", "parts": [{"executableCode": {"code": "1"}}, {"executableCode": {"code": "2"}}]},
            ]
        }
    )  # fmt: skip
    assert chat.turns[0].parts == [
        Media(kind="video", mime="video/mp4", url="https://x/a.mp4"),
        Media(kind="file", mime="application/pdf", url="gs://b/c"),
    ]
    assert chat.unmapped == ["contents.videoMetadata", "contents.executableCode"]


def test_a_result_that_is_no_unicode_breaks_nothing() -> None:
    """Bytes that are no UTF-8 are replaced."""
    body = b'{"contents":[{"parts":[{"functionResponse":{"name":"f","response":{"output":"\xff"}}}]}]}'
    assert read(body).turns[0].parts == [ToolResult(id="f", name="f", parts=[Text(text='"\ufffd"')])]


def test_a_system_instruction_is_text() -> None:
    """Pictures in it have no place elsewhere, and are told."""
    image = {"inlineData": {"mimeType": "image/png", "data": "QUJD"}}
    chat = read({"contents": HELLO, "systemInstruction": {"parts": [{"text": "s"}, image]}})
    assert chat.turns[0].parts == [Text(text="s")]
    assert chat.unmapped == ["systemInstruction.parts"]


def test_url_safe_base64_becomes_the_standard_one() -> None:
    """Google's SDKs send the URL-safe alphabet, which other vendors refuse."""
    chat = read({"contents": [{"parts": [{"inlineData": {"mimeType": "image/png", "data": "-_8="}}]}]})
    assert chat.turns[0].parts == [Media(kind="image", mime="image/png", data="+/8=")]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "contents"),
        ({"contents": []}, "contents"),
        ({"contents": [{"parts": [{"text": 5}]}]}, "contents[...].parts[...].text"),
        ({"contents": HELLO, "generationConfig": {"topP": "much"}}, "generationConfig.topP"),
        ({"contents": HELLO, "generation_config": {"top_p": "much"}}, "generation_config.top_p"),
        ({"contents": HELLO, "generationConfig": {"maxOutputTokens": 10**12}}, "generationConfig.maxOutputTokens"),
        ({"contents": HELLO, "generationConfig": {"topK": "inf"}}, "generationConfig.topK"),
        ({"contents": [{"role": "robot", "parts": [{"text": "x"}]}]}, "contents[0].role"),
        ({"contents": [{"parts": [{"functionCall": {}}]}]}, "contents[0].parts[0].functionCall.name"),
        (
            {"contents": HELLO, "toolConfig": {"functionCallingConfig": {"mode": "SOMETIMES"}}},
            "toolConfig.functionCallingConfig.mode",
        ),
        (
            {"contents": HELLO, "tools": [{"functionDeclarations": [{"name": "f", "parameters": [1]}]}]},
            "tools[0].functionDeclarations[0].parameters",
        ),
        ({"contents": HELLO, "tools": [{"functionDeclarations": [{}]}]}, "tools[...].functionDeclarations[...].name"),
    ],
)
def test_bad_input_names_its_field(body: dict[str, Any], param: str) -> None:
    """A mistake is refused under the client's own name of the field."""
    with pytest.raises(BadRequest) as refused:
        read(body)
    assert refused.value.param is not None
    # msgspec says where in a list for some mistakes, and `...` for the others.
    assert refused.value.param.replace("[0]", "[...]") == param.replace("[0]", "[...]")


@pytest.mark.parametrize("body", [b"[]", b"{", b'{"contents": "\xff"}', b'{"inline_data": {"a": }}', b"nonsense"])
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    """Bytes that are no object are the client's mistake."""
    with pytest.raises(BadRequest):
        read_chat(call(b"{}"), body)


@pytest.mark.parametrize("wrapped", [False, True])
def test_counting_takes_contents_or_a_whole_request(wrapped: bool) -> None:
    """`countTokens` counts contents, or the request that stands inside."""
    inner = {"contents": HELLO, "systemInstruction": {"parts": [{"text": "s"}]}, "safetySettings": []}
    body = msgspec.json.encode({"generateContentRequest": {**inner, "model": "models/m"}} if wrapped else inner)
    chat = read_count(call(body, "gemini.count_tokens"), body).chat
    assert [turn.role for turn in chat.turns] == ["system", "user"]
    assert chat.unmapped == ["safetySettings"]
