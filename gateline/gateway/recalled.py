"""A call that goes on from a response that was kept."""

from __future__ import annotations

import msgspec

from gateline.formats.responses.continued import Continued
from gateline.model.call import Call


class Recalled(msgspec.Struct):
    """A call that goes on from a response. `own` is the call as its client sent it: `holder`, the vendor's
    account that has the response, understands it. Every other target gets `call`, which has all earlier turns in its
    input. Empty: it is not known who has the response."""

    holder: str
    own: Call
    call: Continued
