"""The fake's own endpoints, below /fake/: invoice, log, echo, script, reset. They need no key and meet no fault."""

from __future__ import annotations

from urllib.parse import parse_qs

import msgspec

from gateline.fake import objects
from gateline.fake.provider import Provider
from gateline.fake.reply import Reply, whole
from gateline.fake.request import Request
from gateline.fake.script import BadScript, read_script

MAX_WAIT = 60.0  # seconds that a long poll of the log may last


async def backstage(provider: Provider, request: Request) -> Reply:
    """Answers at once, but for the log: with `wait` it waits for the next event."""
    path, _, query = request.target.partition("?")
    wanted = request.method, path
    if wanted == ("GET", "/fake/invoice"):
        return whole(200, provider.invoice.written())
    if wanted == ("GET", "/fake/log"):
        return await _log(provider, query)
    if wanted == ("GET", "/fake/echo"):
        return whole(200, provider.echo())
    if wanted == ("GET", "/fake/script"):
        return whole(200, msgspec.json.encode(msgspec.structs.replace(provider.script, api_key=None)))
    if wanted == ("POST", "/fake/reset"):
        provider.reset()
        return whole(200, b'{"reset":true}')
    if wanted == ("POST", "/fake/script"):
        try:
            provider.follow(read_script(request.body))
        except BadScript as error:
            return whole(400, objects.error(str(error), "invalid_request_error", "bad_script"))
        return whole(200, b'{"following":true}')
    return whole(404, objects.error("No such endpoint of the fake provider.", "invalid_request_error"))


async def _log(provider: Provider, query: str) -> Reply:
    """Events after `after`; if there are none, those that come within `wait` seconds."""
    fields = parse_qs(query)
    try:
        after = int(fields.get("after", ["0"])[0])
        wait = min(max(float(fields.get("wait", ["0"])[0]), 0.0), MAX_WAIT)
    except ValueError as error:
        return whole(400, objects.error(f"after and wait are numbers: {error}", "invalid_request_error"))
    log = provider.log
    lost = log.lost(after)
    events = await log.wait(after, wait)
    return whole(200, msgspec.json.encode({"events": events, "last": log.last, "lost": lost, "counts": log.counts}))
