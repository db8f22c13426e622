"""Large bodies looked at by another process: the same verdicts as on the loop, and no second copy."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateline.app import peeker as peeker_process
from gateline.app.complaints import Complaints
from gateline.app.peeker import answer, look, within
from gateline.formats.call import read_call
from gateline.formats.dialect import PLAIN
from gateline.formats.form import read_form
from gateline.formats.packed import pack
from gateline.model.call import Operation
from gateline.model.chat import Chat
from gateline.model.errors import BadRequest
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
from gateline.model.usage import Usage
from gateline.net.flow import Flow
from gateline.net.peeklink import PeekLink, Question
from gateline.net.spool import Spool
from tests.journey.patience import until

_encode = msgspec.msgpack.Encoder().encode
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


@pytest.mark.parametrize(
    ("operation", "hint"),
    [("chat.completions", "reasoning_details"), ("messages", "thinking"), ("responses", ""), ("embeddings", "")],
)
def test_what_seals_of_others_stand_beside_is_looked_for(operation: Operation, hint: str) -> None:
    """In the body alone, not in what the memory held before; where the format has none, nothing is."""
    for held in (False, True):
        inner = {"type": hint, hint: []} if held else {"type": "text"}
        body = json.dumps({"model": "m", "messages": [inner]}).encode()
        spool = Spool(4_096)
        spool.extend(body + b'"reasoning_details" "thinking"')
        answer = look(Peek(7, operation, len(body)), spool.pages)
        assert isinstance(answer, Peeked)
        assert answer.is_hinted == (held and hint != "")


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


def told(question: ToPeeker, body: bytes, patience: float = 60.0) -> FromPeeker:
    """What a worker would hear of it."""
    data, _ = answer(question, spooled(body).pages, Complaints("peeker", 0), patience)
    assert len(data) <= MESSAGE
    found: FromPeeker = msgspec.msgpack.decode(data, type=FromPeeker)
    return found


def translation_of(body: bytes) -> Translate:
    return Translate(7, "chat.completions", len(body), "", None, "messages", "m", _encode(PLAIN))


def test_every_answer_fits_a_datagram() -> None:
    """Whatever of a body an answer repeats is cut, or the body is refused: the worker hears at once, not in vain."""
    long = "x" * 100_000
    asked: list[dict[str, object]] = [{"model": long}, {"model": "m", "user": long}, {"model": "m", "stream": long}]
    for fields in asked:
        body = json.dumps({"messages": [], **fields}).encode()
        assert isinstance(told(Peek(7, "chat.completions", len(body)), body), Peeked | Unreadable)
    for message in ({"role": long, "content": "a"}, {"role": "user", "content": "a", long: 1}):
        body = json.dumps({"model": "m", "messages": [message]}).encode()
        assert isinstance(told(translation_of(body), body), Translated | Unreadable)


def test_a_number_that_no_message_holds_is_the_callers_mistake() -> None:
    """It is refused as such, on every such call."""
    body = json.dumps({"model": "m", "seed": 2**65, "messages": [{"role": "user", "content": "a"}]}).encode()
    for _ in range(2):
        refused = told(translation_of(body), body)
        assert isinstance(refused, Unreadable)
        assert "seed" in refused.message


def test_a_body_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """All others wait behind it: it is interrupted and refused, and the next question is answered."""

    def spin(*_: object) -> Peeked:
        while True:
            pass

    body = b'{"model":"m","messages":[]}'
    question = Peek(7, "chat.completions", len(body))
    with monkeypatch.context() as patched:
        patched.setattr(peeker_process, "look", spin)
        refused = told(question, body, 0.01)
    assert isinstance(refused, Unreadable)
    assert "too long" in refused.message
    assert isinstance(told(question, body), Peeked)


def test_what_is_done_in_time_is_not_interrupted() -> None:
    """Its result and its errors come through."""
    assert within(60.0, lambda: 5) == 5
    with pytest.raises(BadRequest):
        within(60.0, lambda: read_call(b"", "chat.completions"))


REPLY = b'{"id":"c","choices":[{"message":{"content":"%b"}}],"usage":{"prompt_tokens":2,"completion_tokens":3}}'


def reply_spool(body: bytes) -> tuple[Spool, int]:
    """A vendor's reply and behind it the call in Anthropic's format that it answers, and how long that is."""
    packed = pack(Chat(model="m", turns=[]))
    spool = Spool(len(body) + len(packed))
    spool.extend(body)
    spool.extend(packed)
    return spool, len(packed)


def answered(body: bytes, patience: float = 60.0) -> tuple[FromPeeker, bytes]:
    spool, packed = reply_spool(body)
    question = TranslateReply(7, "messages", len(body), packed, "chat.completions", "sk-secret", "")
    data, pieces = answer(question, spool.pages, Complaints("peeker", 0), patience)
    assert len(data) <= MESSAGE
    return msgspec.msgpack.decode(data, type=FromPeeker), b"".join(pieces)


def test_a_reply_is_written_in_the_clients_format() -> None:
    """With the usage that the vendor told; the answer's bytes go beside the datagram."""
    told, body = answered(REPLY % b"Hello")
    assert isinstance(told, Translated)
    assert (told.id, told.size, told.packed, told.usage) == (7, len(body), 0, Usage(2, 3))
    message = json.loads(body)
    assert (message["type"], message["model"], message["content"][0]["text"]) == ("message", "m", "Hello")


