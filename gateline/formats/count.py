"""A count of tokens in a vendor's reply."""

from __future__ import annotations

from typing import Annotated

import msgspec

# A nonsense count is unknown, not a number: bounded so that its cost at any price fits the ledger's 64 bits.
Count = Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)]
