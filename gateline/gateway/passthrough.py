"""Requests for a provider's own API, whatever they are: under the same identity, limits, egress policy and ledger.

What a provider's account can do besides answering calls (files, fine-tunes, other people's batches) is reached this way
too: so it is open only where the configuration says so, and to keys that may use every model.
"""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import unquote

from gateline.gateway.exchange import Exchange
from gateline.gateway.hop import raw_hop
from gateline.gateway.plan import Ways
from gateline.model.errors import BadRequest, Forbidden, NotFound

_UP = re.compile(r"^[/\\]|(?:^|[/\\])\s*\.{1,2}\s*(?=[/\\?#;]|$)|[\x00-\x1f\x7f]")
_DECODED = 3  # how often a path is decoded in search of one that leads up: some servers do it more than once
_VERSION = re.compile(r"v[0-9]{1,2}(?:(?:alpha|beta)[0-9]{0,2})?")  # a segment of a path
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")


def passage(exchange: Exchange) -> Ways:
    """The one way. Raises NotFound for a provider that is not open, Forbidden for a key that may not use it, BadRequest
    for a path that leads out of the provider's base URL."""
    key, request = exchange.key, exchange.connection.request
    assert key is not None
    name, _, rest = exchange.facts.asked.rest.partition("/")
    target = exchange.router.open.get(name)
    if target is None:
        raise NotFound(f"No provider {name[:64]!r} is open to passthrough (`passthrough: true` in its configuration).")
    if key.models is not None:
        raise Forbidden("This key may use some models only, and passthrough knows no models.", code="key_is_limited")
    if leads_up(rest):
        raise BadRequest("the path must not lead upwards", code="invalid_path")
    path = joined(target.provider.path, rest)
    query = request.query.decode("ascii")  # a key in it was the caller's, and is gone
    try:
        hop = raw_hop(target.provider, target.row, request.method, f"{path}?{query}" if query else path)
    except ValueError:
        raise BadRequest("the path has bytes that cannot be forwarded", code="invalid_path") from None
    exchange.model = ""
    return ((target, hop),)


def joined(base: str, rest: str) -> str:
    """What follows the provider's name, behind the path of its base URL. That may end in a version (`/v1`, `/v1beta`,
    `/openai/v1`), and vendors' libraries bring one along: it stands there once. Where the base URL has nothing besides,
    the library may choose another: google-genai asks for `/v1` as well."""
    own, asked = base.split("/"), rest.split("/")
    if _VERSION.fullmatch(own[-1]):
        if len(own) == 2 and _VERSION.fullmatch(asked[0]):
            return f"/{rest}"
        for count in range(len(own) - 1, 0, -1):
            if own[-count:] == asked[:count]:
                return "/".join([*own, *asked[count:]])
    return f"{base}/{rest}"


def leads_up(path: str) -> bool:
    """Whether some server could read a segment `.` or `..` in a path below the base URL, or a host at its beginning:
    with escapes of escapes, bytes that are no UTF-8 (`%c0%ae` was a dot to some), letters that stand for dots, or cut
    short by a control character."""
    for _ in range(_DECODED):
        if _UP.search(unicodedata.normalize("NFKC", path)):
            return True
        if "%" not in path:
            return False
        try:
            path = unquote(path, errors="strict")
        except UnicodeDecodeError:
            return True
    return bool(_UP.search(unicodedata.normalize("NFKC", path)) or _ESCAPE.search(path))
