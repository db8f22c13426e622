"""Anthropic's operations as the table of formats wants them."""

from __future__ import annotations

from gateline.formats.anthropic.body import write_chat, write_count
from gateline.formats.anthropic.error import write_error
from gateline.formats.anthropic.marker import MessageMarker
from gateline.formats.anthropic.names import CLIENT_NAMES, SERVER_NAMES
from gateline.formats.anthropic.reader import StreamReader
from gateline.formats.anthropic.reply import (
    read_count_reply,
    read_reply,
    reported,
    write_count_reply,
    write_reply,
)
from gateline.formats.anthropic.request import read_chat, read_count
from gateline.formats.anthropic.usage import usage_in_tail, usage_of_reply
from gateline.formats.anthropic.watch import StreamCodec
from gateline.formats.anthropic.writer import StreamWriter
from gateline.formats.contract import Client, Codec, ErrorForm, Server, Watch
from gateline.formats.dialect import Dialect
from gateline.formats.outbound import outbound
from gateline.formats.tool_names import USUAL
from gateline.model.call import Call
from gateline.model.chat import Maker
from gateline.model.usage import Usage

_NATIVE = "anthropic"


def _codec(call: Call, secret: str) -> Codec:
    return StreamCodec(secret)


def _holds(dialect: Dialect) -> Maker:
    """Its models at other hosts know no files of the vendor's own."""
    return dialect.maker or ("" if dialect.anthropic_version else "anthropic")


def _no_usage(body: bytes) -> Usage | None:
    return None


MESSAGES = Server(read_chat, write_reply, SERVER_NAMES, StreamWriter)
MESSAGES_CLIENT = Client(
    outbound(write_chat, USUAL, _holds, _NATIVE), read_reply, CLIENT_NAMES, StreamReader, USUAL, _NATIVE
)
MESSAGES_WATCH = Watch(usage_of_reply, usage_in_tail, _codec, reported, marker=MessageMarker)

COUNT = Server(read_count, write_count_reply, SERVER_NAMES)
COUNT_CLIENT = Client(outbound(write_count, USUAL, _holds, _NATIVE), read_count_reply, CLIENT_NAMES)
COUNT_WATCH = Watch(_no_usage, _no_usage, None, reported)

ERRORS = ErrorForm(write_error)
