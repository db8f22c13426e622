from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest
from msgspec import Raw
from openai.types.responses.response_item import ResponseItem
from pydantic import TypeAdapter

from gateline.formats.call import read_call
from gateline.formats.responses.sides import CLIENT, SERVER, WATCH
from gateline.formats.responses.writer import ResponseWriter
from gateline.gateway import responses
from gateline.gateway.exchange import Exchange
from gateline.gateway.recalled import Recalled
from gateline.gateway.responses import Responses, passing, preferring
from gateline.model.call import Call
from gateline.model.chat import Chat, Choice, Part, Reasoning, Seal, Text, ToolUse
from gateline.model.chatreply import Began, ChatReply, Finished, TextDelta
from gateline.model.errors import BadRequest, CallTimeout, GatewayError, MethodNotAllowed, NotFound, Unavailable
from gateline.model.snapshot import Provider
from gateline.store.responses import ResponseStore

T = TypeVar("T")
_ITEMS: TypeAdapter[Any] = TypeAdapter(ResponseItem)


@pytest.fixture(autouse=True)
def _no_flow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's flow waits for the thread here."""

    async def in_thread(_: Exchange, work: Callable[[], T]) -> T:
        return await asyncio.to_thread(work)

    monkeypatch.setattr(responses, "in_thread", in_thread)


def exchange(tenant: str, **fields: Any) -> Any:
    """What the stage looks at of one."""
    return SimpleNamespace(key=SimpleNamespace(tenant=tenant), recalled=None, **fields)


@pytest.fixture
def stage(tmp_path: Path) -> Responses:
    return Responses(ResponseStore(tmp_path / "responses", now=lambda: 2_000.0), lambda: 1_000.5)


def call(**fields: object) -> Call:
    return read_call(json.dumps({"model": "m"} | fields).encode(), "responses")


def reply(*parts: Part, identifier: str = "resp_1") -> bytes:
    whole = ChatReply(id=identifier, model="v", choices=[Choice(parts=list(parts), finish="stop")], created=5)
    return SERVER.write_reply(whole, Chat(model="m", turns=[]))


def keep(stage: Responses, asked: Call, body: bytes, *, tenant: str = "acme", provider: str = "") -> bool:
    target = SimpleNamespace(provider=vendor(provider))
    hop = SimpleNamespace(client=None if provider else CLIENT)
    return asyncio.run(stage.keep(exchange(tenant, call=asked, hop=hop, target=target, reply=body)))


def vendor(name: str, host: str = "api.example.com", **fields: Any) -> Provider:
    return Provider(name, "openai", "https", host, 443, "/v1", **{"api_key": "sk-1", **fields})


def recall(stage: Responses, asked: Call, tenant: str = "acme") -> Recalled | None:
    asking = exchange(tenant, call=asked, body=b"")
    asyncio.run(stage.recall(asking))
    recalled: Recalled | None = asking.recalled
    assert recalled is None or (asking.call, asking.body) == (recalled.call, recalled.call.body)
    return recalled


def serve(stage: Responses, method: bytes, rest: str, query: bytes = b"", *, tenant: str = "acme") -> dict[str, Any]:
    answers: list[tuple[int, bytes]] = []
    asking = exchange(
        tenant,
        connection=SimpleNamespace(request=SimpleNamespace(method=method, query=query)),
        facts=SimpleNamespace(asked=SimpleNamespace(rest=rest)),
        answer=lambda status, body: answers.append((status, body)),
    )
    asyncio.run(stage.answer(asking))
    ((status, body),) = answers
    assert status == 200
    found: dict[str, Any] = json.loads(body)
    return found


@pytest.mark.parametrize("rest", ["", "a/b", "..%2f", "a/", "a/cancel/", "a/cancel/input_items", "a" * 257])
def test_other_paths_are_not_there(stage: Responses, rest: str) -> None:
    """A path is a response's id, and at most one thing asked of it."""
    with pytest.raises(NotFound, match="No such path"):
        serve(stage, b"GET", rest)


