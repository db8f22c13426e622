"""AWS Signature Version 4, as header lines (docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html).

Pure: knows no clock and no credential chain. For services that encode the path twice, which is all of them but S3.
`X-Amz-Content-Sha256` is S3's alone and not sent: the body's hash is signed without it.
"""

from __future__ import annotations

import hmac
from functools import lru_cache
from hashlib import sha256
from time import gmtime, strftime
from urllib.parse import quote

from gateline.model.token import AwsKeys

_ALGORITHM = "AWS4-HMAC-SHA256"


def sign(
    method: str,
    host: str,
    path: str,
    body_sha256: str,
    keys: AwsKeys,
    region: str,
    service: str,
    now: float,
    query: str = "",
) -> bytes:
    """Header lines with their line ends: X-Amz-Date, X-Amz-Security-Token if there is one, Authorization.

    `host`, `path` and `query` exactly as they are sent, `path` percent-encoded once; `body_sha256` in hex; `now` in
    Unix seconds. Raises ValueError when the keys could write a header line of their own; it shows none of them.
    """
    moment = _moment(int(now))
    scope = f"{moment[:8]}/{region}/{service}/aws4_request"
    token = keys.session_token
    signed = "host;x-amz-date;x-amz-security-token" if token else "host;x-amz-date"
    also = f"x-amz-security-token:{token}\n" if token else ""
    canonical = (
        f"{method}\n{_canonical_path(path)}\n{_canonical_query(query) if query else ''}\n"
        f"host:{host}\nx-amz-date:{moment}\n{also}\n{signed}\n{body_sha256}"
    )
    to_sign = f"{_ALGORITHM}\n{moment}\n{scope}\n{sha256(canonical.encode()).hexdigest()}"
    key = _signing_key(keys.secret_key, moment[:8], region, service)
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    credential = f"{keys.access_key}/{scope}"
    lines = [
        f"X-Amz-Date: {moment}",
        f"Authorization: {_ALGORITHM} Credential={credential}, SignedHeaders={signed}, Signature={signature}",
    ]
    if token:
        lines.insert(1, f"X-Amz-Security-Token: {token}")
    block = "\r\n".join(lines)
    if not block.isascii() or not block.replace("\r\n", "", len(lines) - 1).isprintable():
        raise ValueError("an AWS key or session token has characters that no key has")
    return block.encode("ascii") + b"\r\n"


@lru_cache(maxsize=4)
def _moment(second: int) -> str:
    return strftime("%Y%m%dT%H%M%SZ", gmtime(second))


@lru_cache(maxsize=256)
def _signing_key(secret: str, day: str, region: str, service: str) -> bytes:
    """Good for a day: four of the five HMACs of a signature."""
    key = b"AWS4" + secret.encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


@lru_cache(maxsize=1024)
def _canonical_path(path: str) -> str:
    """Dot segments and doubled slashes taken out, then encoded once more: the `:` and `%3A` of a model's id become
    `%3A` and `%253A`."""
    segments: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del segments[-1:]
        elif segment not in {"", "."}:
            segments.append(segment)
    closing = "/" if segments and path.endswith("/") else ""
    return "/" + quote("/".join(segments), safe="/-_.~") + closing


def _canonical_query(query: str) -> str:
    pairs = (pair.partition("=") for pair in query.split("&"))
    return "&".join(f"{name}={value}" for name, value in sorted((name, value) for name, _, value in pairs))
