"""Cohere's operations as the table of formats wants them."""

from __future__ import annotations

from gateline.formats.cohere import embed, rerank
from gateline.formats.cohere.body import write_chat
from gateline.formats.cohere.error import reported, write_error
from gateline.formats.cohere.names import CLIENT_NAMES, EMBED_NAMES, RERANK_NAMES, SERVER_NAMES
from gateline.formats.cohere.reader import StreamReader
from gateline.formats.cohere.reply import read_reply, write_reply
from gateline.formats.cohere.request import read_chat
from gateline.formats.cohere.usage import usage_in_tail, usage_of_embedding, usage_of_reply
from gateline.formats.cohere.watch import StreamCodec
from gateline.formats.cohere.writer import StreamWriter
from gateline.formats.contract import Client, ErrorForm, Server, Watch
from gateline.formats.outbound import outbound
from gateline.formats.tool_names import USUAL

CHAT_SERVER = Server(read_chat, write_reply, SERVER_NAMES, StreamWriter)
CHAT_CLIENT = Client(outbound(write_chat, USUAL, lambda _: "cohere"), read_reply, CLIENT_NAMES, StreamReader, USUAL)
CHAT_WATCH = Watch(usage_of_reply, usage_in_tail, StreamCodec, reported, error_key=b'"message"')

EMBED_SERVER = Server(embed.read_embed, embed.write_reply, EMBED_NAMES)
EMBED_CLIENT = Client(embed.write_embed, embed.read_reply, EMBED_NAMES)
EMBED_WATCH = Watch(usage_of_embedding, usage_of_embedding, None, reported)

RERANK_SERVER = Server(rerank.read_rerank, rerank.write_reply, RERANK_NAMES)
RERANK_CLIENT = Client(rerank.write_rerank, rerank.read_reply, RERANK_NAMES)
RERANK_WATCH = Watch(rerank.usage_of_reply, rerank.usage_in_tail, None, reported)

ERRORS = ErrorForm(write_error)
