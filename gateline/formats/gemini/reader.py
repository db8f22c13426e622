"""Gemini's event stream as deltas.

It has no terminator: it is whole when the connection ends after every candidate gave its finish reason (or the prompt
was blocked, which leaves none). Until then more may come, usage above all, so `done` is for the end to say.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec
from msgspec import Raw

from gateline.formats.gemini.candidate import CandidateReader, Reply
from gateline.formats.gemini.content import ABSENT
from gateline.formats.gemini.events import Events, data_of
from gateline.formats.gemini.usage import UsageMetadata
from gateline.formats.moment import unix_seconds
from gateline.formats.streamed import StreamedReader
from gateline.formats.typed import UNREAD
from gateline.formats.vendor_error import explain
from gateline.model.chatreply import Began, Counted, Delta, Finished
from gateline.model.errors import UpstreamBroken, UpstreamError
from gateline.model.usage import Usage
from gateline.wire.sse import event_data

_decode = msgspec.json.Decoder(Reply).decode
_decode_usage = msgspec.json.Decoder(UsageMetadata).decode


class StreamReader(StreamedReader[bytes]):
    """See `contract.Reader`."""

    __slots__ = ("_candidates", "_has_begun", "_id", "_is_blocked")

    def __init__(self, secret: str) -> None:
        super().__init__(Events(), secret)
        self._candidates: dict[int, CandidateReader] = {}
        self._has_begun = False
        self._is_blocked = False
        self._id = ""

    def _end(self, rest: bytes, deltas: list[Delta]) -> None:
        if rest:
            # What is no event may still be the error of a proxy, or of an upstream that gave up.
            error = reported(loads(event_data(rest) or rest), self._secret)
            if error is not None:
                raise error
            return
        if not all(candidate.is_finished for candidate in self._candidates.values()):
            return
        deltas += [candidate.finish() for candidate in self._candidates.values()]
        if self._is_blocked and not self._candidates:
            deltas.append(Finished(finish="filter"))
        self.done = self._is_blocked or bool(self._candidates)

    def _take(self, raw: bytes, deltas: list[Delta]) -> None:
        data = data_of(raw)
        if not data:
            return
        try:
            reply = _decode(data)
        except UNREAD:
            raise UpstreamBroken("the upstream sent an event that is not of its format") from None
        if reply.error is not ABSENT and bytes(reply.error) != b"null":
            raise reported(loads(data), self._secret) or UpstreamError("the upstream reported an error")
        if not self._has_begun:
            self._has_begun = True
            self._id = reply.response_id or ""
            deltas.append(began(reply))
        for candidate in reply.candidates or ():
            index = candidate.index or 0
            reader = self._candidates.get(index)
            if reader is None:
                reader = self._candidates[index] = CandidateReader(index, self._id)
            reader.read(candidate, deltas)
        if reply.prompt_feedback is not None and reply.prompt_feedback.block_reason:
            self._is_blocked = True
        usage = usage_of(reply.usage_metadata)
        if usage is not None:
            deltas.append(Counted(usage=usage))


def began(reply: Reply) -> Began:
    return Began(id=reply.response_id or "", model=reply.model_version or "", created=unix_seconds(reply.create_time))


def usage_of(raw: Raw) -> Usage | None:
    if raw is ABSENT:
        return None
    try:
        return _decode_usage(raw).counts()
    except UNREAD:
        return None


def reported(found: object, secret: str) -> UpstreamError | None:
    """The error that a decoded object holds, alone or as a list of one."""
    if isinstance(found, list) and len(found) == 1:
        found = found[0]
    if not isinstance(found, dict) or not found.get("error"):
        return None
    detail = explain(found, 502, secret=secret)
    return UpstreamError(detail.message, code=detail.code, param=detail.param)


def loads(data: bytes) -> Any:
    """JSON as most clients read it, None for what they cannot read."""
    try:
        return json.loads(data.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
