"""From a reply and a cue to the steps that send it, the fault included. Pure: decides everything, sends nothing."""

from __future__ import annotations

import random
import re
import zlib
from collections.abc import Iterable, Iterator
from itertools import chain

from gateline.fake.cue import Cue
from gateline.fake.objects import OPENAI
from gateline.fake.reply import Close, Hang, Pause, Piece, Reply, Reset, Send, Step, Strike, Voice, head, whole

_FILLER = 16 * 1024
_BIG_HEAD_BYTES = 100_000
_DRIP_SECONDS = 0.01
_GARBAGE = bytes(range(255, 127, -1)) + b"\r\n\x00\x01garbage\r\n\r\n"
_TOLD = "The fake provider was told to fail here."
_SPLIT_SECONDS = 0.02
_CHARACTER = re.compile(rb"[\xf0-\xf4][\x80-\xbf]{3}")  # of four bytes of UTF-8
_METADATA_ADDRESS = "http://169.254.169.254/latest/meta-data/"
# Faults that can strike before the head, or, with `after`, between the pieces.
_ANYWHERE = frozenset({"reset", "stall", "close", "garbage"})
_SECOND_BODY = b'{"unasked":true}'
_JSON, _EVENTS = "application/json", "text/event-stream"


class Frame:
    """How the bytes of one reply are delimited: by its length, by chunks, or (HTTP/1.0) by the connection's end."""

    def __init__(self, *, length: int | None, chunked: bool) -> None:
        self.length = length
        self.chunked = chunked and length is None
        self.until_close = length is None and not self.chunked

    def headers(self, extra: int = 0) -> list[tuple[str, str]]:
        if self.length is not None:
            return [("content-length", str(max(self.length + extra, 0)))]
        return [("transfer-encoding", "chunked")] if self.chunked else [("connection", "close")]

    def wrap(self, data: bytes) -> bytes:
        return b"%x\r\n%b\r\n" % (len(data), data) if self.chunked and data else data

    def end(self) -> bytes:
        return b"0\r\n\r\n" if self.chunked else b""


class Pace:
    """The pauses of one reply, in seconds; the random part comes from `seed`, so that a run can be repeated."""

    def __init__(self, latency: float, tps: float | None, jitter: float, seed: str) -> None:
        self._latency = latency
        self._tps = tps
        self._jitter = jitter
        self._random = random.Random(seed)

    def first_byte(self) -> float:
        return self._shake(self._latency)

    def gap(self, tokens: int) -> float:
        return self._shake(tokens / self._tps) if self._tps and tokens else 0.0

    def _shake(self, seconds: float) -> float:
        if not seconds or not self._jitter:
            return seconds
        return seconds * (1 + self._jitter * (2 * self._random.random() - 1))


def compose(reply: Reply, cue: Cue, pace: Pace, base: list[tuple[str, str]], *, chunked: bool) -> Iterator[Step]:
    """Yields the steps for one reply. `base`: headers that every reply has; `chunked`: the peer speaks HTTP/1.1."""
    yield Pause(pace.first_byte())
    fault = cue.fault
    midway = _is_midway(cue, stream=reply.stream)
    if cue.name is not None and not midway:
        yield Strike(cue.name)
        if fault in _ANYWHERE:
            yield from _strike(cue, Piece(b""), None, OPENAI)
            if not _goes_on(cue):
                return
    reply = bend(reply, cue)
    frame = Frame(length=reply.length, chunked=chunked)
    if fault == "interim":
        yield Send(head(int(cue.value or 103), [("link", "</style.css>; rel=preload")] if cue.value != 100 else []))
    extra = int(cue.value or 0) if fault == "length" else 0
    headers = [*base, ("content-type", _type_of(reply, cue)), *reply.headers, *frame.headers(extra)]
    if fault == "big_head":
        headers.append(("x-filler", "f" * int(cue.value or _BIG_HEAD_BYTES)))
    drip = (cue.value or _DRIP_SECONDS) if fault == "drip" else 0.0
    yield Send(head(reply.status, headers), "head", drip=drip)
    body = _body(reply, cue, pace, frame, drip, midway=midway)
    yield from _with_second(body) if fault == "second" else body
    if frame.until_close or extra:
        yield Close()


