"""The process that decodes large bodies and replies, so that no worker's loop stands still for them.

It knows descriptors and formats, nothing of requests: a body in, the places of its top-level fields out, or the same
call or answer in another format. One request at a time; what waits is bounded by the socket's queue.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import signal
import socket
import sys
from array import array
from collections.abc import Callable, Sequence
from pathlib import Path
from time import time
from typing import TypeVar, cast

import msgspec

from gateline.app.complaints import Complaints
from gateline.formats.call import read_call
from gateline.formats.dialect import Dialect
from gateline.formats.foreign import foreign_hint
from gateline.formats.form import read_form
from gateline.formats.packed import pack, unpack
from gateline.formats.table import CLIENTS, SERVERS
from gateline.formats.translation import translate_reply
from gateline.model.call import Operation
from gateline.model.errors import BadRequest, GatewayError, UpstreamBroken, UpstreamError
from gateline.model.peek import (
    MESSAGE,
    Failed,
    FromPeeker,
    Peek,
    Peeked,
    ToPeeker,
    Translate,
    Translated,
    TranslateReply,
    Unreadable,
)

T = TypeVar("T")

_FIELDS = 1_000  # with names of this many bytes in all: an answer must fit a datagram
_NAMES = 16_384
_WORDS = 2_048  # characters of a text out of a body that an answer repeats
_PATIENCE = 5.0  # seconds for one question: all others wait behind it
_NICE = 5  # where cores are short, one large body gives way to the many small ones
_decode = msgspec.msgpack.Decoder(ToPeeker).decode
_decode_dialect = msgspec.msgpack.Decoder(Dialect).decode
_encode = msgspec.msgpack.Encoder().encode


class _Buffer(ctypes.Structure):
    """The beginning of CPython's `Py_buffer` (docs.python.org/3/c-api/buffer.html): where a view's bytes lie."""

    _fields_ = (
        ("buf", ctypes.c_void_p),
        ("obj", ctypes.py_object),
        ("len", ctypes.c_ssize_t),
        ("rest", ctypes.c_byte * 128),
    )


def address_of(view: object) -> int:
    """The address of the first byte that `view` (anything with a buffer) shows."""
    buffer = _Buffer()
    ctypes.pythonapi.PyObject_GetBuffer(ctypes.py_object(view), ctypes.byref(buffer), 0)
    try:
        return buffer.buf or 0
    finally:
        ctypes.pythonapi.PyBuffer_Release(ctypes.byref(buffer))


def look(question: Peek, pages: mmap.mmap) -> Peeked | Unreadable:
    """The answer to one question."""
    body = memoryview(pages)[: question.size]
    operation = cast("Operation", question.operation)
    try:
        if question.form:
            call = read_form(body, question.form, operation)
        else:
            call = read_call(body, operation, question.model, question.stream)
    except BadRequest as error:
        return _unreadable(question.id, error)
    if len(call.fields) > _FIELDS or sum(map(len, call.fields)) > _NAMES:
        return Unreadable(question.id, "the body has more fields than any call takes", None, "invalid_value")
    base = address_of(body)
    spans = [(name, address_of(raw) - base, memoryview(raw).nbytes) for name, raw in call.fields.items()]
    return Peeked(
        question.id,
        call.model[:_WORDS],  # no model of ours is called so: what is cut is not found either
        call.stream,
        call.include_usage,
        call.user and call.user[:_WORDS],
        call.max_tokens,
        [(name, start, start + length) for name, start, length in spans],
        call.form,
        _stands_in(pages, foreign_hint(operation), question.size),
    )


def _stands_in(pages: mmap.mmap, hint: bytes, size: int) -> bool:
    """0.4 ms a megabyte."""
    return hint != b"" and pages.find(hint, 0, size) >= 0


def translate(question: Translate, pages: mmap.mmap) -> tuple[Translated, list[bytes]] | Unreadable:
    """The answer to one question, and the pieces of what goes with it."""
    body = memoryview(pages)[: question.size]
    operation, spoken = cast("Operation", question.operation), cast("Operation", question.spoken)
    try:
        call = read_call(body, operation, question.model, question.stream)
        ask = SERVERS[operation].read(call, body)
        written = CLIENTS[spoken].write(ask, question.target, _decode_dialect(question.dialect))
        packed = pack(ask)
    except BadRequest as error:
        return _unreadable(question.id, error)
    return Translated(question.id, len(written.body), len(packed), _first(written.dropped)), [written.body, packed]


def translate_answer(question: TranslateReply, pages: mmap.mmap) -> tuple[Translated, list[bytes]] | Unreadable:
    """The same for a vendor's answer."""
    view, size = memoryview(pages), question.size
    operation, spoken = cast("Operation", question.operation), cast("Operation", question.spoken)
    ask = unpack(view[size : size + question.packed], operation)
    client, server = CLIENTS[spoken], SERVERS[operation]
    try:
        body, usage = translate_reply(
            client, server, bytes(view[:size]), ask, int(time()), question.secret, question.sealer
        )
    except UpstreamError as error:
        return _unreadable(question.id, error)
    return Translated(question.id, len(body), usage=usage), [body]


