"""What is wrong with a configuration file: where, and what to do about it. Never a value: a value may be a secret."""

from __future__ import annotations

from dataclasses import dataclass

FieldPath = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """`line` counts from 1 (0: the file as a whole); `field` is dotted, `models.gpt-4o.targets[0].provider`."""

    line: int
    field: str
    message: str

    def __str__(self) -> str:
        return ": ".join(str(part) for part in (self.line, self.field, self.message) if part)

    def within(self, file: object) -> str:
        """As compilers say it."""
        return f"{file}:{self}" if self.line else f"{file}: {self}"


class ConfigMistakes(ValueError):
    """Every mistake of one file, in the order of its lines."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        self.mistakes = sorted(set(mistakes))
        super().__init__("; ".join(f"line {mistake}" if mistake.line else str(mistake) for mistake in self.mistakes))


def dotted(path: FieldPath) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
