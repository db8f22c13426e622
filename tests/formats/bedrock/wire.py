"""Converse's bytes for tests, and the official SDK's own model of the service, which says what fits."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Iterable
from typing import Any

import botocore.loaders
import botocore.model
import botocore.parsers
import botocore.validate
from botocore.eventstream import EventStreamBuffer

from gateline.formats.bedrock.reader import StreamReader
from gateline.formats.bedrock.writer import StreamWriter
from gateline.formats.contract import Written
from gateline.formats.dialect import PLAIN
from gateline.formats.table import CLIENTS, SERVERS
from gateline.model.call import Call
from gateline.model.chat import Chat, Part, Text, Turn
from gateline.model.chatreply import Delta
from gateline.wire.eventstream import write_message

CLAUDE = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
NOVA = "us.amazon.nova-lite-v1:0"
_service = botocore.model.ServiceModel(botocore.loaders.Loader().load_service_model("bedrock-runtime", "service-2"))
_BLOBS = {"bytes", "redactedContent"}


def shape(name: str) -> Any:
    return _service.shape_for(name)


def _unblob(value: Any) -> Any:
    """JSON as an SDK has it: what is base64 on the wire is bytes there."""
    if isinstance(value, dict):
        return {
            key: base64.b64decode(inner, validate=True) if key in _BLOBS and isinstance(inner, str) else _unblob(inner)
            for key, inner in value.items()
        }
    return [_unblob(inner) for inner in value] if isinstance(value, list) else value


def check(value: dict[str, Any], name: str) -> None:
    """Fails unless `value` has all that the service's model asks for, of the right types, and nothing else."""
    report = botocore.validate.ParamValidator().validate(_unblob(value), shape(name))
    assert not report.has_errors(), report.generate_report()
    _check_unions(value, shape(name))


def _check_unions(value: Any, found: Any) -> None:
    if found.type_name == "structure" and isinstance(value, dict) and not found.is_document_type:
        assert not found.is_tagged_union or len(value) == 1, value
        for key, inner in value.items():
            _check_unions(inner, found.members[key])
    elif found.type_name == "list":
        for inner in value:
            _check_unions(inner, found.member)


def write(asked: Chat, model: str = CLAUDE) -> tuple[dict[str, Any], list[str]]:
    """The vendor's request, checked, and what was left out of it."""
    written: Written = CLIENTS["converse"].write(asked, model, PLAIN)
    body = json.loads(written.body)
    check({"modelId": model, **body}, "ConverseRequest")
    return body, list(written.dropped)


def read(body: dict[str, Any], *, stream: bool = False) -> Chat:
    raw = json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
    call = Call("converse", "m", dict.fromkeys(body), stream)  # type: ignore[arg-type]
    found: Chat = SERVERS["converse"].read(call, raw)
    return found


def chat(*parts: Part | str, **fields: Any) -> Chat:
    """One that a user begins."""
    return Chat(model="m", turns=[user(*(parts or ("hi",)))], **fields)


def user(*parts: Part | str) -> Turn:
    return Turn(role="user", parts=[Text(text=part) if isinstance(part, str) else part for part in parts])


def assistant(*parts: Part | str) -> Turn:
    return Turn(role="assistant", parts=[Text(text=part) if isinstance(part, str) else part for part in parts])


def event(kind: str, **payload: object) -> bytes:
    """As the vendor writes it, padding included."""
    headers = {":event-type": kind, ":content-type": "application/json", ":message-type": "event"}
    return write_message(headers, json.dumps({**payload, "p": "abcdefgh"}, separators=(",", ":")).encode())


def exception(kind: str, message: str) -> bytes:
    headers = {":exception-type": kind, ":content-type": "application/json", ":message-type": "exception"}
    return write_message(headers, json.dumps({"message": message}).encode())


