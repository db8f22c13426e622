from __future__ import annotations

import json

import pytest

from gateline.formats.dialect import Dialect
from gateline.formats.holders import holder, readable
from gateline.formats.table import CLIENTS
from gateline.model.call import Operation
from gateline.model.chat import Chat, Media, Text, ToolResult, Turn
from gateline.providers.table import TABLE
from tests.formats.asked import CHATS

ANTHROPIC = Media(kind="file", file_id="file_011CNha8")
OPENAI = Media(kind="image", file_id="file-abc")
GOOGLE = Media(kind="file", mime="application/pdf", url="https://generativelanguage.googleapis.com/v1beta/files/abc")
CLOUD = Media(kind="image", mime="image/png", url="gs://bucket/x.png")
AMAZON = Media(kind="image", mime="image/png", url="s3://bucket/x.png")
WEB = Media(kind="image", mime="image/png", url="HTTPS://x/y.png")
INLINE = Media(kind="image", mime="image/png", data="iVBORw0KGgo=")


@pytest.mark.parametrize(
    ("media", "expected"),
    [
        (ANTHROPIC, "anthropic"),
        (OPENAI, "openai"),
        (Media(kind="file", file_id="assistant-1"), "azure"),
        (GOOGLE, "gemini"),
        (CLOUD, "gemini"),
        (AMAZON, "bedrock"),
        (Media(kind="file", url="file:///etc/passwd"), "file"),
        (WEB, ""),
        (INLINE, ""),
        (Media(kind="image", url="data:image/png;base64,AA=="), ""),
        (Media(kind="image", url="iVBORw0KGgo="), ""),
        (Media(kind="image"), ""),
    ],
)
def test_who_can_read_a_file_is_known_by_its_name(media: Media, expected: str) -> None:
    """Ids and addresses of one vendor's are that vendor's; what is at hand or on the web is everybody's."""
    assert holder(media) == expected


def test_what_is_somebody_elses_is_left_out() -> None:
    """Of a turn, and of what a tool answered; a turn of nothing else goes with it. What a model said stays."""
    spoken = Turn(role="assistant", parts=[Media(kind="audio", file_id="audio_1", transcript="hi")])
    turns = [
        Turn(role="user", parts=[OPENAI, Text(text="x"), ANTHROPIC]),
        Turn(role="user", parts=[CLOUD]),
        spoken,
        Turn(role="user", parts=[ToolResult(id="a", parts=[AMAZON, Text(text="y")])]),
    ]
    assert readable(turns, "anthropic") == (
        [
            Turn(role="user", parts=[Text(text="x"), ANTHROPIC]),
            spoken,
            Turn(role="user", parts=[ToolResult(id="a", parts=[Text(text="y")])]),
        ],
        ["image", "tool_media"],
    )


def test_what_can_be_read_stays_as_it_is() -> None:
    """A call without others' files is not written anew."""
    turns = [Turn(role="user", parts=[WEB, INLINE, GOOGLE])]
    assert readable(turns, "gemini") == (turns, [])
    assert readable(turns, "gemini")[0] is turns


@pytest.mark.parametrize(("operation", "vendor", "model"), CHATS)
def test_no_vendor_gets_anothers_files(operation: Operation, vendor: str, model: str) -> None:
    """Each is named as left out, for every vendor that is not its holder; Google's takes its own."""
    for media, name in ((ANTHROPIC, b"file_011"), (OPENAI, b"file-abc"), (GOOGLE, b"googleapis"), (CLOUD, b"gs://")):
        chat = Chat(model="m", turns=[Turn(role="user", parts=[Text(text="x"), media])])
        written = CLIENTS[operation].write(chat, model, TABLE[vendor].dialect)
        is_sent = name in written.body
        assert is_sent == (media.kind not in written.dropped)
        assert not is_sent or holder(media) == vendor.partition("-")[0]


def test_a_hosts_files_are_not_those_of_whom_it_is_like() -> None:
    """Who speaks OpenAI's format, or serves Anthropic's models, has none of their files."""
    hosts: list[tuple[Operation, Media, Dialect]] = [
        ("chat.completions", Media(kind="file", file_id="file-abc"), Dialect()),
        ("chat.completions", Media(kind="file", file_id="file-abc"), Dialect(has_developer=True, maker="azure")),
        ("messages", ANTHROPIC, Dialect(anthropic_version="vertex-2023-10-16")),
    ]
    for operation, media, dialect in hosts:
        chat = Chat(model="m", turns=[Turn(role="user", parts=[Text(text="x"), media])])
        written = CLIENTS[operation].write(chat, "claude-opus-5", dialect)
        assert media.file_id not in json.dumps(json.loads(written.body))
        assert list(written.dropped) == ["file"]
