"""Converse as the table of formats wants it."""

from __future__ import annotations

from gateline.formats.bedrock.body import write_chat
from gateline.formats.bedrock.error import error_headers, write_error
from gateline.formats.bedrock.names import CLIENT_NAMES, SERVER_NAMES
from gateline.formats.bedrock.reader import StreamReader
from gateline.formats.bedrock.reply import read_reply, reported, write_reply
from gateline.formats.bedrock.request import read_chat
from gateline.formats.bedrock.usage import usage_in_tail, usage_of_reply
from gateline.formats.bedrock.watch import StreamCodec
from gateline.formats.bedrock.writer import StreamWriter
from gateline.formats.contract import Client, ErrorForm, Server, Watch
from gateline.formats.outbound import outbound
from gateline.formats.tool_names import USUAL

SERVER = Server(read_chat, write_reply, SERVER_NAMES, StreamWriter, b"application/vnd.amazon.eventstream")
CLIENT = Client(outbound(write_chat, USUAL, lambda _: "bedrock"), read_reply, CLIENT_NAMES, StreamReader, USUAL)
WATCH = Watch(usage_of_reply, usage_in_tail, StreamCodec, reported, error_key=b'"message"')
ERRORS = ErrorForm(write_error, headers=error_headers)
