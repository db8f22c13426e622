"""AWS signature version 4, checked: whether a request is signed, and with which secret. Pure.

After docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html. How old a signature is counts for nothing
here: the fake knows no time.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from urllib.parse import parse_qsl, quote

from gateline.fake.request import Request

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<id>[^/]+)/(?P<date>\d{8})/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request, ?"
    r"SignedHeaders=(?P<signed>[a-z0-9;-]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)


def is_signed(request: Request) -> bool:
    """Whether it says so in the form that AWS wants, its date and host among what is signed."""
    found = _AUTHORIZATION.fullmatch(request.header("authorization"))
    return found is not None and "host" in found["signed"].split(";") and bool(request.header("x-amz-date"))


def is_signed_with(request: Request, secret: str) -> bool:
    """Whether `secret` makes the same signature of the request as it came."""
    found = _AUTHORIZATION.fullmatch(request.header("authorization"))
    if found is None:
        return False
    date, scope = request.header("x-amz-date"), "/".join(found.group("date", "region", "service")) + "/aws4_request"
    canonical = hashlib.sha256(_canonical(request, found["signed"]).encode("latin-1")).hexdigest()
    to_sign = f"AWS4-HMAC-SHA256\n{date}\n{scope}\n{canonical}"
    key = f"AWS4{secret}".encode()
    for part in (found["date"], found["region"], found["service"], "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return date.startswith(found["date"]) and hmac.compare_digest(
        hmac.digest(key, to_sign.encode(), "sha256").hex(), found["signature"]
    )


def _canonical(request: Request, signed: str) -> str:
    """The path is encoded once more than it came, as for every service but S3."""
    query = request.target.partition("?")[2]
    pairs = sorted((quote(k, safe="-_.~"), quote(v, safe="-_.~")) for k, v in parse_qsl(query, keep_blank_values=True))
    headers = []
    for name in signed.split(";"):
        values = [" ".join(value.split()) for known, value in request.headers if known.lower() == name]
        headers.append(f"{name}:{','.join(values)}\n")
    return "\n".join(
        [
            request.method,
            quote(request.path, safe="/-_.~"),
            "&".join(f"{name}={value}" for name, value in pairs),
            "".join(headers),
            signed,
            hashlib.sha256(request.body).hexdigest(),
        ]
    )
