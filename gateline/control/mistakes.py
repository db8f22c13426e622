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
        return f"{self.line}: {self.field}: {self.message}" if self.field else f"{self.line}: {self.message}"


class ConfigMistakes(ValueError):
    """Every mistake of one file, in the order of its lines."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        self.mistakes = sorted(set(mistakes))
        super().__init__("; ".join(f"line {mistake}" for mistake in self.mistakes))


def dotted(path: FieldPath) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
