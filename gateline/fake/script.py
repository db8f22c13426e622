"""The script: how the fake paces its answers, and which requests meet which fault. YAML or JSON, checked whole."""

from __future__ import annotations

import random
from fnmatch import fnmatchcase
from pathlib import Path

import msgspec

from gateline.fake.cue import NO_CUE, BadCue, Cue, parse_cue

MAX_SCRIPT_BYTES = 1024 * 1024
MAX_COUNTED_CUES = 4096


class BadScript(ValueError):
    """The script cannot be used; the message says where and why."""


class Match(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that is given must hold. `model`, `path` take `*` and `?`; `nth` counts the requests that match the
    rest, from 1; `probability` is drawn from the script's seed."""

    model: str = "*"
    path: str = "*"
    stream: bool | None = None
    nth: int | list[int] | None = None
    probability: float = 1.0


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`cue` is a text as in `cue.py`."""

    cue: str
    match: Match = Match()


class Script(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`latency`: seconds to the first byte; `tps`: tokens a second, None for as fast as it goes; `tokens`: the
    length of an answer unless the request asks for less; `jitter`: the part of each pause that is random (0 to 1);
    `models`: the only names known, empty for any; `strict`: arguments of chats that OpenAI does not know are refused,
    under the names of its models."""

    latency: float = 0.0
    tps: float | None = None
    tokens: int = 16
    chunk_tokens: int = 1
    jitter: float = 0.0
    seed: int = 0
    api_key: str | None = None
    models: list[str] = []
    strict: bool = False
    rules: list[Rule] = []


def read_script(text: bytes | str) -> Script:
    """Raises BadScript."""
    if len(text) > MAX_SCRIPT_BYTES:
        raise BadScript(f"a script is at most {MAX_SCRIPT_BYTES} bytes")
    import yaml  # JSON is YAML: one reader for both, imported only where a script is used

    try:
        script = msgspec.convert(yaml.safe_load(text) or {}, Script)
        for rule in script.rules:
            parse_cue(rule.cue)
    except (yaml.YAMLError, msgspec.ValidationError, BadCue, UnicodeDecodeError, RecursionError) as error:
        raise BadScript(f"bad script: {error}") from error
    check_script(script)
    return script


def check_script(script: Script, *, is_fast: bool = False) -> None:
    """Raises BadScript for numbers that make no sense, and for what the fast mode would silently leave out."""
    if is_fast and (script.rules or script.models or script.strict or script.api_key or script.jitter):
        raise BadScript("rules, models, key and jitter need the plain mode: --fast looks at no request closely")
    if script.latency < 0 or script.tokens < 0 or script.chunk_tokens < 1:
        raise BadScript("latency and tokens must not be negative, chunk_tokens must be 1 or more")
    if script.tps is not None and script.tps <= 0:
        raise BadScript("tps must be above 0")
    if not 0 <= script.jitter <= 1:
        raise BadScript("jitter is a part of the pause, from 0 to 1")


def load_script(path: Path) -> Script:
    """Raises BadScript, OSError."""
    return read_script(path.read_bytes())


class Prompter:
    """Gives each request its cue: remembers how often each rule and each counted cue was met."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self._rules = [(rule.match, parse_cue(rule.cue)) for rule in script.rules]
        self._met = [0] * len(self._rules)
        self._random = random.Random(script.seed)
        self._struck: dict[Cue, int] = {}

    def cue(self, model: str, path: str, *, stream: bool, asked: Cue) -> Cue:
        """The request's own cue wins over the rules; of these the first that fires does, and all count."""
        fired = NO_CUE
        for index, (match, cue) in enumerate(self._rules):
            if self._fires(index, match, model, path, stream=stream) and fired is NO_CUE:
                fired = cue
        chosen = fired if asked == NO_CUE else asked
        return self._counted(chosen) if chosen.times is not None else chosen

    def _fires(self, index: int, match: Match, model: str, path: str, *, stream: bool) -> bool:
        if not (fnmatchcase(model, match.model) and fnmatchcase(path, match.path)):
            return False
        if match.stream is not None and match.stream != stream:
            return False
        self._met[index] += 1
        if match.nth is not None:
            wanted = match.nth if isinstance(match.nth, list) else [match.nth]
            if self._met[index] not in wanted:
                return False
        return match.probability >= 1 or self._random.random() < match.probability

    def _counted(self, cue: Cue) -> Cue:
        struck = self._struck.get(cue, 0)
        if struck >= (cue.times or 0):
            return NO_CUE
        if len(self._struck) >= MAX_COUNTED_CUES:
            self._struck.clear()
        self._struck[cue] = struck + 1
        return cue
