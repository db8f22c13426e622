"""OpenAI's operations as the table of formats wants them."""

from __future__ import annotations

from gateline.formats.contract import Client, Codec, Server, Watch
from gateline.formats.holders import openai_files
from gateline.formats.openai.answer import write_reply
from gateline.formats.openai.chat_body import read_chat
from gateline.formats.openai.chat_call import write_chat
from gateline.formats.openai.chat_reader import ChatReader
from gateline.formats.openai.chat_writer import ChatWriter
from gateline.formats.openai.choices import glance, has_choice
from gateline.formats.openai.completion import CompletionWriter, read_completion, write_completion
from gateline.formats.openai.embedding import read_embed, read_embed_reply, write_embed, write_embed_reply
from gateline.formats.openai.media_usage import MediaUsage, UsageObject
from gateline.formats.openai.media_watch import MediaCodec
from gateline.formats.openai.names import CLIENT_NAMES, COMPLETION_NAMES, EMBEDDING_NAMES, SERVER_NAMES
from gateline.formats.openai.quiet import QuietCodec, QuietReader
from gateline.formats.openai.reply import read_reply
from gateline.formats.openai.usage import usage_in_tail, usage_of_reply
from gateline.formats.openai.watch import StreamCodec
from gateline.formats.outbound import outbound
from gateline.formats.tool_names import USUAL
from gateline.formats.vendor_error import reported_error
from gateline.model.call import Call
from gateline.model.errors import UpstreamError


def _codec(call: Call, secret: str) -> Codec:
    return StreamCodec(call.include_usage, secret=secret)


def _reported(body: bytes, secret: str) -> UpstreamError | None:
    failed = reported_error(body, secret=secret)
    return None if failed is None else UpstreamError(failed.message, code=failed.code, param=failed.param)


STREAM_WATCH = Watch(usage_of_reply, usage_in_tail, _codec, _reported, has_answer=has_choice, glance=glance)
QUIET_WATCH = Watch(
    usage_of_reply,
    usage_in_tail,
    lambda call, secret: QuietCodec(call.include_usage, secret=secret),
    _reported,
    has_answer=has_choice,
    glance=glance,
)
WHOLE_WATCH = Watch(usage_of_reply, usage_in_tail, None, _reported)

_PICTURES = MediaUsage(UsageObject.picture_counts)
_TRANSCRIPTS = MediaUsage(UsageObject.counts)
_SPEECH = MediaUsage(UsageObject.speech_counts)
# Response formats of transcripts that are a JSON object; `text`, `srt` and `vtt` are not.
_OBJECTS = frozenset({"json", "verbose_json", "diarized_json", "null", ""})


def _pictures(call: Call, secret: str) -> Codec:
    """One result is expected for each picture that was asked for."""
    try:
        results = int(bytes(call.fields["n"])) if "n" in call.fields else 1
    except ValueError:
        results = 1
    return MediaCodec(_PICTURES, secret, results)


def _transcript(call: Call, secret: str) -> Codec:
    return MediaCodec(_TRANSCRIPTS, secret)


def _speech(call: Call, secret: str) -> Codec:
    return MediaCodec(_SPEECH, secret)


def _wants_text(call: Call) -> bool:
    """`response_format` stands bare in a form, in quotes in JSON."""
    wanted = call.fields.get("response_format")
    return wanted is not None and bytes(wanted).decode("utf-8", "replace").strip(' "') not in _OBJECTS


IMAGE_WATCH = Watch(_PICTURES.of_reply, _PICTURES.in_tail, _pictures, _reported)
# OpenAI's whisper-1 answers a wish for a stream with a whole transcript, its tts-1 with sound (API reference).
TRANSCRIPT_WATCH = Watch(
    _TRANSCRIPTS.of_reply, _TRANSCRIPTS.in_tail, _transcript, _reported, wants_text=_wants_text, may_be_whole=True
)
SPEECH_WATCH = Watch(_SPEECH.of_reply, _SPEECH.in_tail, _speech, _reported, is_json=False, may_be_whole=True)

CHAT_SERVER = Server(read_chat, write_reply, SERVER_NAMES, ChatWriter)
_WRITE = outbound(write_chat, USUAL, openai_files)
CHAT_CLIENT = Client(_WRITE, read_reply, CLIENT_NAMES, ChatReader, USUAL)
QUIET_CLIENT = Client(_WRITE, read_reply, CLIENT_NAMES, QuietReader, USUAL)
COMPLETION_SERVER = Server(read_completion, write_completion, COMPLETION_NAMES, CompletionWriter)
EMBEDDING_SERVER = Server(read_embed, write_embed_reply, EMBEDDING_NAMES)
EMBEDDING_CLIENT = Client(write_embed, read_embed_reply, EMBEDDING_NAMES)
