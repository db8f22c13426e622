from __future__ import annotations

import h11
from hypothesis import given
from hypothesis import strategies as st

from gateline.wire.chunked import LAST_CHUNK, chunk
from gateline.wire.http1_write import response_head


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_chunks_read_back(pieces: list[bytes]) -> None:
    """Another implementation reads the same body; empty data writes nothing, so it cannot end the body early."""
    peer = h11.Connection(h11.CLIENT)
    peer.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
    peer.receive_data(response_head(200, chunked=True) + b"".join(map(chunk, pieces)) + LAST_CHUNK)
    read = b""
    while not isinstance(event := peer.next_event(), h11.EndOfMessage):
        if isinstance(event, h11.Data):
            read += event.data
    assert read == b"".join(pieces)
