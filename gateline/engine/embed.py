"""An embedding model that speaks OpenAI: all-MiniLM-L6-v2 in int8, by ONNX Runtime, batching whatever waits."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Any

import msgspec

from gateline.engine.embedcall import EmbedCall, read_embed_call, write_embeddings
from gateline.engine.minilm import DIMENSIONS, POSITIONS
from gateline.engine.refusal import Refused
from gateline.engine.work import Part, Step

CAPACITY = 64  # requests that share steps; each may hold many texts
# Tokens a step, padding included. Batching gains while texts are short and nothing beyond a few hundred tokens, where
# it only makes everybody wait for the longest: 512 are about 100 ms of one core.
STEP_TOKENS = 512
REQUEST_TOKENS = 300_000  # OpenAI's own
_TEXT_LIMIT = 64 * 1024  # characters; more is over the limit of tokens without counting


class _Running(msgspec.Struct):
    call: EmbedCall
    ids: list[list[int]]
    vectors: list[Any]
    next: int = 0


class EmbedModel:
    """A `Model` over an exported file and its tokenizer. Not thread-safe: one thread drives it."""

    capacity = CAPACITY

    def __init__(self, graph: Path, tokenizer: Path) -> None:
        import onnxruntime
        from tokenizers import Tokenizer

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        self._tokenizer.no_truncation()  # the file asks for 128 tokens, silently: ours are counted and refused
        self._tokenizer.no_padding()
        self._running: dict[int, _Running] = {}
        self._turns: deque[int] = deque()

    def admit(self, key: int, path: str, body: bytes) -> None:
        call = read_embed_call(path, body, DIMENSIONS)
        if any(len(text) > _TEXT_LIMIT for text in call.texts):
            raise _too_long("more than that")
        encoded = self._tokenizer.encode_batch(call.texts)
        ids = [encoding.ids for encoding in encoded]
        longest = max(map(len, ids))
        if longest > POSITIONS:
            raise _too_long(f"{longest}")
        total = sum(map(len, ids))
        if total > REQUEST_TOKENS:
            message = f"a request may hold {REQUEST_TOKENS} tokens, this one holds {total}: send it in parts"
            raise Refused(message, param="input", code="too_many_tokens")
        self._running[key] = _Running(call, ids, [])
        self._turns.append(key)

    def step(self) -> Step:
        batch = self._choose()
        if not batch:
            return Step([], {}, 0)
        load: dict[int, int] = {}
        for (key, ids), vector in zip(batch, self._run([ids for _, ids in batch]), strict=True):
            load[key] = load.get(key, 0) + len(ids)
            self._running[key].vectors.append(vector)
        parts = [self._finish(key) for key in load if len(self._running[key].vectors) == len(self._running[key].ids)]
        return Step(parts, load, len(batch))

    def cancel(self, key: int) -> None:
        if self._running.pop(key, None) is not None and key in self._turns:
            self._turns.remove(key)

    def _choose(self) -> list[tuple[int, list[int]]]:
        """One text of each request in turn, so that a long list holds nobody up, until the step is full."""
        chosen: list[tuple[int, list[int]]] = []
        longest = 0
        while self._turns:
            key = self._turns[0]
            running = self._running[key]
            ids = running.ids[running.next]
            if chosen and max(longest, len(ids)) * (len(chosen) + 1) > STEP_TOKENS:
                break
            chosen.append((key, ids))
            longest = max(longest, len(ids))
            running.next += 1
            self._turns.popleft()
            if running.next < len(running.ids):
                self._turns.append(key)
        return chosen

    def _run(self, texts: list[list[int]]) -> Any:
        import numpy as np

        ids = np.zeros((len(texts), max(map(len, texts))), np.int64)
        mask = np.zeros_like(ids)
        for row, text in enumerate(texts):
            ids[row, : len(text)] = text
            mask[row, : len(text)] = 1
        return self._session.run(None, {"input_ids": ids, "attention_mask": mask})[0]

    def _finish(self, key: int) -> Part:
        running = self._running.pop(key)
        tokens = sum(map(len, running.ids))
        return Part(key, write_embeddings(running.call, running.vectors, tokens), status=200, last=True)


def _too_long(found: str) -> Refused:
    message = f"this model takes {POSITIONS} tokens a text, one of these has {found}: split it"
    return Refused(message, param="input", code="context_length_exceeded")