def test_a_response_is_fetched_as_it_was_given(stage: Responses) -> None:
    """Byte for byte, and until it is deleted."""
    body = reply(Text(text="Hi"))
    assert keep(stage, call(input="hi"), body)
    assert serve(stage, b"GET", "resp_1") == json.loads(body)
    assert serve(stage, b"DELETE", "resp_1") == {"id": "resp_1", "object": "response", "deleted": True}
    with pytest.raises(NotFound):
        serve(stage, b"GET", "resp_1")


def test_the_response_of_a_stream_is_in_its_last_event(stage: Responses) -> None:
    """Translated or passed through, it is the one of `last`."""
    writer = ResponseWriter(Chat(model="m", turns=[]), "req_1")
    stream = writer.write([Began(id="resp_9", model="v"), TextDelta(text="Hi"), Finished(finish="stop")])
    last = writer.end()
    assert keep(stage, call(input="hi"), last)
    found = serve(stage, b"GET", "resp_9")
    assert found["output"][0]["content"][0]["text"] == "Hi"
    assert WATCH.codec is not None
    codec = WATCH.codec(call(input="hi"), "")
    codec.feed((stream + last).replace(b"resp_9", b"resp_8").replace(b"\n", b"\r\n"))
    assert keep(stage, call(input="hi"), codec.last, provider="openai")
    assert serve(stage, b"GET", "resp_8")["status"] == "completed"


@pytest.mark.parametrize("failure", [CallTimeout("late"), Unavailable("full")])
def test_an_answer_is_not_lost_for_want_of_time_to_keep_it(
    stage: Responses, monkeypatch: pytest.MonkeyPatch, failure: GatewayError
) -> None:
    """The call's time is up, or too much waits for threads: the client has its answer, which is not kept."""

    async def in_thread(*_: object) -> bool:
        raise failure

    monkeypatch.setattr(responses, "in_thread", in_thread)
    assert not keep(stage, call(input="hi"), reply(Text(text="Hi")))


def test_nothing_is_kept_that_is_not_wanted_or_is_no_response(stage: Responses) -> None:
    """`store: false` is the client's word; a body without an id has nothing to be found by."""
    assert not keep(stage, call(input="hi", store=False), reply(Text(text="Hi")))
    assert not keep(stage, call(input="hi"), b"data: " + b"x" * 34_000_000)
    for body in (b"", b"{}", b'{"id":5}', b"data: [DONE]\n\n", b"data: {}\n\n", b"<html>", b'{"id":"../x"}'):
        assert not keep(stage, call(input="hi"), body)
    with pytest.raises(NotFound):
        serve(stage, b"GET", "resp_1")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        (b"GET", "resp_1"),
        (b"DELETE", "resp_1"),
        (b"POST", "resp_1/cancel"),
        (b"GET", "resp_1/input_items"),
    ],
)
def test_another_tenants_response_is_not_there(stage: Responses, method: bytes, path: str) -> None:
    """It is answered as one that never was."""
    keep(stage, call(input="hi"), reply(Text(text="Hi")))
    with pytest.raises(NotFound) as theirs:
        serve(stage, method, path, tenant="other")
    with pytest.raises(NotFound) as never:
        serve(stage, method, path.replace("resp_1", "resp_2"))
    assert str(theirs.value).replace("resp_1", "resp_2") == str(never.value)
    assert serve(stage, b"GET", "resp_1")["id"] == "resp_1"
    with pytest.raises(BadRequest):
        recall(stage, call(input="and?", previous_response_id="resp_1"), "other")


def test_a_call_goes_on_from_a_response(stage: Responses) -> None:
    """All earlier turns stand in its input, seals included, and its response names the one before."""
    first: list[Part] = [Reasoning(text="Hm", seal=Seal("anthropic", "Ep")), ToolUse(id="c", name="f", arguments="{}")]
    keep(stage, call(input="one", instructions="Not carried on."), reply(*first))
    output = {"type": "function_call_output", "call_id": "c", "output": "42"}
    second = call(input=[output], previous_response_id="resp_1")
    keep(stage, second, reply(Text(text="It is 42."), identifier="resp_2"))
    asked = call(input="thanks", previous_response_id="resp_2")
    recalled = recall(stage, asked)
    assert recalled is not None
    chat = SERVER.read(recalled.call, recalled.call.body)
    assert [turn.role for turn in chat.turns] == ["user", "assistant", "user", "assistant", "user"]
    assert chat.turns[1].parts[0].seal == Seal("anthropic", "Ep")
    assert chat.turns[3].parts == [Text(text="It is 42.")]
    assert recalled.holder == ""
    whole = ChatReply(id="resp_3", model="v", choices=[Choice(parts=[Text(text="!")], finish="stop")])
    assert json.loads(SERVER.write_reply(whole, chat))["previous_response_id"] == "resp_2"


