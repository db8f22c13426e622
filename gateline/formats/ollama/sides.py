"""Ollama's operations as the table of formats wants them."""

from __future__ import annotations

from gateline.formats.contract import Client, Codec, ErrorForm, Server, Watch
from gateline.formats.ollama import embed
from gateline.formats.ollama.error import reported, write_error
from gateline.formats.ollama.names import CHAT_NAMES, CLIENT_NAMES, EMBED_NAMES, GENERATE_NAMES
from gateline.formats.ollama.reader import StreamReader
from gateline.formats.ollama.reply import read_reply, write_generated, write_reply
from gateline.formats.ollama.request import read_chat, read_generate
from gateline.formats.ollama.usage import usage_in_tail, usage_of_reply
from gateline.formats.ollama.vendor_request import write_chat
from gateline.formats.ollama.watch import StreamCodec
from gateline.formats.ollama.writer import ChatWriter, GenerateWriter
from gateline.formats.outbound import outbound
from gateline.model.call import Call

LINES = b"application/x-ndjson"


def _codec(call: Call, secret: str) -> Codec:
    return StreamCodec(secret)


CHAT_SERVER = Server(read_chat, write_reply, CHAT_NAMES, ChatWriter, stream_type=LINES)
CHAT_CLIENT = Client(outbound(write_chat, None, lambda _: "ollama"), read_reply, CLIENT_NAMES, StreamReader)
GENERATE_SERVER = Server(read_generate, write_generated, GENERATE_NAMES, GenerateWriter, stream_type=LINES)
EMBED_SERVER = Server(embed.read_embed, embed.write_embed_reply, EMBED_NAMES)
EMBED_CLIENT = Client(embed.write_embed, embed.read_embed_reply, EMBED_NAMES)

STREAM_WATCH = Watch(usage_of_reply, usage_in_tail, _codec, reported)
WHOLE_WATCH = Watch(usage_of_reply, usage_in_tail, None, reported)

ERRORS = ErrorForm(write_error)
