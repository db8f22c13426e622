"""The bytes of the requests that are sent: made once for a plan, or once for each size in a trace."""

from __future__ import annotations

import msgspec

from gateline.bench.plan import Origin, Plan

_CHATS = {"openai": "/chat/completions", "anthropic": "/messages"}
_WORD = "word "  # about one token for the usual tokenizers
_MAX_KEPT = 256


class Requests:
    """Writes requests and keeps the most recent sizes; a trace has thousands, and most of them once."""

    def __init__(self, plan: Plan, origin: Origin) -> None:
        self._plan = plan
        path = "/embeddings" if plan.kind == "embeddings" else _CHATS[plan.format]
        self._head = (
            f"POST {origin.base}{path} HTTP/1.1\r\nhost: {origin.authority}\r\n"
            f"authorization: Bearer {plan.key}\r\ncontent-type: application/json\r\nuser-agent: gateline-bench\r\n"
        ).encode()
        self._kept: dict[tuple[int, int], bytes] = {}
        self.usual = self.sized(plan.prompt_tokens, plan.max_tokens)

    def sized(self, prompt_tokens: int, max_tokens: int) -> bytes:
        known = self._kept.get((prompt_tokens, max_tokens))
        if known is not None:
            return known
        body = self._body(_WORD * max(prompt_tokens, 1), max_tokens)
        written = self._head + b"content-length: %d\r\n\r\n" % len(body) + body
        if len(self._kept) >= _MAX_KEPT:
            self._kept.clear()
        self._kept[prompt_tokens, max_tokens] = written
        return written

    def _body(self, text: str, max_tokens: int) -> bytes:
        plan = self._plan
        if plan.kind == "embeddings":
            return msgspec.json.encode({"model": plan.model, "input": text, "encoding_format": "base64"})
        messages = [{"role": "user", "content": text}]
        call = {"model": plan.model, "messages": messages, "max_tokens": max_tokens}
        return msgspec.json.encode({**call, "stream": True} if plan.kind == "stream" else call)
