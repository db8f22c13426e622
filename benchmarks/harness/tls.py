"""A certificate for 127.0.0.1 that signs itself, so that servers, gateway and clients can verify each other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness.process import run_to_end

_CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")


@dataclass(frozen=True, slots=True)
class Certificate:
    chain: Path
    key: Path


def make_certificate(folder: Path) -> Certificate:
    """Raises FigureFailed when openssl cannot make it."""
    made = Certificate(folder / "chain.pem", folder / "key.pem")
    name = ("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost")
    files = ("-keyout", str(made.key), "-out", str(made.chain))
    run_to_end(["openssl", "req", "-x509", *_CURVE, "-nodes", "-days", "7", *name, *files], "openssl req", 30.0)
    return made
