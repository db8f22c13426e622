"""The output items of OpenAI's Responses, whole and as the events that they grow by. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from gateline.fake.answer import Answer, ToolCall
from gateline.fake.ask import Ask
from gateline.fake.reply import Piece
from gateline.fake.seal import make_seal
from gateline.fake.turn import groups
from gateline.fake.wires.openai_chat import logprob
from gateline.fake.wires.responses_read import THOUGHTFUL

Item = dict[str, Any]


def output(ask: Ask, answer: Answer) -> list[Item]:
    """Reasoning, then the message, then the calls."""
    items: list[Item] = []
    if answer.thought is not None:
        items.append(_thought(ask, answer))
    if answer.words:
        items.append(_message(answer))
    return items + [_call(answer, call) for call in answer.calls]


def _thought(ask: Ask, answer: Answer) -> Item:
    text = "".join(answer.thought or [])
    item: Item = {
        "id": f"rs_{answer.id}",
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": text}] if text else [],
    }
    if ask.is_sealed:
        item["encrypted_content"] = make_seal("openai", answer.id, "")
    return item


def _message(answer: Answer) -> Item:
    return {
        "id": f"msg_{_known(answer, answer.id)}",
        "type": "message",
        "status": "incomplete" if answer.finish == "length" else "completed",
        "content": [_part(answer)],
        "role": "assistant",
    }


def _part(answer: Answer) -> Item:
    if answer.finish == "refusal":
        return {"type": "refusal", "refusal": answer.text}
    return {
        "type": "output_text",
        "annotations": _annotations(answer),
        "logprobs": [logprob(word) for word in answer.words] if answer.logprobs else [],
        "text": answer.text,
    }


def _annotations(answer: Answer) -> list[Item]:
    return [
        {"type": "url_citation", "start_index": q.start, "end_index": q.end, "url": q.url, "title": q.title}
        for q in answer.quotes
    ]


def _call(answer: Answer, call: ToolCall) -> Item:
    return {
        "id": f"fc_{_known(answer, call.id)}",
        "type": "function_call",
        "status": "completed",
        "arguments": call.text or "{}",
        "call_id": f"call_{call.id}",
        "name": call.name,
    }


def _known(answer: Answer, known: str) -> str:
    return known + (THOUGHTFUL if answer.thought is not None else "")


class Events:
    """Writes the events of one stream, each with its number."""

    def __init__(self) -> None:
        self._number = 0

    def write(self, kind: str, **fields: Any) -> bytes:
        body = msgspec.json.encode({"type": kind, "sequence_number": self._number, **fields})
        self._number += 1
        return b"event: " + kind.encode() + b"\ndata: " + body + b"\n\n"

    def step_back(self) -> None:
        """The last event is not sent: another one takes its number."""
        self._number -= 1

    def items(self, ask: Ask, answer: Answer, chunk_tokens: int) -> Iterator[Piece]:
        """Each item from its `added` to its `done`."""
        calls = {f"call_{call.id}": call for call in answer.calls}
        for index, item in enumerate(output(ask, answer)):
            if item["type"] == "reasoning":
                begun, body = self._reasoning(item, answer, index, chunk_tokens)
            elif item["type"] == "message":
                begun = {**item, "status": "in_progress", "content": []}
                body = self._text(item, answer, index, chunk_tokens)
            else:
                begun = {**item, "status": "in_progress", "arguments": ""}
                body = self._arguments(item, calls[item["call_id"]], index)
            yield Piece(self.write("response.output_item.added", output_index=index, item=begun))
            yield from body
            yield Piece(self.write("response.output_item.done", output_index=index, item=item))

    def _reasoning(self, item: Item, answer: Answer, index: int, chunk_tokens: int) -> tuple[Item, Iterator[Piece]]:
        """The encrypted block of `added` is an earlier state: only that of `done` can be sent back."""
        begun = {**item, "summary": []}
        if "encrypted_content" in item:
            begun["encrypted_content"] = item["encrypted_content"][:40]
        return begun, self._summary(item, answer, index, chunk_tokens)

    def _summary(self, item: Item, answer: Answer, index: int, chunk_tokens: int) -> Iterator[Piece]:
        if not item["summary"]:
            return
        place = {"item_id": item["id"], "output_index": index, "summary_index": 0}
        kind = "response.reasoning_summary"
        yield Piece(self.write(f"{kind}_part.added", **place, part={"type": "summary_text", "text": ""}))
        for delta in groups(answer.thought or [], chunk_tokens):
            yield Piece(self.write(f"{kind}_text.delta", **place, delta=delta))
        yield Piece(self.write(f"{kind}_text.done", **place, text=item["summary"][0]["text"]))
        yield Piece(self.write(f"{kind}_part.done", **place, part=item["summary"][0]))

    def _text(self, item: Item, answer: Answer, index: int, chunk_tokens: int) -> Iterator[Piece]:
        part = item["content"][0]
        place = {"item_id": item["id"], "output_index": index, "content_index": 0}
        refused = part["type"] == "refusal"
        begun = (
            {"type": "refusal", "refusal": ""} if refused else {**part, "annotations": [], "logprobs": [], "text": ""}
        )
        yield Piece(self.write("response.content_part.added", **place, part=begun))
        kind = "response.refusal" if refused else "response.output_text"
        for at in range(0, len(answer.words), chunk_tokens):
            words = answer.words[at : at + chunk_tokens]
            probable = {"logprobs": [logprob(word) for word in words] if answer.logprobs else []}
            extra = {} if refused else probable
            yield Piece(self.write(f"{kind}.delta", **place, delta="".join(words), **extra), len(words))
        for at, annotation in enumerate(part.get("annotations", [])):
            yield Piece(self.write(f"{kind}.annotation.added", **place, annotation_index=at, annotation=annotation))
        if refused:
            yield Piece(self.write(f"{kind}.done", **place, refusal=part["refusal"]))
        else:
            yield Piece(self.write(f"{kind}.done", **place, text=part["text"], logprobs=part["logprobs"]))
        yield Piece(self.write("response.content_part.done", **place, part=part))

    def _arguments(self, item: Item, call: ToolCall, index: int) -> Iterator[Piece]:
        place = {"item_id": item["id"], "output_index": index}
        kind = "response.function_call_arguments"
        for piece in [] if call.late else call.pieces:
            yield Piece(self.write(f"{kind}.delta", **place, delta=piece))
        yield Piece(self.write(f"{kind}.done", **place, name=call.name, arguments=item["arguments"]))
