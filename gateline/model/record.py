"""The ledger record: what one call was, took and cost. Exactly one a request whose caller is known.

Encoded as a MessagePack array. A field is only ever added at the end, with a default, and `version` goes up by one:
a reader then reads older arrays (the missing tail takes its defaults) and newer ones (the unknown tail is ignored).
Times are UTC nanoseconds since the epoch; durations are nanoseconds; 0 means "did not happen".
"""

from __future__ import annotations

import msgspec

from gateline.model.usage import Usage, UsageSource

RECORD_VERSION = 2


class Attempt(msgspec.Struct, array_like=True, gc=False):
    """One try at one target. `status` is the upstream's (0: it never answered), `error` our name for what failed."""

    target: str
    status: int = 0
    error: str = ""
    started: int = 0
    duration: int = 0
    usage: Usage | None = None
    usage_source: UsageSource = "none"
    cost: int | None = None


class Record(msgspec.Struct, array_like=True, gc=False):
    """`status` is what the client was told, 499 if it left first; `error` is empty on success.
    `target` is the one that answered, "provider/model". `cost` is nano-dollars, None when the price is unknown."""

    version: int
    id: str
    tenant: str
    key_id: str
    operation: str
    model: str
    target: str
    status: int
    error: str
    stream: bool
    client_gone: bool
    started: int
    first_byte: int
    finished: int
    overhead: int
    attempts: list[Attempt]
    usage: Usage | None
    usage_source: UsageSource
    cost: int | None
    bytes_in: int
    bytes_out: int
    queue: int = 0
    connect: int = 0
    engine_cpu: int = 0
    gateway_cpu: int = 0


class Opened(msgspec.Struct, array_like=True):
    """What an open slot of the in-flight table says of a call, enough to write its record if its worker dies."""

    id: str
    tenant: str
    key_id: str
    key_slot: int
    operation: str
    model: str
    target: str
    stream: bool
    started: int


WORKER_DIED = "worker_died"


def record_of_lost(opened: Opened, finished: int) -> Record:
    """The record of a call whose worker died before writing one: unknown usage, unknown cost."""
    return Record(
        version=RECORD_VERSION,
        id=opened.id,
        tenant=opened.tenant,
        key_id=opened.key_id,
        operation=opened.operation,
        model=opened.model,
        target=opened.target,
        status=500,
        error=WORKER_DIED,
        stream=opened.stream,
        client_gone=False,
        started=opened.started,
        first_byte=0,
        finished=finished,
        overhead=0,
        attempts=[Attempt(target=opened.target, error=WORKER_DIED, started=opened.started)] if opened.target else [],
        usage=None,
        usage_source="none",
        cost=None,
        bytes_in=0,
        bytes_out=0,
    )
