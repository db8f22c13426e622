"""Reads one HTTP/1.1 reply with the least work that still counts it truly. Pure: bytes in, attributes out.

It checks the framing (a cut reply is an error, however early the status said 200) and looks at nothing else but the
ends of events, so that the generator costs less than what it measures.
"""

from __future__ import annotations

import re

MAX_HEAD = 256 * 1024
_TAIL = 2048
_MAX_SIZE_LINE = 4096
_INTERIM = ord("1")
_NEWLINE = ord("\n")
CHUNKED = -2
UNTIL_CLOSE = -1
_NUMBER = re.compile(rb" *(\d{1,12})")
_TOKENS = b'"completion_tokens":'


class BadReply(ValueError):
    """The bytes are no HTTP/1.1 reply; the message is a short name for the error count."""


class ReplyReader:
    """`feed` returns True when the reply is whole; then `rest` holds what came after it (nothing, from a sound
    server). `events` counts the server-sent events, `tail` is the end of the body."""

    __slots__ = ("_chunk", "_pending", "body_bytes", "events", "keep_alive", "left", "rest", "status",
                 "tail")  # fmt: skip

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Ready for the next reply on the same connection."""
        self.status = 0
        self.body_bytes = 0
        self.events = 0
        self.keep_alive = True
        self.tail = b""
        self.rest = b""
        self.left = 0  # bytes of the body still to come; or one of the two names above
        self._chunk = 0  # bytes of the chunk still to come, its CRLF included
        self._pending = b""

    def feed(self, data: bytes) -> bool:
        """Raises BadReply."""
        if self._pending:
            data, self._pending = self._pending + data, b""
        if not self.status:
            body = self._head(data)
            if body is None:
                return False
            data = body
        left = self.left
        if left == CHUNKED:
            return self._chunked(data)
        if left == UNTIL_CLOSE:
            self._body(data)
            return False
        size = len(data)
        if size > left:
            self.rest = data[left:]
            data = data[:left]
            size = left
        self._body(data)
        self.left = left - size
        return size == left

    def end(self) -> bool:
        """The connection has ended: whether that ends the reply too."""
        return self.status != 0 and self.left == UNTIL_CLOSE

    def tokens(self) -> int:
        """The output tokens that the reply's usage names, 0 when it names none."""
        at = self.tail.rfind(_TOKENS)
        if at < 0:
            return 0
        match = _NUMBER.match(self.tail, at + len(_TOKENS))
        return int(match[1]) if match else 0

    def stream_fault(self) -> str | None:
        """What is wrong with a stream that arrived whole, None if nothing is."""
        end = self.tail.rstrip()
        if end.endswith(b"data: [DONE]") or end.rpartition(b"\n\n")[2].startswith(b"event: message_stop"):
            return None
        if b'data: {"error"' in self.tail or b"event: error" in self.tail:
            return "error event"
        return "stream without message_stop" if b"event: " in self.tail else "stream without [DONE]"

    def _head(self, data: bytes) -> bytes | None:
        """Reads heads up to the real reply's; returns what follows it, None while it is not all there."""
        while True:
            end = data.find(b"\r\n\r\n") + 4
            if end == 3:
                if len(data) > MAX_HEAD or not data.startswith(b"HTTP/1."[: len(data)]):
                    raise BadReply("not HTTP")
                self._pending = data
                return None
            status = data[9:12]
            if not data.startswith(b"HTTP/1.") or not status.isdigit():
                raise BadReply("not HTTP")
            if status[0] != _INTERIM:
                break
            data = data[end:]  # an interim reply: the real one follows
        self.status = int(status)
        self._framing(data, end)
        return data[end:]

    def _framing(self, data: bytes, end: int) -> None:
        at = data.find(b"ontent-", 0, end)
        # the usual spellings first: lowering the head costs as much as all the rest
        while at >= 0:
            if data[at + 7 : at + 14].lower() == b"length:":
                self.left = self._length(data[at + 14 : data.find(b"\r", at)])
                break
            at = data.find(b"ontent-", at + 7, end)
        else:
            lower = data[:end].lower()
            at = lower.find(b"\r\ncontent-length:")
            if at >= 0:
                self.left = self._length(lower[at + 17 : lower.find(b"\r", at + 17)])
            elif b"\r\ntransfer-encoding: chunked" in lower:
                self.left = CHUNKED
            else:
                self.left = 0 if self.status in {204, 304} else UNTIL_CLOSE
        if self.left == UNTIL_CLOSE or data.find(b"onnection: close", 0, end) >= 0:
            self.keep_alive = False

    def _length(self, digits: bytes) -> int:
        digits = digits.strip()
        if not digits.isdigit():
            raise BadReply("bad content-length")
        return int(digits)

    def _chunked(self, data: bytes) -> bool:
        at, size = 0, len(data)
        while at < size:
            if self._chunk:
                take = min(self._chunk, size - at)
                body = take - max(2 - (self._chunk - take), 0)
                if body > 0:
                    self._body(data[at : at + body])
                self._chunk -= take
                at += take
                continue
            end = data.find(b"\r\n", at)
            if end < 0:
                if size - at > _MAX_SIZE_LINE:
                    raise BadReply("bad chunk")
                self._pending = data[at:]
                return False
            try:
                length = int(data[at:end].split(b";")[0], 16)
            except ValueError:
                raise BadReply("bad chunk") from None
            if length < 0:
                raise BadReply("bad chunk")
            if length == 0:
                return self._trailer(data, at, end)
            self._chunk = length + 2
            at = end + 2
        return False

    def _trailer(self, data: bytes, at: int, end: int) -> bool:
        """The last chunk and whatever trailers follow it, up to the blank line."""
        stop = data.find(b"\r\n\r\n", end)
        if stop < 0:
            if len(data) - at > MAX_HEAD:
                raise BadReply("bad chunk")
            self._pending = data[at:]
            return False
        self.rest = data[stop + 4 :]
        return True

    def _body(self, data: bytes) -> None:
        if not data:
            return
        self.body_bytes += len(data)
        tail = self.tail
        # an event's blank line may come in two reads
        split = tail[-1:] == b"\n" and data[0] == _NEWLINE and tail[-2:] != b"\n\n"
        self.events += data.count(b"\n\n", 1) + 1 if split else data.count(b"\n\n")
        self.tail = (tail + data)[-_TAIL:] if tail else data[-_TAIL:]
