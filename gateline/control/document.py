"""Reads a YAML file into plain values and remembers the line of every field. Knows YAML, nothing of our fields.

Stricter than YAML on purpose: no tags, no repeated keys, no unbounded aliases, bounded size, depth and count. Plain
scalars follow YAML 1.2 (so `no` is text and `1:30` is no number) and a decimal number stays exact (`Decimal`).
`${NAME}` and `${NAME:-default}` in a value are replaced from the environment; such a value stays text.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from gateline.control.mistakes import ConfigMistakes, FieldPath, Mistake, dotted

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 24
MAX_VALUES = 100_000
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}\Z")
_DECIMAL = re.compile(r"[-+]?(?:[0-9]{1,18}\.[0-9]{0,18}|\.[0-9]{1,18})\Z")
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}\n]*))?\}")
# A reference is masked before the YAML parser sees it: in `{api_key: ${KEY}}` its braces would be YAML's. What stands
# for it holds no character that means something to YAML, and a value is put in only after parsing: it cannot inject.
_MASK_OPEN, _MASK_CLOSE = "\ue000", "\ue001"
_MASK = re.compile(f"{_MASK_OPEN}([0-9]+){_MASK_CLOSE}")
_WORDS: dict[str, Any] = {"": None, "~": None, "null": None, "true": True, "false": False}
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(slots=True)
class Document:
    """`values` as plain Python, `lines` by field path, `variables` that were looked up in the environment."""

    values: Any
    lines: dict[FieldPath, int]
    variables: set[str] = field(default_factory=set)

    def line_of(self, path: FieldPath) -> int:
        """The line of `path`, or of the nearest field that holds it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def read_document(path: Path, environment: Mapping[str, str] = os.environ) -> Document:
    """Raises ConfigMistakes when the file cannot be read or is not the YAML we accept."""
    return parse_document(_read_text(path), environment)


def _read_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigMistakes([Mistake(0, "", f"it cannot be read: {error.strerror}")]) from None
    if len(raw) > MAX_BYTES:
        raise ConfigMistakes([Mistake(0, "", f"the file is over {MAX_BYTES} bytes: split it or remove what is unused")])
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigMistakes([Mistake(line, "", "this line is not UTF-8: save the file as UTF-8")]) from None


def parse_document(text: str, environment: Mapping[str, str]) -> Document:
    reader = _Reader(text, environment)
    try:
        values = reader.read()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = 0 if mark is None else int(mark.line) + 1
        problem = (error.problem or "not readable").split("\n", 1)[0]
        raise ConfigMistakes([*reader.mistakes, Mistake(line, "", f"this is not YAML: {problem}")]) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigMistakes([Mistake(line, "", "this line holds a character that YAML forbids: remove it")]) from None
    if reader.mistakes:
        raise ConfigMistakes(reader.mistakes)
    return Document(values, reader.lines, reader.variables)


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


class _Stop(Exception):
    """Reading further is pointless or dangerous; the mistake is noted already."""


