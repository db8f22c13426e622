"""The access log: one JSON line a record, derived from the ledger after import. No request ever waits for it.

It holds no prompt and no secret: only what the record says, under the id the client saw in `x-request-id`.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from gateline.control.complaint import Complaint
from gateline.model.record import Record

ROTATE_BYTES: Final = 64 * 1024 * 1024


class AccessLog:
    """Appends to `path`, mode 0600; at `rotate_bytes` the file becomes `path` + ".1", in place of the one before.

    A disk that cannot take a line must not stop the ledger: such lines are dropped and counted in `dropped`, and the
    log says so at a bounded rate.
    """

    def __init__(self, path: Path, rotate_bytes: int = ROTATE_BYTES) -> None:
        self._path = path
        self._old = path.with_name(path.name + ".1")
        self._rotate_bytes = rotate_bytes
        self._encode = msgspec.json.Encoder().encode
        self._complaint = Complaint("access_log_failed")
        self.dropped = 0

    def write(self, records: list[Record]) -> None:
        lines = b"".join(self._encode(_line(record)) + b"\n" for record in records)
        try:
            fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            with os.fdopen(fd, "ab") as file:
                file.write(lines)
                size = file.tell()
            if size >= self._rotate_bytes:
                self._path.replace(self._old)
        except OSError as error:
            self.dropped += len(records)
            self._complaint.failed(error)
        else:
            self._complaint.went_well()


def _line(record: Record) -> dict[str, Any]:
    usage = record.usage
    return {
        "time": datetime.fromtimestamp(record.finished / 1e9, UTC).isoformat(timespec="milliseconds"),
        "request_id": record.id,
        "tenant": record.tenant,
        "key_id": record.key_id,
        "operation": record.operation,
        "model": record.model,
        "target": record.target,
        "status": record.status,
        "error": record.error,
        "stream": record.stream,
        "client_gone": record.client_gone,
        "attempts": len(record.attempts),
        "milliseconds": _milliseconds(record.finished - record.started),
        "first_byte_milliseconds": _milliseconds(record.first_byte - record.started) if record.first_byte else None,
        "overhead_milliseconds": _milliseconds(record.overhead),
        "input_tokens": None if usage is None else usage.input,
        "output_tokens": None if usage is None else usage.output,
        "usage_source": record.usage_source,
        "cost_nano_dollars": record.cost,
        "bytes_in": record.bytes_in,
        "bytes_out": record.bytes_out,
    }


def _milliseconds(nanoseconds: int) -> float:
    return round(nanoseconds / 1e6, 3)
