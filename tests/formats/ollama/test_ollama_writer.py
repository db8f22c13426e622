from __future__ import annotations

import json

from ollama import GenerateResponse

from gateline.formats.ollama.sides import CHAT_SERVER, GENERATE_SERVER, LINES
from gateline.model.chat import Reasoning, Refusal, Seal, Text, Tokens, ToolUse
from gateline.model.chatreply import (
    Began,
    Counted,
    Delta,
    Finished,
    MediaDelta,
    ReasoningDelta,
    TextDelta,
    ToolBegan,
    ToolDelta,
)
from gateline.model.errors import UpstreamBroken
from gateline.model.usage import Usage
from tests.formats.ollama.rig import (
    CREATED,
    answered,
    asked,
    assemble,
    deltas_for,
    image,
    streamed,
    whole_generated,
    whole_reply,
)

USAGE = Usage(input=11, output=7, cached=3, reasoning=2)
REPLIES = {
    "text": answered("hello there", usage=USAGE),
    "unmetered": answered("hello"),
    "nothing": answered(usage=USAGE),
    "length": answered("hell", finish="length", usage=USAGE),
    "refusal": answered(Refusal(text="no"), finish="refusal", usage=USAGE),
    "tools": answered(
        "so", ToolUse(id="1", name="f", arguments='{"a":1}'), ToolUse(id="2", name="g"), finish="tool", usage=USAGE
    ),
    "reasoning": answered(Reasoning(text="hm hm", id="rs_1"), "so", Reasoning(text="well"), "now", usage=USAGE),
    "seals": answered(
        Reasoning(text="hm", seal=Seal("anthropic", "A")),
        Reasoning(seal=Seal("anthropic", "B"), is_hidden=True),
        Reasoning(text="and", seal=Seal("anthropic", "C"), id="rs_2"),
        Text(text="so", seal=Seal("gemini", "D")),
        ToolUse(id="1", name="f", arguments="{}", seal=Seal("gemini", "E")),
        ToolUse(id="2", name="g", arguments="{}"),
        finish="tool",
        usage=USAGE,
    ),
}


def test_the_lines_of_a_stream_add_up_to_the_whole_answer() -> None:
    """Each is what the SDK's type takes; what a client puts together is what it would have got in one piece."""
    for name, reply in REPLIES.items():
        assert assemble(streamed(deltas_for(reply))) == whole_reply(reply), name


def test_generated_lines_add_up_too() -> None:
    for name, reply in REPLIES.items():
        assert GENERATE_SERVER.writer is not None
        writer = GENERATE_SERVER.writer(asked(), "request")
        lines = [
            GenerateResponse.model_validate_json(line, strict=True)
            for line in (writer.write(deltas_for(reply)) + writer.end()).splitlines()
        ]
        whole = whole_generated(reply)
        assert "".join(line.response or "" for line in lines) == whole.response, name
        assert "".join(line.thinking or "" for line in lines) == (whole.thinking or "")
        assert [line.done for line in lines] == [False] * (len(lines) - 1) + [True]
        end = lines[-1]
        assert (end.done_reason, end.eval_count) == (whole.done_reason, whole.eval_count)


def test_a_stream_is_lines_of_json() -> None:
    """The first tells when the answer began; a piece of text is a line at once."""
    assert LINES == CHAT_SERVER.stream_type == b"application/x-ndjson"
    assert CHAT_SERVER.writer is not None
    writer = CHAT_SERVER.writer(asked(), "request")
    assert writer.write([Began(id="x", model="vendor", created=CREATED)]) == b""
    assert json.loads(writer.write([TextDelta(text="so")])) == {
        "model": "m",
        "created_at": "2026-01-02T03:04:05Z",
        "message": {"role": "assistant", "content": "so"},
        "done": False,
    }
    probed = [Tokens(token="so", logprob=-0.5, bytes=[1])]
    assert json.loads(writer.write([TextDelta(text="so", logprobs=probed)]))["logprobs"] == [
        {"token": "so", "logprob": -0.5, "bytes": [1]}
    ]
    writer.write([Finished(finish="stop"), Counted(usage=USAGE)])
    assert json.loads(writer.end()) == {
        "model": "m",
        "created_at": "2026-01-02T03:04:05Z",
        "message": {"role": "assistant", "content": ""},
        "done": True,
        "done_reason": "stop",
        "prompt_eval_count": 11,
        "prompt_eval_cached_count": 3,
        "eval_count": 7,
    }


def test_interleaved_calls_come_out_whole() -> None:
    """In the order of their indices, once something else follows or the answer ends."""
    assert CHAT_SERVER.writer is not None
    writer = CHAT_SERVER.writer(asked(), "request")
    held = writer.write(
        [
            ToolBegan(index=1, id="b", name="g"),
            ToolBegan(index=0, id="a", name="f"),
            ToolDelta(index=1, arguments='{"x":'),
            ToolDelta(index=0, arguments="{}"),
            ToolDelta(index=1, arguments="1}"),
            ToolDelta(index=7, arguments="stray"),
        ]
    )
    assert held == b""
    lines = [json.loads(line) for line in writer.write([TextDelta(text="so")]).splitlines()]
    assert [call["function"] for call in lines[0]["message"]["tool_calls"]] == [
        {"index": 0, "name": "f", "arguments": {}},
        {"index": 1, "name": "g", "arguments": {"x": 1}},
    ]
    assert lines[1]["message"]["content"] == "so"


def test_other_answers_are_left_out_and_pictures_named() -> None:
    """Ollama's message of an answer has no place for them."""
    deltas: list[Delta] = [
        TextDelta(text="one"),
        TextDelta(text="two", choice=1),
        MediaDelta(media=image()),
        ReasoningDelta(text=""),
        Finished(finish="length", choice=1),
        Finished(finish="stop"),
    ]
    found = assemble(streamed(deltas))
    note = "[image omitted: this API has no images in answers]"
    assert (found["message"], found["done_reason"]) == ({"role": "assistant", "content": f"one{note}"}, "stop")


def test_a_call_too_long_is_cut_and_marked() -> None:
    piece = "x" * (1024 * 1024)
    deltas: list[Delta] = [
        ToolBegan(index=0, id="a", name="f"),
        *[ToolDelta(index=0, arguments=piece) for _ in range(6)],
    ]
    arguments = assemble(streamed(deltas))["message"]["tool_calls"][0]["function"]["arguments"]
    assert len(arguments["INVALID_JSON"]) == 4 * 1024 * 1024


def test_a_failed_stream_ends_in_an_error_line_alone() -> None:
    """As the SDK knows it; no line says `done`."""
    assert CHAT_SERVER.writer is not None
    writer = CHAT_SERVER.writer(asked(), "request")
    failed = writer.fail(UpstreamBroken("it broke"), "req-1")
    assert failed.endswith(b"\n")
    assert json.loads(failed) == {"error": "it broke (request id req-1)"}
