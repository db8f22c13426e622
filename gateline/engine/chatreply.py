"""Answers in OpenAI's shapes: whole, or as server-sent events. One writer a request; it knows no model and no clock."""

from __future__ import annotations

from typing import Literal

import msgspec

Finish = Literal["stop", "length"]

_encode = msgspec.json.Encoder().encode


def _usage(prompt_tokens: int, completion_tokens: int) -> dict[str, int]:
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
    }


class WholeReply:
    """Collects the text; one object at the end."""

    def __init__(self, shape: Literal["chat", "completion"], identity: str, created: int, model: str) -> None:
        self._chat = shape == "chat"
        self._head = {"id": identity, "object": "chat.completion" if self._chat else "text_completion"}
        self._head |= {"created": created, "model": model}  # type: ignore[dict-item]
        self._texts: list[str] = []

    def grow(self, text: str) -> bytes:
        self._texts.append(text)
        return b""

    def end(self, finish: Finish, prompt_tokens: int, completion_tokens: int) -> bytes:
        text = "".join(self._texts)
        body: dict[str, object] = {"index": 0}
        body |= {"message": {"role": "assistant", "content": text}} if self._chat else {"text": text}
        choice = body | {"logprobs": None, "finish_reason": finish}
        return _encode({**self._head, "choices": [choice], "usage": _usage(prompt_tokens, completion_tokens)})


class EventReply:
    """One event a piece of text; the role first, then the reason it ended, the usage if it was asked for, `[DONE]`.

    What never changes within a reply is encoded once.
    """

    def __init__(
        self, shape: Literal["chat", "completion"], identity: str, created: int, model: str, *, include_usage: bool
    ) -> None:
        self._chat = shape == "chat"
        kind = "chat.completion.chunk" if self._chat else "text_completion"
        head = _encode({"id": identity, "object": kind, "created": created, "model": model})
        self._head = b"data: " + head[:-1]
        self._usage_wanted = include_usage
        self._tail = (b',"usage":null' if include_usage else b"") + b"}\n\n"
        self._begun = False

    def grow(self, text: str) -> bytes:
        begin = b"" if self._begun or not self._chat else self._event({"role": "assistant", "content": ""})
        self._begun = True
        if not text:
            return begin
        return begin + self._event({"content": text} if self._chat else text)

    def end(self, finish: Finish, prompt_tokens: int, completion_tokens: int) -> bytes:
        events = self.grow("") if not self._begun else b""
        events += self._event({} if self._chat else "", finish)
        if self._usage_wanted:
            usage = _encode(_usage(prompt_tokens, completion_tokens))
            events += self._head + b',"choices":[],"usage":' + usage + b"}\n\n"
        return events + b"data: [DONE]\n\n"

    def _event(self, delta: dict[str, str] | str, finish: Finish | None = None) -> bytes:
        choice = {"index": 0, "delta" if self._chat else "text": delta, "logprobs": None, "finish_reason": finish}
        return self._head + b',"choices":[' + _encode(choice) + b"]" + self._tail


Reply = WholeReply | EventReply
