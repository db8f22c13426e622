"""OpenAI's operations as the table of formats wants them."""

from __future__ import annotations

from gateline.formats.contract import Client, Codec, Server, Watch
from gateline.formats.openai.answer import write_reply
from gateline.formats.openai.chat_body import read_chat
from gateline.formats.openai.chat_call import write_chat
from gateline.formats.openai.chat_reader import ChatReader
from gateline.formats.openai.chat_writer import ChatWriter
from gateline.formats.openai.completion import CompletionWriter, read_completion, write_completion
from gateline.formats.openai.embedding import read_embed, read_embed_reply, write_embed, write_embed_reply
from gateline.formats.openai.names import CLIENT_NAMES, COMPLETION_NAMES, EMBEDDING_NAMES, SERVER_NAMES
from gateline.formats.openai.reply import read_reply
from gateline.formats.openai.usage import usage_in_tail, usage_of_reply
from gateline.formats.openai.watch import StreamCodec
from gateline.formats.vendor_error import reported_error
from gateline.model.call import Call
from gateline.model.errors import UpstreamError


def _codec(call: Call, secret: str) -> Codec:
    return StreamCodec(call.include_usage, secret=secret)


def _reported(body: bytes, secret: str) -> UpstreamError | None:
    failed = reported_error(body, secret=secret)
    return None if failed is None else UpstreamError(failed.message, code=failed.code, param=failed.param)


STREAM_WATCH = Watch(usage_of_reply, usage_in_tail, _codec, _reported)
WHOLE_WATCH = Watch(usage_of_reply, usage_in_tail, None, _reported)

CHAT_SERVER = Server(read_chat, write_reply, SERVER_NAMES, ChatWriter)
CHAT_CLIENT = Client(write_chat, read_reply, CLIENT_NAMES, ChatReader)
COMPLETION_SERVER = Server(read_completion, write_completion, COMPLETION_NAMES, CompletionWriter)
EMBEDDING_SERVER = Server(read_embed, write_embed_reply, EMBEDDING_NAMES)
EMBEDDING_CLIENT = Client(write_embed, read_embed_reply, EMBEDDING_NAMES)
