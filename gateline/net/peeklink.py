"""Asks another process what is in a large body, and goes on serving meanwhile."""

from __future__ import annotations

import asyncio
import socket
from array import array
from pathlib import Path

import msgspec

from gateline.model.peek import FromPeeker, Peek
from gateline.net.flow import Flow
from gateline.net.spool import Spool

_ANSWER = 65_536
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

    def ask(self, spool: Spool, operation: str, flow: Flow, model: str, stream: bool | None) -> Question | None:
        """The question, to be waited for; None when it cannot be asked now. `model` and `stream`: as in `Peek`."""
        if len(self._waiting) >= _WAITING:
            return None
        number = self._next
        self._next += 1
        message = _encode(Peek(number, operation, len(spool), model, stream))
        try:
            # Not socket.send_fds: on Python 3.11 it drops the address.
            beside = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", [spool.fd]))]
            self._sock.sendmsg([message], beside, 0, self._peer)
        except OSError:
            return None  # it is not there, or its queue is full
        spool.is_shared = True
        question = self._waiting[number] = Question(number, flow, spool)
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
                data = self._sock.recv(_ANSWER)
            except OSError:
                return
            answer = _decode(data)
            question = self._waiting.pop(answer.id, None)
            if question is not None:
                question.answer = answer
                question.spool.is_shared = False
                question.flow.wake()


class Question:
    """Answered when `answer` is set; its flow is woken then. Until then the other process may look at the spool."""

    __slots__ = ("answer", "flow", "number", "spool")

    def __init__(self, number: int, flow: Flow, spool: Spool) -> None:
        self.number = number
        self.flow = flow
        self.spool = spool
        self.answer: FromPeeker | None = None
