"""Gemini's operations as the table of formats wants them."""

from __future__ import annotations

from gateline.formats.contract import Client, ErrorForm, Server, Watch
from gateline.formats.gemini import embed
from gateline.formats.gemini.answer import write_reply
from gateline.formats.gemini.error import write_error
from gateline.formats.gemini.names import CLIENT_NAMES, COUNT_NAMES, EMBED_NAMES, SERVER_NAMES
from gateline.formats.gemini.reader import StreamReader
from gateline.formats.gemini.reply import read_counted, read_reply, write_counted
from gateline.formats.gemini.request import read_chat, read_count
from gateline.formats.gemini.usage import usage_in_tail, usage_of_reply
from gateline.formats.gemini.vendor_request import write_chat, write_count
from gateline.formats.gemini.watch import StreamCodec, reported_reply
from gateline.formats.gemini.writer import ArrayWriter, StreamWriter
from gateline.formats.outbound import outbound
from gateline.formats.tool_names import GEMINI

CHAT_SERVER = Server(read_chat, write_reply, SERVER_NAMES, StreamWriter, array_writer=ArrayWriter)
CHAT_CLIENT = Client(outbound(write_chat, GEMINI, lambda _: "gemini"), read_reply, CLIENT_NAMES, StreamReader, GEMINI)

COUNT_SERVER = Server(read_count, write_counted, SERVER_NAMES)
COUNT_CLIENT = Client(outbound(write_count, GEMINI, lambda _: "gemini"), read_counted, COUNT_NAMES)

EMBED_SERVER = Server(embed.read_embed, embed.write_reply, EMBED_NAMES)
EMBED_CLIENT = Client(embed.write_one, embed.read_reply, EMBED_NAMES)
BATCH_SERVER = Server(embed.read_batch, embed.write_reply, EMBED_NAMES)
BATCH_CLIENT = Client(embed.write_batch, embed.read_reply, EMBED_NAMES)

CHAT_WATCH = Watch(usage_of_reply, usage_in_tail, StreamCodec, reported_reply)
WHOLE_WATCH = Watch(usage_of_reply, usage_in_tail, None, reported_reply)

ERROR = ErrorForm(write_error)
