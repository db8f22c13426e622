"""What the `serve` command hands to the supervisor it becomes: one JSON argument, no secret in it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(slots=True, frozen=True)
class Launch:
    """`config` is an absolute path or empty. `tls_certificate` and `tls_key` are empty for plain HTTP. Times in
    seconds."""

    data_dir: str
    config: str
    host: str
    port: int
    workers: int
    engines: tuple[str, ...]
    drain_delay: float
    grace: float
    tls_certificate: str = ""
    tls_key: str = ""
    connections: int = 20_000  # of clients, at most, in each worker

    def dump(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def load(cls, text: str) -> Launch:
        fields = json.loads(text)
        fields["engines"] = tuple(fields["engines"])
        return cls(**fields)
