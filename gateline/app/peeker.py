"""The process that decodes large request bodies, so that no worker's loop stands still for them.

It knows descriptors and formats, nothing of requests: a body in, the places of its top-level fields out, or the same
call in another format. One request at a time; what waits is bounded by the socket's queue.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import signal
import socket
import sys
from array import array
from pathlib import Path
from typing import cast

import msgspec

from gateline.formats.call import read_call
from gateline.formats.dialect import Dialect
from gateline.formats.form import read_form
from gateline.formats.packed import pack
from gateline.formats.table import CLIENTS, SERVERS
from gateline.model.call import Operation
from gateline.model.errors import BadRequest
from gateline.model.peek import Peek, Peeked, ToPeeker, Translate, Translated, Unreadable

_MESSAGE = 65_536
_FIELDS = 1_000  # with names of this many bytes in all: an answer must fit a datagram
_NAMES = 16_384
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
        return Unreadable(question.id, str(error), error.param, error.reason)
    if len(call.fields) > _FIELDS or sum(map(len, call.fields)) > _NAMES:
        return Unreadable(question.id, "the body has more fields than any call takes", None, "invalid_value")
    base = address_of(body)
    spans = [(name, address_of(raw) - base, memoryview(raw).nbytes) for name, raw in call.fields.items()]
    return Peeked(
        question.id,
        call.model,
        call.stream,
        call.include_usage,
        call.user,
        call.max_tokens,
        [(name, start, start + length) for name, start, length in spans],
        call.form,
    )


def translate(question: Translate, pages: mmap.mmap) -> tuple[Translated, list[bytes]] | Unreadable:
    """The answer to one question, and the pieces of what goes with it."""
    body = memoryview(pages)[: question.size]
    operation, spoken = cast("Operation", question.operation), cast("Operation", question.spoken)
    try:
        call = read_call(body, operation, question.model, question.stream)
        ask = SERVERS[operation].read(call, body)
        written = CLIENTS[spoken].write(ask, question.target, _decode_dialect(question.dialect))
    except BadRequest as error:
        return Unreadable(question.id, str(error), error.param, error.reason)
    packed = pack(ask)
    return Translated(question.id, len(written.body), len(packed), list(written.dropped)), [written.body, packed]


def _answer(question: Peek | Translate, pages: mmap.mmap, sock: socket.socket, sender: str) -> None:
    answer: Peeked | Unreadable | Translated
    if isinstance(question, Peek):
        answer = look(question, pages)
    else:
        translated = translate(question, pages)
        if isinstance(translated, tuple):
            answer, pieces = translated
            descriptor = os.memfd_create("gateline-translated", os.MFD_CLOEXEC)
            try:
                for piece in pieces:
                    _write(descriptor, piece)
                beside = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", [descriptor]))]
                sock.sendmsg([_encode(answer)], beside, 0, sender)
            finally:
                os.close(descriptor)
            return
        answer = translated
    sock.sendto(_encode(answer), sender)


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def serve(path: Path, parent: int) -> None:
    """Answers until the process `parent` is gone. Raises OSError when the socket cannot be made."""
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(path))
        path.chmod(0o600)
        sock.settimeout(1.0)
        while os.getppid() == parent:
            try:
                data, descriptors, _, sender = socket.recv_fds(sock, _MESSAGE, 1)
            except TimeoutError:
                continue
            try:
                question = _decode(data)
                with mmap.mmap(descriptors[0], question.size, prot=mmap.PROT_READ) as pages:
                    _answer(question, pages, sock, sender)
            except (OSError, msgspec.MsgspecError, IndexError):
                pass  # the worker has died meanwhile, or what came is not ours
            finally:
                for descriptor in descriptors:
                    os.close(descriptor)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all: the supervisor says what it means
    serve(Path(sys.argv[1]), int(sys.argv[2]))