def _type_of(reply: Reply, cue: Cue) -> str:
    """What the head says that the body is, true or not."""
    if cue.fault != "false_type":
        return reply.content_type
    return _EVENTS if reply.content_type == _JSON else _JSON


def _is_midway(cue: Cue, *, stream: bool) -> bool:
    """Whether the fault strikes between the pieces of the body, rather than before the head or in its shape."""
    if cue.fault in _ANYWHERE:
        return cue.after is not None
    return cue.fault in {"cut", "bad_chunk"} or (stream and cue.fault in {"bad_json", "error_event"})


def _body(reply: Reply, cue: Cue, pace: Pace, frame: Frame, drip: float, *, midway: bool) -> Iterator[Step]:
    after = (cue.after or 0) if midway else -1
    for index, piece in enumerate(reply.pieces):
        # an `after` past the end strikes at the end: a fault that was asked for always comes
        last = piece.done or (not reply.stream and index > 0)
        if after >= 0 and (index >= after or last):
            after = -1
            yield Strike(cue.name or "")
            yield from _strike(cue, piece, frame, reply.voice or OPENAI)
            if not _goes_on(cue):
                return
        if piece.done and cue.fault == "no_done":
            continue
        if reply.stream:
            yield Pause(pace.gap(piece.tokens))
        character = _CHARACTER.search(piece.data) if cue.split and not drip else None
        if character is not None:
            yield from _split(piece, character.start() + 1, frame)
            continue
        yield Send(frame.wrap(piece.data), "chunk", piece.tokens, piece.usage, drip)
    yield Send(frame.end())


def _split(piece: Piece, inside: int, frame: Frame) -> Iterator[Step]:
    """The piece in two writes, the first of which ends inside a character."""
    yield Send(frame.wrap(piece.data[:inside]))
    yield Pause(_SPLIT_SECONDS)
    yield Send(frame.wrap(piece.data[inside:]), "chunk", piece.tokens, piece.usage)


def _with_second(body: Iterator[Step]) -> Iterator[Step]:
    """The steps of a body, a reply nobody asked for in one write with its last bytes: sent apart, it could come after
    the peer's next request and would then be the reply to that."""
    second = [("content-type", "application/json"), ("content-length", str(len(_SECOND_BODY)))]
    held: Step | None = None
    for step in body:
        if isinstance(step, Send) and not step.data:
            continue
        if held is not None:
            yield held
        held = step
    if isinstance(held, Send):
        data = held.data + head(200, second) + _SECOND_BODY
        yield Send(data, held.event, held.tokens, held.usage, held.drip)


def _goes_on(cue: Cue) -> bool:
    return cue.fault == "bad_json" or (cue.fault == "stall" and cue.value is not None)


