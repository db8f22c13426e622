"""The scripted provider itself: script, invoice, log and the answers to requests. Knows no socket."""

from __future__ import annotations

import hmac
from base64 import b64encode
from typing import NamedTuple

import msgspec

from gateline.fake import objects
from gateline.fake.answer import (
    DEFAULT_DIMENSIONS,
    MAX_DIMENSIONS,
    Question,
    embed,
    pack_vector,
    read_inputs,
    read_question,
    text_tokens,
    write_answer,
)
from gateline.fake.cue import NO_CUE, BadCue, Cue, parse_cue, split_model
from gateline.fake.events import EventLog
from gateline.fake.invoice import Invoice
from gateline.fake.reply import Reply, as_stream, whole
from gateline.fake.script import Prompter, Script
from gateline.model.usage import Usage

MAX_LENGTH = 1_000_000  # tokens an answer may be told to have
MAX_ECHO_BODY = 1024 * 1024
DEFAULT_MODELS = ["gpt-4o", "gpt-4o-mini", "text-embedding-3-small"]
_GENERATIONS = ("/v1/chat/completions", "/v1/completions")
_POSTED = (*_GENERATIONS, "/v1/embeddings")


class Request(NamedTuple):
    """One request as it came: header names and values are the bytes on the wire, latin-1."""

    method: str
    target: str
    version: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str:
        """The first one with this lower-case name, blank if there is none."""
        return next((value for key, value in self.headers if key.lower() == name), "")


class Scene(NamedTuple):
    """A reply with the cue it is played by, and what the invoice says about it."""

    reply: Reply
    cue: Cue = NO_CUE
    model: str = ""
    stream: bool = False


