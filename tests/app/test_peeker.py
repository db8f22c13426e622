"""Large bodies looked at by another process: the same verdicts as on the loop, and no second copy."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateline.app.peeker import look
from gateline.formats.call import read_call
from gateline.formats.form import read_form
from gateline.model.errors import BadRequest
from gateline.model.peek import Peek, Peeked, Unreadable
from gateline.net.flow import Flow
from gateline.net.peeklink import PeekLink, Question
from gateline.net.spool import Spool
from tests.journey.patience import until

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def spooled(body: bytes) -> Spool:
    spool = Spool(max(len(body), 1))
    spool.extend(body)
    return spool


def answer_to(body: bytes) -> Peeked | Unreadable:
    return look(Peek(7, "chat.completions", len(body)), spooled(body).pages)


@given(st.dictionaries(st.text(), _JSON))
def test_the_places_of_the_values_are_those_that_the_loop_would_have_found(extra: dict[str, object]) -> None:
    """Every value lies, byte for byte, where the answer says; what the loop would refuse is refused in its words."""
    body = json.dumps({**extra, "model": "m", "messages": []}).encode()
    answer = answer_to(body)
    if isinstance(answer, Unreadable):
        with pytest.raises(BadRequest) as refused:
            read_call(body, "chat.completions")
        assert (answer.message, answer.param) == (str(refused.value), refused.value.param)
        return
    call = read_call(body, "chat.completions")
    assert (answer.model, answer.stream, answer.max_tokens) == (call.model, call.stream, call.max_tokens)
    assert [(name, body[start:end]) for name, start, end in answer.spans] == [
        (name, bytes(value)) for name, value in call.fields.items()
    ]


def test_a_form_is_looked_at_as_one() -> None:
    """Its model and the places that the upstream's body is written from, as the loop would have found them."""
    body = (
        b'--xyz\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n\x00\xff\r\n'
        b'--xyz\r\nContent-Disposition: form-data; name="model"\r\n\r\nm\r\n'
        b'--xyz\r\nContent-Disposition: form-data; name="stream"\r\n\r\ntrue\r\n--xyz--\r\n'
    )
    kind = b"multipart/form-data; boundary=xyz"
    answer = look(Peek(7, "audio.transcriptions", len(body), form=kind), spooled(body).pages)
    assert isinstance(answer, Peeked)
    call = read_form(body, kind, "audio.transcriptions")
    assert (answer.model, answer.stream, answer.form) == ("m", True, call.form)
    assert {name: body[start:end] for name, start, end in answer.spans} == {"model": b"m", "stream": b"true"}
    refused = look(Peek(7, "audio.transcriptions", len(body), form=b"text/plain"), spooled(body).pages)
    assert isinstance(refused, Unreadable)
    assert refused.code == "invalid_multipart"


def test_more_fields_than_an_answer_holds_are_refused() -> None:
    """A datagram is bounded: a body of a million tiny keys gets an error, not silence."""
    body = json.dumps({"model": "m", **{f"k{number}": 0 for number in range(2_000)}}).encode()
    answer = answer_to(body)
    assert isinstance(answer, Unreadable)
    assert "more fields" in answer.message


@pytest.fixture
def peeker(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "peek.sock"
    process = subprocess.Popen([sys.executable, "-m", "gateline.app.peeker", str(path), str(os.getpid())])
    until(path.exists, "the process has its socket")
    yield path
    process.kill()
    process.wait()


async def _answered(link: PeekLink, spool: Spool) -> Question:
    woken = asyncio.Event()

    class Waker(Flow):
        def wake(self) -> None:
            woken.set()

    flow = Waker(lambda crash: None)
    question = link.ask(spool, "chat.completions", flow, "", None)
    assert question is not None
    async with asyncio.timeout(30):
        await woken.wait()
    return question


def test_a_worker_asks_over_its_socket_and_is_woken(peeker: Path, tmp_path: Path) -> None:
    """The descriptor travels, the process answers, the waiting flow is woken."""

    async def story() -> Question:
        link = PeekLink(asyncio.get_running_loop(), tmp_path / "peek-0.sock", peeker)
        try:
            body = json.dumps({"model": "big", "messages": ["x" * 9_000_000], "stream": True}).encode()
            return await _answered(link, spooled(body))
        finally:
            link.close()

    answer = asyncio.run(story()).answer
    assert isinstance(answer, Peeked)
    assert (answer.model, answer.stream) == ("big", True)
    assert [name for name, _, _ in answer.spans] == ["model", "messages", "stream"]


def test_nobody_to_ask_is_said_at_once(tmp_path: Path) -> None:
    """Without the process the question is not asked, and the caller looks itself."""

    async def story() -> None:
        link = PeekLink(asyncio.get_running_loop(), tmp_path / "peek-0.sock", tmp_path / "nobody.sock")
        assert link.ask(spooled(b"{}"), "chat.completions", Flow(lambda crash: None), "", None) is None
        link.close()

    asyncio.run(story())
