"""Secrets in the configuration: a literal, or `file:/path`. Never repeats what it read."""

from __future__ import annotations

from pathlib import Path

_MAX_SECRET = 16_384


def read_secret(value: str, files: set[str]) -> str:
    """The secret itself. A path that was read is added to `files`. Raises ValueError that says what to do."""
    if value.startswith("file:"):
        name = value.removeprefix("file:")
        path = Path(name)
        if not path.is_absolute():
            raise ValueError("file: needs an absolute path, such as file:/run/secrets/name")
        try:
            with path.open("rb") as file:
                raw = file.read(_MAX_SECRET + 1)
        except OSError as error:
            raise ValueError(f"its secret file cannot be read: {error.strerror}") from None
        files.add(name)
        try:
            value = raw.decode("ascii").rstrip("\r\n")
        except UnicodeDecodeError:
            raise ValueError("its secret file must hold plain ASCII text") from None
        if not value:
            raise ValueError("its secret file is empty")
    if len(value) > _MAX_SECRET:
        raise ValueError(f"a secret is at most {_MAX_SECRET} characters")
    if not all("!" <= character <= "~" for character in value):
        raise ValueError("a secret must be printable ASCII without spaces: it travels in a header")
    return value
