"""Certificates, keys and authorities are tried when the configuration is read, not when the first client comes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gateline.control.config import load
from gateline.control.mistakes import ConfigMistakes
from tests.net.certificates import certificate


def said(folder: Path, text: str) -> list[str]:
    path = folder / "gateline.yaml"
    path.write_text(text)
    try:
        load(path)
    except ConfigMistakes as error:
        return [str(mistake) for mistake in error.mistakes]
    return []


def pair(folder: Path, certificate_file: str, key: str) -> list[str]:
    return said(folder, f"server:\n  tls:\n    certificate: {certificate_file}\n    key: {key}\n")


def test_a_certificate_and_its_key_are_good(tmp_path: Path) -> None:
    one = certificate()
    assert pair(tmp_path, one.file, one.key) == []


def test_each_file_that_is_not_what_it_should_be_is_named(tmp_path: Path) -> None:
    """Text that is no PEM, files in each other's place, and the key of another certificate."""
    one, two = certificate(), certificate("two")
    text = tmp_path / "text"
    text.write_text("not what was meant")
    assert pair(tmp_path, str(text), one.key) == ["3: server.tls.certificate: holds no certificate in PEM form"]
    assert pair(tmp_path, one.key, one.file) == ["3: server.tls.certificate: holds no certificate in PEM form"]
    no_key = ["4: server.tls.key: holds no private key in PEM form, or one with a password: write it without"]
    assert pair(tmp_path, one.file, str(text)) == no_key
    assert pair(tmp_path, one.file, one.file) == no_key
    assert pair(tmp_path, one.file, two.key) == [
        "4: server.tls.key: does not belong to server.tls.certificate: name the key that it was made with"
    ]


def test_a_key_with_a_password_is_told_and_nobody_is_asked_for_it(tmp_path: Path, encrypted: Callable[[], str]) -> None:
    assert pair(tmp_path, certificate().file, encrypted()) == [
        "4: server.tls.key: holds no private key in PEM form, or one with a password: write it without"
    ]


@pytest.fixture
def encrypted(tmp_path: Path) -> Callable[[], str]:
    import subprocess

    def make() -> str:
        path = tmp_path / "locked.pem"
        command = ["openssl", "ec", "-in", certificate().key, "-aes256", "-passout", "pass:secret", "-out", str(path)]
        subprocess.run(command, check=True, capture_output=True)
        return str(path)

    return make


def test_authorities_that_are_none_are_named(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("-----BEGIN CERTIFICATE-----\nbm90IG9uZQ==\n-----END CERTIFICATE-----\n")
    models = "models: {m: {targets: [{provider: up, model: x}]}}\n"
    provider = "providers:\n  up: {kind: openai, ca_file: %s}\n"
    assert said(tmp_path, provider % certificate().file + models) == []
    assert said(tmp_path, provider % text + models) == ["2: providers.up.ca_file: holds no certificate in PEM form"]