def _strike(cue: Cue, piece: Piece, frame: Frame | None, voice: Voice) -> Iterator[Step]:
    """The moment the reply goes wrong; `piece` is what would have come next."""
    fault = cue.fault
    if fault == "reset":
        yield Reset()
    elif fault == "stall":
        yield Hang() if cue.value is None else Pause(cue.value)
    elif fault == "close":
        yield Close()
    elif fault == "garbage":
        yield Send(_GARBAGE)
        yield Close()
    elif frame is None:
        return
    elif fault == "cut":
        wrapped = frame.wrap(piece.data)
        yield Send(wrapped[: max(len(wrapped) // 2, 1)])
        yield Close()
    elif fault == "bad_chunk":
        yield Send(b"zz\r\n" + piece.data + b"\r\n")
        yield Close()
    elif fault == "bad_json":
        yield Send(frame.wrap(voice.bad_event), "chunk")
    elif fault == "error_event":
        yield Send(frame.wrap(voice.in_band(_TOLD)), "chunk")
        yield Send(frame.end())
        if frame.until_close:
            yield Close()


def bend(reply: Reply, cue: Cue) -> Reply:
    """The reply as the cue's fault shapes it: another status, another size, another coding."""
    fault = cue.fault
    if fault == "status":
        reply = _failure(cue, reply.voice or OPENAI)
    elif fault == "redirect":
        location = cue.to or _METADATA_ADDRESS
        moved = (reply.voice or OPENAI).refuse(int(cue.value or 307), "Moved.", "redirect")
        reply = moved._replace(headers=(*moved.headers, ("location", location)))
    elif fault in {"huge", "endless"}:
        reply = _swell(reply, None if fault == "endless" else int(cue.value or 0))
    elif not reply.stream:
        reply = _bend_whole(reply, cue)
    return _zip(reply) if cue.gzip else reply


def _bend_whole(reply: Reply, cue: Cue) -> Reply:
    """A whole body goes wrong where a stream does: it is cut in two, so that there is a piece to stop after."""
    body = b"".join(piece.data for piece in reply.pieces)
    tokens = sum(piece.tokens for piece in reply.pieces)
    if cue.fault == "error_event":
        return (reply.voice or OPENAI).refuse(500, _TOLD, "fake_error")._replace(status=200)
    if cue.fault == "bad_json":
        return whole(200, body[: len(body) // 2])
    halves = [Piece(body[: len(body) // 2]), Piece(body[len(body) // 2 :], tokens, usage=reply.usage is not None)]
    if cue.fault == "bad_chunk":
        return reply._replace(pieces=halves, length=None)
    if cue.after is not None or cue.fault == "cut":
        return reply._replace(pieces=halves)
    return reply


def _failure(cue: Cue, voice: Voice) -> Reply:
    status = int(cue.value or 500)
    message = f"The fake provider was told to answer {status}."
    return voice.refuse(status, message) if cue.retry_after is None else voice.busy(status, message, cue.retry_after)


def _swell(reply: Reply, size: int | None) -> Reply:
    """More of the same, `size` bytes or for ever: blanks in a JSON body (whose usage stays in its tail), a repeated
    event in a stream, the first that has a part of the answer."""
    pieces = list(reply.pieces)
    if reply.stream:
        at = next((index for index, piece in enumerate(pieces) if piece.tokens), min(1, len(pieces) - 1))
        return reply._replace(pieces=chain(pieces[:at], _padding(pieces[at], size), pieces[at:]))
    body = b"".join(piece.data for piece in pieces)
    blanks = _padding(Piece(b" " * _FILLER), size, whole_pieces=False)
    length = None if size is None else size + len(body)
    return reply._replace(pieces=chain([Piece(body[:1])], blanks, [pieces[0]._replace(data=body[1:])]), length=length)


def _padding(piece: Piece, size: int | None, *, whole_pieces: bool = True) -> Iterator[Piece]:
    left = size
    while left is None or left > 0:
        yield piece if left is None or whole_pieces or left >= len(piece.data) else Piece(piece.data[:left])
        if left is not None:
            left -= len(piece.data)


def _zip(reply: Reply) -> Reply:
    """gzip, asked for or not; each piece of a stream is flushed, so that it can be read when it comes."""
    headers = (*reply.headers, ("content-encoding", "gzip"))
    pieces: Iterable[Piece] = _deflate(reply.pieces)
    if reply.length is None or reply.length > 1024 * 1024:
        return reply._replace(pieces=pieces, length=None, headers=headers)
    pieces = list(pieces)
    return reply._replace(pieces=pieces, length=sum(len(piece.data) for piece in pieces), headers=headers)


def _deflate(pieces: Iterable[Piece]) -> Iterator[Piece]:
    deflater = zlib.compressobj(wbits=31)
    for piece in pieces:
        yield piece._replace(data=deflater.compress(piece.data) + deflater.flush(zlib.Z_SYNC_FLUSH), done=False)
    yield Piece(deflater.flush())
