"""What botocore's users send, as a neutral chat."""

from __future__ import annotations

import base64

import pytest

from gateline.formats.bedrock.seals import text_carrier, tool_carrier
from gateline.model.chat import Media, Reasoning, Seal, Text, Thinking, ToolChoice, ToolResult, ToolUse
from gateline.model.errors import BadRequest
from tests.formats.bedrock.wire import check, read

HI = [{"role": "user", "content": [{"text": "hi"}]}]


def test_the_stream_and_the_model_are_the_paths() -> None:
    """The body names neither; usage is part of every stream."""
    chat = read({"messages": HI}, stream=True)
    assert (chat.model, chat.stream, chat.include_usage, chat.unmapped) == ("m", True, True, [])


def test_what_has_no_place_is_named() -> None:
    """By the client's own names, wherever it stands."""
    body = {
        "messages": [
            {
                "role": "user",
                "content": [
                    {"text": "hi"},
                    {"guardContent": {"text": {"text": "x"}}},
                    {"image": {"format": "png", "source": {"s3Location": {"uri": "s3://b/k"}}}},
                    {"toolAddition": {"tool": {}}},
                ],
            }
        ],
        "guardrailConfig": {"guardrailIdentifier": "g", "guardrailVersion": "1"},
        "performanceConfig": {"latency": "optimized"},
        "additionalModelRequestFields": {"anthropic_beta": ["x"], "top_k": 3},
        "toolConfig": {"tools": [{"systemTool": {"name": "nova_grounding"}}]},
    }
    check({"modelId": "m", **body}, "ConverseRequest")
    chat = read(body)
    assert sorted(chat.unmapped) == [
        "additionalModelRequestFields.anthropic_beta",
        "guardrailConfig",
        "messages.content",
        "messages.content.guardContent",
        "messages.content.image.source.s3Location",
        "performanceConfig",
        "toolConfig.tools.systemTool",
    ]
    assert (chat.top_k, chat.turns[0].parts) == (3, [Text(text="hi")])


@pytest.mark.parametrize(
    ("extra", "thinking"),
    [
        ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, Thinking(budget=2000, is_shown=True)),
        ({"reasoning_config": {"type": "enabled", "budget_tokens": 2000}}, Thinking(budget=2000, is_shown=True)),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}, Thinking(effort="high")),
        ({"thinking": {"type": "disabled"}}, Thinking(budget=0)),
        ({"reasoning_effort": "low"}, Thinking(effort="low")),
        ({"reasoning_config": "high"}, Thinking(effort="high")),
        ({"reasoning": {"effort": "medium"}}, Thinking(effort="medium")),
        ({"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "low"}}, Thinking(effort="low")),
        ({"reasoningConfig": {"type": "disabled"}}, Thinking(effort="none")),
    ],
)
def test_thinking_is_read_from_each_makers_field(extra: object, thinking: Thinking) -> None:
    """Whatever model the client believes to speak to."""
    assert read({"messages": HI, "additionalModelRequestFields": extra}).thinking == thinking


def test_effort_has_a_field_too() -> None:
    """`outputConfig.effort` is Converse's own."""
    assert read({"messages": HI, "outputConfig": {"effort": "max"}}).thinking == Thinking(effort="max")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "tool", "content": []}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": "hi"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"text": 1}]}]}, "messages[0].content[0].text"),
        ({"messages": HI, "inferenceConfig": {"maxTokens": "x"}}, "inferenceConfig.maxTokens"),
        ({"messages": HI, "toolConfig": {"tools": [{"toolSpec": {"name": "f"}}]}},
         "toolConfig.tools[0].toolSpec.inputSchema"),
        ({"messages": HI, "additionalModelRequestFields": {"top_k": "x"}}, "additionalModelRequestFields.top_k"),
        ({"messages": HI, "outputConfig": {"textFormat": {"structure": {"jsonSchema": {"schema": "{"}}}}},
         "outputConfig.textFormat.structure.jsonSchema.schema"),
    ],
)  # fmt: skip
def test_a_mistake_is_named(body: dict[str, object], param: str) -> None:
    """By the field's name in the client's own spelling."""
    with pytest.raises(BadRequest) as raised:
        read(body)
    assert raised.value.param == param


def test_media_and_documents_are_read() -> None:
    """By the vendor's words for formats; text that stands as such is a file of text."""
    content = [
        {"image": {"format": "jpeg", "source": {"bytes": "AAAA"}}},
        {"document": {"format": "pdf", "name": "d", "source": {"bytes": "AAAA"}}},
        {"document": {"name": "t", "source": {"text": "hi"}}},
        {"document": {"format": "md", "name": "c", "source": {"content": [{"text": "a"}, {"text": "b"}]}}},
        {"video": {"format": "three_gp", "source": {"bytes": "AAAA"}}},
        {"audio": {"format": "mp3", "source": {"bytes": "AAAA"}}},
    ]
    parts = read({"messages": [{"role": "user", "content": content}]}).turns[0].parts
    assert [(part.kind, part.mime) for part in parts if isinstance(part, Media)] == [
        ("image", "image/jpeg"),
        ("file", "application/pdf"),
        ("file", "text/plain"),
        ("file", "text/markdown"),
        ("video", "video/3gpp"),
        ("audio", "audio/mpeg"),
    ]
    texts = [base64.b64decode(part.data) for part in parts[2:4] if isinstance(part, Media)]
    assert texts == [b"hi", b"a\n\nb"]


def test_carriers_give_back_the_seals_they_hold() -> None:
    """A hidden block in front of a tool use, or behind a text, is that one's seal, and no reasoning of its own."""
    mine, text = Seal("gemini", "g"), Seal("gemini", "t")
    content = [
        {"text": "a"},
        {"reasoningContent": {"redactedContent": text_carrier(text)}},
        {"reasoningContent": {"redactedContent": tool_carrier(mine)}},
        {"toolUse": {"toolUseId": "t", "name": "f", "input": {"a": 1}}},
        {"reasoningContent": {"redactedContent": base64.b64encode(b"\xff\xfe").decode()}},
    ]
    parts = read({"messages": [*HI, {"role": "assistant", "content": content}]}).turns[1].parts
    assert parts[:2] == [Text(text="a", seal=text), ToolUse(id="t", name="f", arguments='{"a":1}', seal=mine)]
    (last,) = parts[2:]
    assert isinstance(last, Reasoning)
    assert last.seal == Seal("anthropic", "base64://4=")


def test_what_a_search_found_is_text() -> None:
    """Where it was found stands ahead of it."""
    result = {"source": "https://a", "title": "A", "content": [{"text": "x"}, {"text": "y"}], "citations": {}}
    content = [{"toolResult": {"toolUseId": "t", "content": [{"searchResult": result}]}}]
    assert read({"messages": [{"role": "user", "content": content}]}).turns[0].parts == [
        ToolResult(id="t", parts=[Text(text="A\nhttps://a\nx\ny")])
    ]


def test_choices_are_read() -> None:
    """`auto`, `any`, and one tool by its name."""
    tools = [{"toolSpec": {"name": "f", "inputSchema": {"json": {}}}}]
    choices: list[dict[str, object]] = [{"auto": {}}, {"any": {}}, {"tool": {"name": "f"}}]
    found = [
        read({"messages": HI, "toolConfig": {"tools": tools, "toolChoice": choice}}).tool_choice for choice in choices
    ]
    assert found == [ToolChoice(mode="auto"), ToolChoice(mode="required"), ToolChoice(mode="required", names=["f"])]