def block(index: int, *deltas: object, start: object = None) -> bytes:
    pieces = [event("contentBlockDelta", contentBlockIndex=index, delta=delta) for delta in deltas]
    begin = b"" if start is None else event("contentBlockStart", contentBlockIndex=index, start=start)
    return b"".join([begin, *pieces, event("contentBlockStop", contentBlockIndex=index)])


BEGIN = event("messageStart", role="assistant")
USAGE = {
    "inputTokens": 10, "outputTokens": 7, "totalTokens": 25, "cacheReadInputTokens": 3, "cacheWriteInputTokens": 5,
    "cacheDetails": [{"ttl": "1h", "inputTokens": 4}, {"ttl": "5m", "inputTokens": 1}], "serverToolUsage": {},
}  # fmt: skip
METADATA = event("metadata", usage=USAGE, metrics={"latencyMs": 12})


def finish(reason: str = "end_turn") -> bytes:
    return event("messageStop", stopReason=reason) + METADATA


def read_stream(stream: bytes, cuts: Iterable[int] = ()) -> tuple[list[Delta], StreamReader]:
    """The deltas of a stream that came in pieces."""
    reader = StreamReader("")
    edges = [0, *sorted(cuts), len(stream)]
    deltas: list[Delta] = []
    for begin, end in itertools.pairwise(edges):
        deltas += reader.feed(stream[begin:end])
    reader.end()
    return deltas, reader


def write_stream(deltas: list[Delta]) -> bytes:
    writer = StreamWriter(chat(), "req_1")
    return b"".join(writer.write([delta]) for delta in deltas) + writer.end()


def parse(stream: bytes) -> list[tuple[str, dict[str, Any]]]:
    """Each event as the SDK reads it off the wire, and as its model types it."""
    buffer = EventStreamBuffer()
    buffer.add_data(stream)
    events: list[tuple[str, dict[str, Any]]] = []
    for message in buffer:
        assert message.headers[":message-type"] == "event"
        kind, payload = message.headers[":event-type"], json.loads(message.payload)
        check({kind: payload}, "ConverseStreamOutput")
        events.append((kind, payload))
    return events


def assemble(stream: bytes) -> dict[str, Any]:
    """The reply that a client puts together of a stream, as the vendor's examples do it."""
    blocks: dict[int, dict[str, Any]] = {}
    reply: dict[str, Any] = {}
    for kind, payload in parse(stream):
        if kind == "contentBlockStart":
            blocks[payload["contentBlockIndex"]] = {"toolUse": {**payload["start"]["toolUse"], "input": ""}}
        elif kind == "contentBlockDelta":
            _extend(blocks.setdefault(payload["contentBlockIndex"], {}), payload["delta"])
        elif kind == "messageStop":
            reply["stopReason"] = payload["stopReason"]
        elif kind == "metadata":
            reply |= payload
    for found in blocks.values():
        if "toolUse" in found:
            found["toolUse"]["input"] = json.loads(found["toolUse"]["input"] or "{}")
    reply["output"] = {"message": {"role": "assistant", "content": [blocks[at] for at in sorted(blocks)]}}
    check(reply, "ConverseResponse")
    return reply


def _extend(found: dict[str, Any], delta: dict[str, Any]) -> None:
    if "toolUse" in delta:
        found["toolUse"]["input"] += delta["toolUse"]["input"]
    elif "citation" in delta:
        cited = found.setdefault("citationsContent", {"content": [{"text": found.pop("text", "")}], "citations": []})
        cited["citations"].append(delta["citation"])
    elif "text" in delta:
        found["text"] = found.get("text", "") + delta["text"]
    else:
        thought = found.setdefault("reasoningContent", {})
        piece = delta["reasoningContent"]
        if "redactedContent" in piece:
            thought["redactedContent"] = piece["redactedContent"]
        else:
            text = thought.setdefault("reasoningText", {"text": ""})
            text["text"] += piece.get("text", "")
            if "signature" in piece:
                text["signature"] = piece["signature"]
