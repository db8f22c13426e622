"""What cannot be, and why: scenarios that a format has no place for. Each is checked to be so, and is a footnote."""

from __future__ import annotations

from tests.contract.libraries import SPEAKERS
from tests.contract.scene import TWO_TURNS
from tests.contract.vendors import VENDORS

_LOST = "Ollama's library sends back nothing that could hold a signature: the next turn goes without"


def why_not(client: str, vendor: str, scenario: str) -> str:
    """The reason, empty for what can be."""
    if not SPEAKERS[client].keeps_seals and VENDORS[vendor].maker and scenario in TWO_TURNS:
        return _LOST
    return ""
