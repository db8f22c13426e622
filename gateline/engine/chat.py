"""A language model that speaks OpenAI: SmolLM2 and other GGUF chat models, by OpenVINO's continuous batching."""

from __future__ import annotations

import itertools
import secrets
import time
from typing import Any

import msgspec

from gateline.engine.chatcall import ChatCall, read_call, too_long
from gateline.engine.chatreply import EventReply, Finish, Reply, WholeReply
from gateline.engine.pieces import read_pieces
from gateline.engine.pipeline import CAPACITY
from gateline.engine.refusal import Refused
from gateline.engine.text import TextStream
from gateline.engine.work import EVENTS, JSON, Part, Step

CONTEXT = 8192
BUSY_RETRY_AFTER = 2.0


class _Running(msgspec.Struct):
    """`handle` is kept for its life: dropping it cancels the request."""

    handle: Any
    text: TextStream
    reply: Reply
    prompt_tokens: int
    content_type: str
    completion_tokens: int = 0
    begun: bool = False


class ChatModel:
    """A `Model` over a loaded pipeline. Not thread-safe: one thread drives it."""

    capacity = CAPACITY

    def __init__(self, pipeline: Any) -> None:
        import openvino_genai as genai

        self._genai = genai
        self._pipeline = pipeline
        self._tokenizer = pipeline.get_tokenizer()
        self._pieces = read_pieces(self._tokenizer)
        # A longer text cannot fit, whatever its tokens are: it is refused before minutes are spent on counting them.
        self._text_limit = CONTEXT * max(map(len, self._pieces))
        self._running: dict[int, _Running] = {}
        # Never used twice: the pipeline clears up after a cancelled request by its number, one step later.
        self._numbers = itertools.count(1)

    def admit(self, key: int, path: str, body: bytes) -> None:
        call = read_call(path, body)
        tokens = self._tokenize(call)
        prompt_tokens = int(tokens.shape[1])
        if prompt_tokens == 0:
            raise Refused("the prompt is empty", param="prompt", code="invalid_value")
        room = CONTEXT - prompt_tokens
        wanted = call.max_tokens or max(room, 1)
        if wanted > room:
            raise too_long(prompt_tokens, wanted, CONTEXT)
        handle = self._pipeline.add_request(next(self._numbers), tokens, self._config(call, wanted))
        self._running[key] = _Running(
            handle=handle,
            text=TextStream(self._pieces, call.stops),
            reply=_reply(call),
            prompt_tokens=prompt_tokens,
            content_type=EVENTS if call.stream else JSON,
        )

    def step(self) -> Step:
        load = dict.fromkeys(self._running, 1)
        if self._pipeline.has_non_finished_requests():
            self._pipeline.step()
        batch = self._pipeline.get_metrics().scheduled_requests
        parts = [part for key in load if (part := self._collect(key, self._running[key])) is not None]
        return Step(parts, load, batch)

    def cancel(self, key: int) -> None:
        running = self._running.pop(key, None)
        if running is not None:
            running.handle.cancel()

    def _tokenize(self, call: ChatCall) -> Any:
        prompt = call.prompt
        if not isinstance(prompt, str):
            size = sum(len(message["content"]) for message in prompt)
            if size <= self._text_limit:
                try:
                    prompt = self._tokenizer.apply_chat_template(prompt, add_generation_prompt=True)
                except RuntimeError as error:  # the template's own rules, such as turns that must alternate
                    reason = str(error).strip().splitlines()[-1]
                    message = f"the chat template does not take these messages: {reason}"
                    raise Refused(message, param="messages", code="invalid_value") from None
        else:
            size = len(prompt)
        if size > self._text_limit:
            raise too_long(size // (self._text_limit // CONTEXT), call.max_tokens or 1, CONTEXT)
        return self._tokenizer.encode(prompt, add_special_tokens=False).input_ids

    def _config(self, call: ChatCall, max_tokens: int) -> Any:
        config = self._genai.GenerationConfig()
        config.apply_chat_template = False
        config.max_new_tokens = max_tokens
        config.presence_penalty = call.sampling.presence_penalty
        config.frequency_penalty = call.sampling.frequency_penalty
        if call.sampling.temperature > 0 and call.sampling.top_p > 0:
            config.do_sample = True
            config.temperature = call.sampling.temperature
            config.top_p = call.sampling.top_p
            if call.sampling.top_k > 0:
                config.top_k = call.sampling.top_k
            config.rng_seed = call.sampling.seed
        if call.schema is not None:
            config.structured_output_config = self._genai.StructuredOutputConfig(json_schema=call.schema)
        return config

    def _collect(self, key: int, running: _Running) -> Part | None:
        """Reads what the step gave one request."""
        handle, none = running.handle, self._genai.GenerationFinishReason.NONE
        finish: Finish | None = None
        text = ""
        while handle.can_read() and finish is None:
            for output in handle.read().values():
                running.completion_tokens += len(output.generated_ids)
                text += running.text.push(output.generated_ids)
                if output.finish_reason != none:
                    finish = "length" if output.finish_reason == self._genai.GenerationFinishReason.LENGTH else "stop"
        if running.text.stopped:
            finish = "stop"
            handle.cancel()
        if finish is None and handle.get_status() != self._genai.GenerationStatus.RUNNING:
            return self._gave_up(key, running)
        if finish is None and not text:
            return None
        return self._part(key, running, text, finish)

    def _part(self, key: int, running: _Running, text: str, finish: Finish | None) -> Part:
        data = running.reply.grow(text)
        if finish is not None:
            data += running.reply.grow(running.text.finish())
            data += running.reply.end(finish, running.prompt_tokens, running.completion_tokens)
            del self._running[key]
        part = Part(key, data, content_type=running.content_type, last=finish is not None)
        if data and not running.begun:
            part.status = 200
            running.begun = True
        return part

    def _gave_up(self, key: int, running: _Running) -> Part:
        """The scheduler ignored it: the cache has no room for it, not even alone."""
        del self._running[key]
        message = "the local model has no memory left for this request: shorten it or try again later"
        if running.begun:
            return Part(key, last=True, error=message)
        refused = Refused(message, status=503, code="out_of_memory", retry_after=BUSY_RETRY_AFTER)
        return Part(key, refused.body(), refused.status, retry_after=refused.retry_after, last=True)


def _reply(call: ChatCall) -> Reply:
    kind = "chatcmpl" if call.shape == "chat" else "cmpl"
    identity, created = f"{kind}-{secrets.token_hex(12)}", int(time.time())
    if call.stream:
        return EventReply(call.shape, identity, created, call.model, include_usage=call.include_usage)
    return WholeReply(call.shape, identity, created, call.model)