class _Reader:
    """Builds values from the parser's events, which come one by one however deep the text is nested."""

    def __init__(self, text: str, environment: Mapping[str, str]) -> None:
        self.lines: dict[FieldPath, int] = {}
        self.mistakes: list[Mistake] = []
        self.variables: set[str] = set()
        self._environment = environment
        self._references: list[tuple[str, str | None]] = []
        self._events: Iterator[Any] = yaml.parse(self._masked(text), Loader=_Loader)
        self._anchors: dict[str, list[Any]] = {}
        self._recording: list[list[Any]] = []
        self._count = 0

    def _masked(self, text: str) -> str:
        def mask(match: re.Match[str]) -> str:
            self._references.append((match[1], match[2]))
            return f"{_MASK_OPEN}{len(self._references) - 1}{_MASK_CLOSE}"

        return _VARIABLE.sub(mask, text.replace(_MASK_OPEN, "\ufffd").replace(_MASK_CLOSE, "\ufffd"))

    def read(self) -> Any:
        try:
            self._next()  # stream start
            if isinstance(self._next(), yaml.StreamEndEvent):
                return None
            values = self._value(self._next(), (), 0)
            self._next()  # document end
            more = self._next()
            if not isinstance(more, yaml.StreamEndEvent):
                self._refuse(more, (), "a second document starts here: keep one, a configuration is one document")
        except _Stop:
            return None
        return values

    def _next(self) -> Any:
        event = next(self._events)
        for record in self._recording:
            record.append(event)
        return event

    def _refuse(self, event: Any, path: FieldPath, message: str) -> None:
        self.mistakes.append(Mistake(_line(event), dotted(path), message))

    def _value(self, event: Any, path: FieldPath, depth: int) -> Any:
        self._count += 1
        if self._count > MAX_VALUES:
            self._refuse(event, path, f"more than {MAX_VALUES} values, aliases counted where they are used: too large")
            raise _Stop
        if depth > MAX_DEPTH:
            self._refuse(event, path, f"nested deeper than {MAX_DEPTH} levels: no field lies that deep")
            raise _Stop
        self.lines.setdefault(path, _line(event))
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, path, depth)
        if event.anchor is None:
            return self._content(event, path, depth)
        record: list[Any] = [event]
        self._recording.append(record)
        value = self._content(event, path, depth)
        self._recording.pop()
        self._anchors[event.anchor] = record
        return value

    def _alias(self, event: Any, path: FieldPath, depth: int) -> Any:
        """Replays what the anchor named, so that each use counts and has its own paths."""
        record = self._anchors.get(event.anchor)
        if record is None:
            self._refuse(event, path, "a value that begins with * names an anchor, and there is none: put it in quotes")
            return None
        outer, self._events = self._events, iter(record)
        recordings, self._recording = self._recording, []
        try:
            return self._content(next(self._events), path, depth)
        finally:
            self._events, self._recording = outer, recordings
            for open_record in self._recording:  # an anchor around an alias keeps the expansion, not the alias
                open_record.pop()
                open_record.extend(record)

    def _content(self, event: Any, path: FieldPath, depth: int) -> Any:
        if event.tag not in {None, "!"}:
            self._refuse(event, path, "tags (!…) are not read: write the plain value")
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, path)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path, depth)
        return self._mapping(path, depth)

    def _sequence(self, path: FieldPath, depth: int) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            items.append(self._value(event, (*path, len(items)), depth + 1))
        return items

    def _mapping(self, path: FieldPath, depth: int) -> dict[str, Any]:
        items: dict[str, Any] = {}
        first_line: dict[str, int] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent) or _MASK_OPEN in event.value:
                self._refuse(event, path, "a field's name must be plain text")
                raise _Stop
            name = str(event.value)
            line = _line(event)
            if name in first_line:
                self._refuse(event, (*path, name), f"repeated: line {first_line[name]} has it already, keep one")
            first_line.setdefault(name, line)
            self.lines.setdefault((*path, name), line)
            items[name] = self._value(self._next(), (*path, name), depth + 1)
        return items

    def _scalar(self, event: Any, path: FieldPath) -> Any:
        text = str(event.value)
        if "${" in text:
            self._refuse(event, path, "${ must be ${NAME} or ${NAME:-default}")
            return text
        if _MASK_OPEN in text:
            return _MASK.sub(lambda match: self._looked_up(int(match[1]), event, path), text)
        if not event.implicit[0]:  # quoted, or tagged
            return text
        if text in _WORDS:
            return _WORDS[text]
        if _INTEGER.match(text):
            return int(text)
        return Decimal(text) if _DECIMAL.match(text) else text

    def _looked_up(self, reference: int, event: Any, path: FieldPath) -> str:
        name, default = self._references[reference]
        self.variables.add(name)
        value = self._environment.get(name, default)
        if value is None:
            self._refuse(event, path, f"the environment has no {name}: set it, or write ${{{name}:-default}}")
            return ""
        return value
