"""Certificates for tests, made once a run by the machine's openssl."""

from __future__ import annotations

import functools
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple


class Certificate(NamedTuple):
    """A self-signed certificate for 127.0.0.1 and localhost: its own authority, too."""

    file: str
    key: str


@functools.cache
def certificate(name: str = "one") -> Certificate:
    folder = Path(tempfile.mkdtemp(prefix="gateline-tls-"))
    made = Certificate(str(folder / "certificate.pem"), str(folder / "key.pem"))
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-days", "30", "-keyout", made.key, "-out", made.file, "-subj", f"/CN={name}"),
            *("-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"),
        ],
        check=True,
        capture_output=True,
    )
    return made