def _unreadable(number: int, error: GatewayError) -> Unreadable:
    param, code = error.param, error.reason
    return Unreadable(number, str(error)[:_WORDS], param and param[:_WORDS], code and code[:_WORDS], error.status)


def _first(names: Sequence[str]) -> list[str]:
    """As many of `names` as a header can tell."""
    left = _WORDS
    told: list[str] = []
    for name in names:
        left -= len(name)
        if left < 0:
            return told or [name[:_WORDS]]
        told.append(name)
    return told


class _TooLong(Exception):
    """A question has had its time."""


def within(seconds: float, work: Callable[[], T]) -> T | None:
    """What `work` returns; None when that takes longer. Main thread only. A single step of C code is waited for."""
    running = True

    def interrupt(_signal: int, _frame: object) -> None:
        if running:  # else it is done, just now
            raise _TooLong

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)  # and again: a finaliser may swallow the first
    try:
        try:
            return work()
        finally:
            running = False
    except _TooLong:
        return None
    finally:
        running = False
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


def answer(
    question: ToPeeker, pages: mmap.mmap, complaints: Complaints, patience: float = _PATIENCE
) -> tuple[bytes, list[bytes]]:
    """The datagram that answers, whatever becomes of the question, and the pieces of what goes beside it."""
    found: FromPeeker | tuple[FromPeeker, list[bytes]] | None
    try:
        if isinstance(question, Peek):
            found = within(patience, lambda: look(question, pages))
        elif isinstance(question, Translate):
            found = within(patience, lambda: translate(question, pages))
        else:
            found = within(patience, lambda: translate_answer(question, pages))
        if found is None and isinstance(question, TranslateReply):
            found = _unreadable(question.id, UpstreamBroken("the upstream's answer took too long to read"))
        elif found is None:
            found = Unreadable(question.id, "the body took too long to read: make it simpler", None, "invalid_value")
        told, pieces = found if isinstance(found, tuple) else (found, [])
        data = _encode(told)
    except Exception as defect:  # noqa: BLE001 - a question's boundary: one body's defect must not cost others theirs
        complaints.crash(defect)
        return _encode(Failed(question.id)), []
    if len(data) > MESSAGE:
        refused = Unreadable(question.id, "the body holds longer names than any call has", None, "invalid_value")
        return _encode(refused), []
    return data, pieces


def _send(sock: socket.socket, sender: str, data: bytes, pieces: list[bytes]) -> None:
    """Raises OSError when nobody is there any more, or memory is short."""
    if not pieces:
        sock.sendto(data, sender)
        return
    descriptor = os.memfd_create("gateline-translated", os.MFD_CLOEXEC)
    try:
        for piece in pieces:
            _write(descriptor, piece)
        sock.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", [descriptor]))], 0, sender)
    finally:
        os.close(descriptor)


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def serve(path: Path, parent: int) -> None:
    """Answers until the process `parent` is gone. Raises OSError when the socket cannot be made."""
    path.unlink(missing_ok=True)
    complaints = Complaints("peeker", 0)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(path))
        path.chmod(0o600)
        sock.settimeout(1.0)
        while os.getppid() == parent:
            try:
                data, descriptors, _, sender = socket.recv_fds(sock, MESSAGE, 1)
            except TimeoutError:
                continue
            try:
                question = _decode(data)
                size = question.size + (question.packed if isinstance(question, TranslateReply) else 0)
                pages = mmap.mmap(descriptors[0], size, prot=mmap.PROT_READ)
            except (OSError, ValueError, msgspec.MsgspecError, IndexError):
                continue  # the worker has died meanwhile, or what came is not ours
            finally:
                for descriptor in descriptors:
                    os.close(descriptor)
            data, pieces = answer(question, pages, complaints)
            try:
                _send(sock, sender, data, pieces)
            except OSError:
                with contextlib.suppress(OSError):  # the worker has died meanwhile
                    sock.sendto(_encode(Failed(question.id)), sender)
            with contextlib.suppress(BufferError):  # a defect's frames may still show it: it goes with them
                pages.close()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all: the supervisor says what it means
    os.nice(_NICE)
    serve(Path(sys.argv[1]), int(sys.argv[2]))
