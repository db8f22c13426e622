from __future__ import annotations

from typing import get_args

from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from gateline.formats.anthropic.sides import MESSAGES, MESSAGES_CLIENT
from gateline.formats.call import read_call
from gateline.formats.contract import Written
from gateline.formats.dialect import PLAIN
from gateline.formats.tool_turns import told_apart
from gateline.model.chat import (
    Chat,
    Effort,
    Media,
    Output,
    Reasoning,
    Seal,
    Text,
    Thinking,
    ToolChoice,
    ToolResult,
    ToolUse,
    Turn,
)
from tests.formats.anthropic.asked import PNG, TOOL

texts = st.text(st.characters(codec="utf-8"), min_size=1).filter(lambda text: not text.isspace())
names = st.from_regex(r"[a-zA-Z0-9_-]{1,12}", fullmatch=True)
lives = st.sampled_from(["", "5m", "1h"])
text_parts = st.builds(Text, text=texts)
media_parts = st.one_of(
    st.builds(Media, kind=st.just("image"), mime=st.just("image/png"), data=st.just(PNG)),
    st.builds(Media, kind=st.just("image"), url=st.just("https://x/y")),
    st.builds(Media, kind=st.just("file"), mime=st.just("application/pdf"), data=st.just("JVBE"), name=st.just("n")),
)
result_parts = st.builds(
    ToolResult,
    id=names,
    parts=st.lists(text_parts | media_parts, max_size=2),
    is_error=st.booleans(),
    cache=st.just(""),
)
user_turns = st.builds(
    lambda results, rest: Turn(role="user", parts=[*results, *rest]),
    st.lists(result_parts, max_size=2),
    st.lists(text_parts | media_parts, min_size=1, max_size=3),
)
assistant_turns = st.builds(
    lambda thoughts, rest: Turn(role="assistant", parts=[*thoughts, *rest]),
    st.lists(st.builds(Reasoning, text=texts, seal=st.builds(Seal, st.just("anthropic"), names)), max_size=1),
    st.lists(
        text_parts | st.builds(ToolUse, id=names, name=names, arguments=st.just('{"a":1}')), min_size=1, max_size=3
    ),
)
conversations = st.builds(
    lambda system, pairs, last: [
        *([Turn(role="system", parts=[Text(text=system, cache="5m")])] if system else []),
        *(turn for pair in pairs for turn in pair),
        last,
    ],
    texts | st.none(),
    st.lists(st.tuples(user_turns, assistant_turns), max_size=2),
    user_turns,
)


@given(
    turns=conversations,
    temperature=st.none() | st.floats(0, 1),
    max_tokens=st.integers(1, 4_096),
    stop=st.lists(texts, max_size=2),
    name=st.just("") | names,
    parallel=st.sampled_from([None, False]),
    effort=st.none() | st.sampled_from([word for word in get_args(Effort) if word not in {"none", "minimal"}]),
)
def test_a_chat_comes_back(
    turns: list[Turn], temperature: float | None, max_tokens: int, stop: list[str], name: str,
    parallel: bool | None, effort: Effort | None,
) -> None:  # fmt: skip
    """What the format carries is read again as it was written."""
    asked = Chat(
        model="claude-x",
        turns=told_apart(turns),
        include_usage=True,
        tools=[TOOL],
        tool_choice=ToolChoice(mode="auto"),
        parallel_tools=parallel,
        thinking=None if effort is None else Thinking(effort=effort, is_shown=True),
        output=Output(kind="schema", schema=Raw(b'{"type":"string"}'), strict=True),
        max_tokens=max_tokens,
        temperature=None if effort else temperature,
        stop=stop,
        user=name,
        service_tier="auto",
    )
    model = "claude-x" if effort is None else "claude-opus-5"
    written: Written = MESSAGES_CLIENT.write(asked, model, PLAIN)
    assert list(written.dropped) == []
    call = read_call(written.body, "messages")
    call.model = "claude-x"
    assert MESSAGES.read(call, written.body) == asked