def test_a_reply_that_is_an_error_is_told_with_all_that_makes_it_one() -> None:
    """Status, code and words, cut to what a datagram holds; the secret is in none of them."""
    words = "sk-secret is out of room " + "x" * 100_000
    failed = json.dumps({"error": {"message": words, "code": "full", "param": "p" * 100_000}}).encode()
    told, _ = answered(failed)
    assert isinstance(told, Unreadable)
    assert (told.status, told.code) == (502, "full")
    assert "is out of room" in told.message
    assert "sk-secret" not in told.message
    broken, _ = answered(b'{"choices":[{"message":{"content":"a"}')
    assert isinstance(broken, Unreadable)
    assert (broken.status, broken.code) == (502, "upstream_broken")


def test_a_reply_that_takes_too_long_is_the_upstreams_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """All others wait behind it: it is given up, as a body is."""

    def spin(*_: object) -> Translated:
        while True:
            pass

    monkeypatch.setattr(peeker_process, "translate_answer", spin)
    told, _ = answered(REPLY % b"Hello", 0.01)
    assert isinstance(told, Unreadable)
    assert (told.status, told.code) == (502, "upstream_broken")


@pytest.fixture
def peeker(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "peek.sock"
    process = subprocess.Popen([sys.executable, "-m", "gateline.app.peeker", str(path), str(os.getpid())])
    until(path.exists, "the process has its socket")
    yield path
    process.kill()
    process.wait()


async def _answered(link: PeekLink, spool: Spool, spoken: str = "") -> Question:
    woken = asyncio.Event()

    class Waker(Flow):
        def wake(self) -> None:
            woken.set()

    flow = Waker(lambda crash: None)
    if spoken:
        question = link.ask_translation(
            spool, "chat.completions", flow, "", None, spoken=spoken, target="m", dialect=_encode(PLAIN)
        )
    else:
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


def test_a_reply_travels_there_and_back(peeker: Path, tmp_path: Path) -> None:
    """10 MB of it, both ways in memory that is not copied."""

    async def story() -> Question:
        link = PeekLink(asyncio.get_running_loop(), tmp_path / "peek-0.sock", peeker)
        spool, packed = reply_spool(REPLY % (b"x" * 10_000_000))
        woken = asyncio.Event()

        class Waker(Flow):
            def wake(self) -> None:
                woken.set()

        try:
            question = link.ask_reply(
                spool, "messages", Waker(lambda crash: None), packed, spoken="chat.completions", secret="s", sealer=""
            )
            assert question is not None
            async with asyncio.timeout(30):
                await woken.wait()
            return question
        finally:
            link.close()

    question = asyncio.run(story())
    assert isinstance(question.answer, Translated)
    assert question.answer.usage == Usage(2, 3)
    assert question.pages is not None
    assert len(json.loads(bytes(question.pages))["content"][0]["text"]) == 10_000_000
    assert not question.spool.is_shared


def test_a_defect_is_told_and_costs_no_other_question(peeker: Path, tmp_path: Path) -> None:
    """The worker hears of it at once; the next question has its answer from the same process."""

    async def story() -> list[object]:
        link = PeekLink(asyncio.get_running_loop(), tmp_path / "peek-0.sock", peeker)
        try:
            body = spooled(b'{"model":"m","messages":[{"role":"user","content":"hi"}]}')
            return [(await _answered(link, body, spoken)).answer for spoken in ("a format nobody knows", "")]
        finally:
            link.close()

    defect, next_ = asyncio.run(story())
    assert isinstance(defect, Failed)
    assert isinstance(next_, Peeked)


def test_what_is_no_answer_costs_no_other(tmp_path: Path) -> None:
    """A datagram that cannot be read, or a translation without its pages, leaves the worker as it was."""

    async def story() -> FromPeeker | None:
        nobody = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        nobody.bind(str(tmp_path / "peek.sock"))
        link = PeekLink(asyncio.get_running_loop(), tmp_path / "peek-0.sock", tmp_path / "peek.sock")
        asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
        woken = asyncio.Event()

        class Waker(Flow):
            def wake(self) -> None:
                woken.set()

        try:
            question = link.ask(spooled(b"{}"), "chat.completions", Waker(lambda crash: None), "", None)
            assert question is not None
            for data in (b"\xc1", _encode(Translated(question.number, 10, 10, []))):
                nobody.sendto(data, str(tmp_path / "peek-0.sock"))
            async with asyncio.timeout(30):
                await woken.wait()
            return question.answer
        finally:
            link.close()
            nobody.close()

    errors: list[object] = []
    assert isinstance(asyncio.run(story()), Failed)
    assert errors == []


def test_a_question_too_long_to_send_is_not_asked(peeker: Path, tmp_path: Path) -> None:
    """Its sender is told at once, and does not wait for an answer that cannot come."""

    async def story() -> None:
        link = PeekLink(asyncio.get_running_loop(), tmp_path / "peek-0.sock", peeker)
        assert link.ask(spooled(b"{}"), "generate_content", Flow(lambda crash: None), "m" * MESSAGE, None) is None
        link.close()

    asyncio.run(story())


def test_nobody_to_ask_is_said_at_once(tmp_path: Path) -> None:
    """Without the process the question is not asked, and the caller looks itself."""

    async def story() -> None:
        link = PeekLink(asyncio.get_running_loop(), tmp_path / "peek-0.sock", tmp_path / "nobody.sock")
        assert link.ask(spooled(b"{}"), "chat.completions", Flow(lambda crash: None), "", None) is None
        link.close()

    asyncio.run(story())
