"""Asks another process what is in a large body or reply, and goes on serving meanwhile."""

from __future__ import annotations

import asyncio
import mmap
import os
import socket
from array import array
from pathlib import Path

import msgspec

from gateline.model.peek import MESSAGE, Failed, FromPeeker, Peek, ToPeeker, Translate, Translated, TranslateReply
from gateline.net.flow import Flow
from gateline.net.spool import Spool

_WAITING = 256  # questions of one worker under way
_decode = msgspec.msgpack.Decoder(FromPeeker).decode
_encode = msgspec.msgpack.Encoder().encode


class PeekLink:
    """One a worker, on a datagram socket of its own. `ask` says False when there is nobody to ask."""

    def __init__(self, loop: asyncio.AbstractEventLoop, own: Path, peer: Path) -> None:
        self._loop = loop
        self._own = own
        self._peer = str(peer)
        self._waiting: dict[int, Question] = {}
        self._next = 1
        own.unlink(missing_ok=True)
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._sock.setblocking(False)
        self._sock.bind(str(own))
        own.chmod(0o600)
        loop.add_reader(self._sock.fileno(), self._receive)

    def ask(
        self, spool: Spool, operation: str, flow: Flow, model: str, stream: bool | None, form: bytes = b""
    ) -> Question | None:
        """The question what is in a body, to be waited for; None when it cannot be asked now. `model`, `stream` and
        `form`: as in `Peek`."""
        return self._send(Peek(self._next, operation, len(spool), model, stream, form), spool, flow)

    def ask_translation(
        self,
        spool: Spool,
        operation: str,
        flow: Flow,
        model: str,
        stream: bool | None,
        *,
        spoken: str,
        target: str,
        dialect: bytes,
    ) -> Question | None:
        """The same for a translation, as in `Translate`."""
        message = Translate(self._next, operation, len(spool), model, stream, spoken, target, dialect)
        return self._send(message, spool, flow)

    def ask_reply(
        self, spool: Spool, operation: str, flow: Flow, packed: int, *, spoken: str, secret: str, sealer: str
    ) -> Question | None:
        """The same for an answer, as in `TranslateReply`: the last `packed` bytes of the spool are the call."""
        message = TranslateReply(self._next, operation, len(spool) - packed, packed, spoken, secret, sealer)
        return self._send(message, spool, flow)

    def _send(self, message: ToPeeker, spool: Spool, flow: Flow) -> Question | None:
        if len(self._waiting) >= _WAITING:
            return None
        self._next += 1
        data = _encode(message)
        if len(data) > MESSAGE:
            return None
        try:
            # Not socket.send_fds: on Python 3.11 it drops the address.
            beside = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", [spool.fd]))]
            self._sock.sendmsg([data], beside, 0, self._peer)
        except OSError:
            return None  # it is not there, or its queue is full
        spool.is_shared = True
        question = self._waiting[message.id] = Question(message.id, flow, spool)
        return question

    def forget(self, question: Question) -> None:
        self._waiting.pop(question.number, None)

    def close(self) -> None:
        self._loop.remove_reader(self._sock.fileno())
        self._sock.close()
        self._own.unlink(missing_ok=True)

    def _receive(self) -> None:
        while True:
            try:
                data, descriptors, _, _ = socket.recv_fds(self._sock, MESSAGE, 1)
            except OSError:
                return
            try:
                self._take(data, descriptors)
            finally:
                for descriptor in descriptors:
                    os.close(descriptor)

    def _take(self, data: bytes, descriptors: list[int]) -> None:
        try:
            answer = _decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return  # not ours: whoever waits for one does not wait for ever
        question = self._waiting.pop(answer.id, None)
        if question is None:
            return
        if isinstance(answer, Translated):
            try:
                question.pages = mmap.mmap(descriptors[0], answer.size + answer.packed, prot=mmap.PROT_READ)
            except (OSError, ValueError, IndexError):  # descriptors are short, or memory is
                answer = Failed(answer.id)
        question.answer = answer
        question.spool.is_shared = False
        question.flow.wake()


class Question:
    """Answered when `answer` is set; its flow is woken then. Until then the other process may look at the spool.
    `pages` are what came beside a `Translated`."""

    __slots__ = ("answer", "flow", "number", "pages", "spool")

    def __init__(self, number: int, flow: Flow, spool: Spool) -> None:
        self.number = number
        self.flow = flow
        self.spool = spool
        self.answer: FromPeeker | None = None
        self.pages: mmap.mmap | None = None
