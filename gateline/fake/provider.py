"""The scripted provider itself: script, invoice, log and the answers to requests. Knows no socket."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import msgspec

from gateline.fake.cue import NO_CUE, BadCue, Cue, parse_cue, split_model
from gateline.fake.events import EventLog
from gateline.fake.invoice import Invoice
from gateline.fake.reply import Refusal, Reply, Voice, as_stream
from gateline.fake.request import Request
from gateline.fake.routes import DEFAULT_MODELS, catalogue, find_route, speaker
from gateline.fake.script import Prompter, Script
from gateline.fake.turn import Memory, Setting, Turn

MAX_ECHO_BODY = 1024 * 1024


class Scene(NamedTuple):
    """A reply with the cue it is played by, and what the invoice says about it."""

    reply: Reply
    cue: Cue = NO_CUE
    model: str = ""
    stream: bool = False


class Provider:
    def __init__(self, script: Script) -> None:
        self.prompter = Prompter(script)
        self.invoice = Invoice()
        self.log = EventLog()
        self.memory = Memory()
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
        self.memory.clear()
        self.last = None
        self.prompter = Prompter(self.script)

    def answer(self, request: Request) -> Scene:
        """What to reply, and how. Remembers the request for the echo."""
        self.last = request
        try:
            found = find_route(request)
            if found is None:
                voice, proves = speaker(request)
                self._authorize(request, voice, proves)
                reply, cue = catalogue(request, self.script.models), self._asked(request, voice)
                return Scene(as_stream(reply) if cue.fault == "wrong_type" else reply, cue)
            route, match = found
            self._authorize(request, route.voice, route.proves)
            with _understood(route.voice):
                return self._play(request, route.read(request, match, self.memory), route.voice)
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

    def _authorize(self, request: Request, voice: Voice, proves: Callable[[Request, str], bool]) -> None:
        """Where the script has a key, it must come in the header that this vendor's clients use."""
        key = self.script.api_key
        if key is not None and not proves(request, key):
            raise Refusal(voice.refuse(*voice.denied))

    def _asked(self, request: Request, voice: Voice) -> Cue:
        text = ",".join(f"{name[7:]}={value}" for name, value in request.headers if name.lower().startswith("x-fake-"))
        try:
            return parse_cue(text) if text else NO_CUE
        except BadCue as error:
            raise Refusal(voice.refuse(400, str(error), "bad_cue")) from error

    def _play(self, request: Request, turn: Turn, voice: Voice) -> Scene:
        try:
            model, asked = split_model(turn.model)
            if isinstance(turn.told, str):
                asked = parse_cue(turn.told)
        except BadCue as error:
            raise Refusal(voice.refuse(400, str(error), "bad_cue")) from error
        script = self.script
        if script.models and turn.model and model not in script.models:
            raise Refusal(voice.refuse(*voice.unknown(model)))
        by_header = self._asked(request, voice)
        told = asked if by_header == NO_CUE else by_header
        cue = self.prompter.cue(model, request.path, stream=turn.stream, asked=told)
        streams = turn.stream is not (cue.fault == "wrong_type")
        listed = tuple(script.models or DEFAULT_MODELS)
        setting = Setting(model, self.memory, cue, script.tokens, script.chunk_tokens, streams, script.strict, listed)
        reply = turn.play(setting)
        if streams and not reply.stream and cue.fault == "wrong_type":
            reply = as_stream(reply)
        return Scene(reply, cue, model, turn.stream)


@contextmanager
def _understood(voice: Voice) -> Iterator[None]:
    """A field of another type than it ever has, of which no rule of this format speaks, is 400 as at every vendor."""
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise Refusal(voice.refuse(400, f"A field has a value that cannot be used: {error}")) from error