class Refusal(Exception):
    """Raised with the reply that says no."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


class Provider:
    def __init__(self, script: Script) -> None:
        self.prompter = Prompter(script)
        self.invoice = Invoice()
        self.log = EventLog()
        self.last: Request | None = None

    @property
    def script(self) -> Script:
        return self.prompter.script

    def follow(self, script: Script) -> None:
        """The next request is answered by `script`; counts of `nth` and `times` start again."""
        self.prompter = Prompter(script)

    def reset(self) -> None:
        """Forgets invoice, log, echo and counts; keeps the script."""
        self.invoice.clear()
        self.log.clear()
        self.last = None
        self.prompter = Prompter(self.script)

    def answer(self, request: Request) -> Scene:
        """What to reply, and how. Remembers the request for the echo."""
        self.last = request
        path = request.target.partition("?")[0]
        try:
            self._authorize(request)
            if path in _POSTED:
                return self._generate(request, path)
            reply, cue = self._catalogue(request, path), self._asked(request)
            return Scene(as_stream(reply) if cue.fault == "wrong_type" else reply, cue)
        except Refusal as refusal:
            return Scene(refusal.reply)

    def echo(self) -> bytes:
        """The last request's head and body as JSON; the body as text where it is UTF-8, else as base64."""
        if self.last is None:
            return msgspec.json.encode(None)
        kept = self.last.body[:MAX_ECHO_BODY]
        fields = {"method": self.last.method, "target": self.last.target, "version": self.last.version}
        head = {**fields, "headers": self.last.headers, "body_bytes": len(self.last.body)}
        try:
            return msgspec.json.encode({**head, "body": kept.decode()})
        except UnicodeDecodeError:
            return msgspec.json.encode({**head, "body_base64": b64encode(kept).decode()})

    def _authorize(self, request: Request) -> None:
        if self.script.api_key is None:
            return
        given = request.header("authorization")
        if not hmac.compare_digest(given.encode(errors="replace"), f"Bearer {self.script.api_key}".encode()):
            message = "Incorrect API key provided."
            raise Refusal(whole(401, objects.error(message, "invalid_request_error", "invalid_api_key")))

    def _asked(self, request: Request) -> Cue:
        text = ",".join(f"{name[7:]}={value}" for name, value in request.headers if name.lower().startswith("x-fake-"))
        try:
            return parse_cue(text) if text else NO_CUE
        except BadCue as error:
            raise Refusal(_bad(str(error), "bad_cue")) from error

    def _generate(self, request: Request, path: str) -> Scene:
        if request.method != "POST":
            raise Refusal(_wrong_method("POST"))
        try:
            question = read_question(request.body)
            model, asked = split_model(question.model)
            told = (question.metadata or {}).get("fake")
            if isinstance(told, str):
                asked = parse_cue(told)
        except BadCue as error:
            raise Refusal(_bad(str(error), "bad_cue")) from error
        except ValueError as error:
            raise Refusal(_bad(f"We could not parse the JSON body of your request: {error}", None)) from error
        if self.script.models and model not in self.script.models:
            raise Refusal(_unknown_model(model))
        if question.n not in {None, 1}:
            raise Refusal(_bad("The fake provider writes one choice: n must be 1.", None, "n"))
        by_header = self._asked(request)
        stream = bool(question.stream) and path in _GENERATIONS
        cue = self.prompter.cue(model, path, stream=stream, asked=asked if by_header == NO_CUE else by_header)
        if path == "/v1/embeddings":
            reply = _embeddings(question, model)
            return Scene(as_stream(reply) if cue.fault == "wrong_type" else reply, cue, model)
        streams = stream is not (cue.fault == "wrong_type")
        return Scene(self._write(question, model, path, cue, stream=streams), cue, model, stream)

    def _write(self, question: Question, model: str, path: str, cue: Cue, *, stream: bool) -> Reply:
        chat = path == "/v1/chat/completions"
        field, raw = ("messages", question.messages) if chat else ("prompt", question.prompt)
        if not bytes(raw):
            raise Refusal(_bad(f"Missing required parameter: '{field}'.", "missing_required_parameter", field))
        length = min(self.script.tokens if cue.tokens is None else cue.tokens, MAX_LENGTH)
        answer = write_answer(question, model, length, cached=cue.cached or 0, reasoning=cue.reasoning or 0)
        if stream:
            chunks = objects.chat_chunks if chat else objects.completion_chunks
            pieces = chunks(answer, model, self.script.chunk_tokens, usage=question.include_usage)
            usage = answer.usage if question.include_usage else None
            return Reply(200, pieces, None, content_type="text/event-stream", stream=True, usage=usage)
        body = objects.chat_completion(answer, model) if chat else objects.completion(answer, model)
        return whole(200, body, tokens=len(answer.words), usage=answer.usage)

    def _catalogue(self, request: Request, path: str) -> Reply:
        if path != "/v1/models" and not path.startswith("/v1/models/"):
            message = f"Unknown request URL: {request.method} {path}."
            raise Refusal(whole(404, objects.error(message, "invalid_request_error", "unknown_url")))
        if request.method not in {"GET", "HEAD"}:
            raise Refusal(_wrong_method("GET, HEAD"))
        names = self.script.models or DEFAULT_MODELS
        if path == "/v1/models":
            return whole(200, objects.models_page(names))
        name = path.removeprefix("/v1/models/")
        if self.script.models and name not in names:
            raise Refusal(_unknown_model(name))
        return whole(200, msgspec.json.encode(objects.model_object(name)))


def _embeddings(question: Question, model: str) -> Reply:
    dimensions = DEFAULT_DIMENSIONS if question.dimensions is None else question.dimensions
    if not 1 <= dimensions <= MAX_DIMENSIONS:
        raise Refusal(_bad(f"dimensions must be from 1 to {MAX_DIMENSIONS}.", None, "dimensions"))
    if question.encoding_format not in {None, "float", "base64"}:
        raise Refusal(_bad("encoding_format must be 'float' or 'base64'.", None, "encoding_format"))
    try:
        inputs = read_inputs(bytes(question.input))
    except ValueError as error:
        raise Refusal(_bad(str(error), None, "input")) from error
    vectors = [embed(text, dimensions) for text in inputs]
    tokens = sum(text_tokens(text) for text in inputs)
    usage = Usage(input=tokens)
    if question.encoding_format == "base64":
        return whole(200, objects.embeddings([pack_vector(vector) for vector in vectors], model, tokens), usage=usage)
    return whole(200, objects.embeddings(vectors, model, tokens), usage=usage)


def _bad(message: str, code: str | None, param: str | None = None) -> Reply:
    return whole(400, objects.error(message, "invalid_request_error", code, param))


def _unknown_model(name: str) -> Reply:
    message = f"The model '{name}' does not exist or you do not have access to it."
    return whole(404, objects.error(message, "invalid_request_error", "model_not_found", "model"))


def _wrong_method(allowed: str) -> Reply:
    body = objects.error(f"Not allowed here; allowed: {allowed}.", "invalid_request_error", "method_not_allowed")
    return whole(405, body, ("allow", allowed))
