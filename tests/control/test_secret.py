"""Secrets: literal or from a file, always fit for a header, never repeated in a refusal."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateline.control.secret import read_secret


def test_a_literal_is_itself() -> None:
    files: set[str] = set()
    assert read_secret("sk-literal", files) == "sk-literal"
    assert read_secret("", files) == ""
    assert files == set()


@pytest.mark.parametrize("content", [b"sk-x", b"sk-x\n", b"sk-x\r\n"])
def test_a_file_gives_its_text_without_the_line_end(tmp_path: Path, content: bytes) -> None:
    files: set[str] = set()
    (tmp_path / "secret").write_bytes(content)
    assert read_secret(f"file:{tmp_path}/secret", files) == "sk-x"
    assert files == {f"{tmp_path}/secret"}


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"CANARY CANARY", b"CANARY\r\nX: y", b"CANARY\xff", b"C" * 20_000, b"\0"]
)
def test_what_fits_no_header_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "secret").write_bytes(content)
    with pytest.raises(ValueError, match="secret") as caught:
        read_secret(f"file:{tmp_path}/secret", set())
    assert "CANARY" not in str(caught.value)


@pytest.mark.parametrize("value", ["file:relative", "file:", "file:/", "file:/dev/null"])
def test_a_file_that_is_none_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="file"):
        read_secret(value, set())
