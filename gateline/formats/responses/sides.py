"""The Responses API as the table of formats wants it."""

from __future__ import annotations

from gateline.formats.contract import Client, Codec, Server, Watch, Writer
from gateline.formats.holders import openai_files
from gateline.formats.outbound import outbound
from gateline.formats.responses.marker import ResponseMarker
from gateline.formats.responses.names import CLIENT_NAMES, SERVER_NAMES
from gateline.formats.responses.read_request import read_chat
from gateline.formats.responses.reader import ResponseReader
from gateline.formats.responses.reply import read_reply, write_reply
from gateline.formats.responses.usage import usage_in_tail, usage_of_reply
from gateline.formats.responses.watch import ResponseCodec
from gateline.formats.responses.write_request import write_chat
from gateline.formats.responses.writer import ResponseWriter
from gateline.formats.tool_names import USUAL
from gateline.formats.vendor_error import reported_error
from gateline.model.call import Call
from gateline.model.chat import Chat
from gateline.model.errors import UpstreamError


def _codec(_: Call, secret: str) -> Codec:
    return ResponseCodec(secret)


def _reported(body: bytes, secret: str) -> UpstreamError | None:
    failed = reported_error(body, secret=secret)
    return None if failed is None else UpstreamError(failed.message, code=failed.code, param=failed.param)


def _writer(chat: Chat, request_id: str) -> Writer:
    return ResponseWriter(chat, request_id)


SERVER = Server(read_chat, write_reply, SERVER_NAMES, _writer)
CLIENT = Client(
    outbound(write_chat, USUAL, openai_files, "openai"), read_reply, CLIENT_NAMES, ResponseReader, USUAL, "openai"
)
WATCH = Watch(usage_of_reply, usage_in_tail, _codec, _reported, marker=ResponseMarker)
