"""A call that goes on from a response that was kept."""

from __future__ import annotations

import msgspec

from gateline.formats.responses.continued import Continued
from gateline.model.call import Call


class Recalled(msgspec.Struct):
    """A call that goes on from a response. `own` is the call as its client sent it: `provider`, which holds the
    response, understands it. Every other target gets `call`, which has all earlier turns in its input. Empty: no vendor
    holds the response."""

    provider: str
    own: Call
    call: Continued