def test_the_vendor_that_holds_a_response_is_known(stage: Responses) -> None:
    """A call that goes on from it may pass there as the client sent it."""
    keep(stage, call(input="one"), reply(Text(text="Hi")), provider="openai-eu")
    recalled = recall(stage, call(input="two", previous_response_id="resp_1"))
    assert recalled is not None
    there = passing(recalled.call, recalled, vendor("openai-eu")).fields
    assert (there["previous_response_id"], bytes(there["input"])) == (Raw(b'"resp_1"'), b'"two"')
    others = [vendor("azure"), vendor("openai-eu", host="other.example.com"), vendor("openai-eu", api_keys=("sk-2",))]
    for other in others:
        elsewhere = passing(recalled.call, recalled, other).fields
        assert "previous_response_id" not in elsewhere
        assert len(json.loads(bytes(elsewhere["input"]))) == 3
    assert passing(recalled.own, None, vendor("azure")) is recalled.own


def test_which_of_several_keys_made_a_response_is_not_known(stage: Responses) -> None:
    """They may be of accounts of their own: all earlier turns are sent, also to the vendor that answered, and no target
    is asked before another."""
    several = vendor("up", api_keys=("sk-2",))
    target, hop = SimpleNamespace(provider=several), SimpleNamespace(client=None)
    first = exchange("acme", call=call(input="one"), hop=hop, target=target, reply=reply(Text(text="Hi")))
    assert asyncio.run(stage.keep(first))
    recalled = recall(stage, call(input="two", previous_response_id="resp_1"))
    assert recalled is not None
    sent = passing(recalled.call, recalled, several).fields
    assert "previous_response_id" not in sent
    assert len(json.loads(bytes(sent["input"]))) == 3
    ways: Any = [(SimpleNamespace(provider=vendor("other")), hop), (target, hop)]
    assert preferring(ways, recalled.holder) == ways


@pytest.mark.parametrize(
    "item",
    [
        {"type": "item_reference", "id": "msg_1"},
        {"type": None, "id": "msg_1"},
        {"id": "msg_1"},
        {"ID": "msg_1"},
        {"Type": "item_reference", "id": "msg_1", "role": "user"},
        {"type": "message", "id": "msg_1"},
        {"type": "image_generation_call", "id": "ig_1", "status": "completed"},
    ],
)
@pytest.mark.parametrize("size", [1, 300_000])
def test_what_a_vendor_keeps_for_others_cannot_be_named(stage: Responses, item: dict[str, Any], size: int) -> None:
    """Tenants share a vendor's account: an item that is only an id could be another tenant's."""
    said = {"role": "user", "content": "x" * size}
    for items in ([said, item], [said, item, 5]):
        with pytest.raises(BadRequest) as refused:
            recall(stage, call(input=items))
        assert (refused.value.param, refused.value.reason) == ("input[1]", "unsupported_parameter")


def test_an_item_that_holds_what_it_says_may_have_an_id(stage: Responses) -> None:
    """Clients send back what they were answered, as it came."""
    answered = [
        {"type": "message", "id": "msg_1", "role": "assistant", "content": []},
        {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"role": "user", "content": "x"},
    ]
    assert recall(stage, call(input=answered)) is None


@pytest.mark.parametrize("name", ["Previous_Response_Id", "STORE", "backGround", "Conversation", "Input"])
def test_a_field_that_looks_like_one_that_is_decided_on_is_refused(name: str) -> None:
    """Some vendors match names without case."""
    with pytest.raises(BadRequest) as refused:
        call(**{name: "x"})
    assert refused.value.param == name.lower()


