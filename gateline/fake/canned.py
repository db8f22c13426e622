"""The fast mode's replies, made once: whole answers, embeddings and streams as the bytes that leave."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from gateline.fake import objects
from gateline.fake.answer import embed
from gateline.fake.ask import Ask
from gateline.fake.cue import NO_CUE
from gateline.fake.perform import perform
from gateline.fake.reply import Piece, head
from gateline.fake.wires.openai_chat import chat_chunks, chat_completion
from gateline.model.usage import Usage

STAMP = b"@" * 20  # replaced by the time of sending: monotonic nanoseconds, 20 digits
_MODEL = "gateline-fake"
_ASK = Ask(model=_MODEL, asked=b'"fast"')


class Stream(NamedTuple):
    """`head` and `first`, then `events` times the content event, then `last`, all in chunked coding.
    `before` and `behind` are the content event without its stamp; `unpaced` is the whole in one piece."""

    head: bytes
    first: bytes
    before: bytes
    behind: bytes
    events: int
    last: bytes
    unpaced: bytes


class Canned(NamedTuple):
    chat: bytes
    completion: bytes
    embedding: bytes
    models: bytes
    not_found: bytes
    stream: Stream
    stream_with_usage: Stream
    usage: Usage
    embedding_tokens: int


def make_canned(*, tokens: int, reply_bytes: int | None) -> Canned:
    """`tokens`: the answer's length and the number of content events of a stream; `reply_bytes`: the size that the
    body of a whole chat answer is filled up to."""
    answer = perform(_ASK, _MODEL, NO_CUE, tokens)
    chat = chat_completion([answer], _MODEL)
    if reply_bytes is not None and reply_bytes > len(chat):
        chat = chat.replace(b'"content":"', b'"content":"' + b"x" * (reply_bytes - len(chat)), 1)
    vector = objects.embeddings([embed(b"fast", 64)], _MODEL, 1)
    missing = objects.error("The fast fake provider has no such path.", "invalid_request_error", "unknown_url")
    return Canned(
        chat=_whole(200, chat),
        completion=_whole(200, objects.completion(answer, _MODEL)),
        embedding=_whole(200, vector),
        models=_whole(200, objects.models_page([_MODEL])),
        not_found=_whole(404, missing),
        stream=_stream(tokens, answer.usage, usage=False),
        stream_with_usage=_stream(tokens, answer.usage, usage=True),
        usage=answer.usage,
        embedding_tokens=1,
    )


def _whole(status: int, body: bytes) -> bytes:
    headers = [("content-type", "application/json"), ("content-length", str(len(body))), ("server", "gateline-fake")]
    return head(status, headers) + body


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _stream(tokens: int, counted: Usage, *, usage: bool) -> Stream:
    """The chunks of one content word, the word being the stamp. Its width is fixed, so the sizes are known."""
    answer = perform(_ASK, _MODEL, NO_CUE, 1)
    stamped = msgspec.structs.replace(answer, words=[STAMP.decode() + " "], finish="stop", usage=counted)
    pieces: list[Piece] = list(chat_chunks([stamped], _MODEL, 1, usage=usage))
    first, content = _chunk(pieces[0].data), _chunk(pieces[1].data)
    last = b"".join(_chunk(piece.data) for piece in pieces[2:]) + b"0\r\n\r\n"
    before, _, behind = content.partition(STAMP)
    headers = [("content-type", "text/event-stream"), ("transfer-encoding", "chunked"), ("server", "gateline-fake")]
    begin = head(200, headers)
    unpaced = begin + first + (before + b"0" * len(STAMP) + behind) * tokens + last
    return Stream(begin, first, before, behind, tokens, last, unpaced)