def test_a_call_that_goes_on_from_nothing_is_left_alone(stage: Responses) -> None:
    """Null is nothing."""
    assert recall(stage, call(input="one")) is None
    assert recall(stage, call(input="one", previous_response_id=None)) is None


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"previous_response_id": "resp_none"}, "previous_response_id", "previous_response_not_found"),
        ({"previous_response_id": "../x"}, "previous_response_id", "previous_response_not_found"),
        ({"previous_response_id": 5}, "previous_response_id", "invalid_type"),
        ({"background": True}, "background", "unsupported_parameter"),
        ({"background": "true"}, "background", "unsupported_parameter"),
        ({"background": 1}, "background", "unsupported_parameter"),
        ({"conversation": "conv_1"}, "conversation", "unsupported_parameter"),
        ({"conversation": {"id": "conv_1"}}, "conversation", "unsupported_parameter"),
    ],
)
def test_what_cannot_be_gone_on_from_is_a_mistake(
    stage: Responses, fields: dict[str, object], param: str, code: str
) -> None:
    """It names the field, whoever would answer."""
    with pytest.raises(BadRequest) as caught:
        recall(stage, call(input="x", **fields))
    assert (caught.value.param, caught.value.reason) == (param, code)


def test_cancelling_a_response_that_is_done_is_openais_mistake(stage: Responses) -> None:
    """Only what runs in the background can be cancelled."""
    keep(stage, call(input="hi"), reply(Text(text="Hi")))
    with pytest.raises(BadRequest, match="synchronous"):
        serve(stage, b"POST", "resp_1/cancel")


@pytest.mark.parametrize(
    ("method", "path", "query", "error"),
    [
        (b"POST", "resp_1", b"", MethodNotAllowed),
        (b"GET", "resp_1/cancel", b"", MethodNotAllowed),
        (b"DELETE", "resp_1/input_items", b"", MethodNotAllowed),
        (b"GET", "resp_1", b"stream=true", BadRequest),
        (b"GET", "resp_1/input_items", b"limit=0", BadRequest),
        (b"GET", "resp_1/input_items", b"limit=101", BadRequest),
        (b"GET", "resp_1/input_items", b"limit=ten", BadRequest),
        (b"GET", "resp_1/input_items", b"order=up", BadRequest),
        (b"GET", "resp_1/input_items", b"after=msg_none", BadRequest),
    ],
)
def test_questions_that_make_no_sense_are_refused(
    stage: Responses, method: bytes, path: str, query: bytes, error: type[GatewayError]
) -> None:
    """With the reason."""
    keep(stage, call(input="hi"), reply(Text(text="Hi")))
    with pytest.raises(error):
        serve(stage, method, path, query)


INPUT: list[dict[str, object]] = [
    {"role": "user", "content": "one"},
    {"role": "assistant", "content": [{"type": "output_text", "text": "two"}]},
    {"role": "user", "content": [{"type": "input_image", "image_url": "https://a.example/b.png"}]},
    {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "c", "output": "42"},
    {"type": "message", "id": "msg_own", "role": "user", "content": "six"},
]


def test_input_is_listed_in_pages(stage: Responses) -> None:
    """Latest first or oldest first, from behind any item on; every item is the official type's."""
    keep(stage, call(input=INPUT), reply(Text(text="Hi")))
    path = "resp_1/input_items"
    whole = serve(stage, b"GET", path)
    assert (whole["object"], whole["has_more"], len(whole["data"])) == ("list", False, 6)
    for item in whole["data"]:
        _ITEMS.validate_python(item)
    assert whole["data"][0]["id"] == whole["first_id"] == "msg_own"
    assert whole["data"][-1]["content"] == [{"type": "input_text", "text": "one"}]
    rising = serve(stage, b"GET", path, b"order=asc")["data"]
    assert rising == whole["data"][::-1]
    seen: list[dict[str, Any]] = []
    query = b"limit=4&order=asc"
    while True:
        page = serve(stage, b"GET", path, query)
        seen += page["data"]
        if not page["has_more"]:
            break
        query = b"limit=4&order=asc&after=" + page["last_id"].encode()
    assert seen == rising


def test_input_that_was_a_string_is_one_message(stage: Responses) -> None:
    """As OpenAI lists it."""
    keep(stage, call(input='say "hi"'), reply(Text(text="Hi")))
    [item] = serve(stage, b"GET", "resp_1/input_items")["data"]
    assert (item["role"], item["content"]) == ("user", [{"type": "input_text", "text": 'say "hi"'}])
    _ITEMS.validate_python(item)
