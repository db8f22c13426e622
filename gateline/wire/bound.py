"""How much of a stream is held back for what ends an event, whichever framing it has."""

from __future__ import annotations

MAX_EVENT = 16 * 1024 * 1024  # bytes: a picture or a document stands whole in one event, and a last one repeats all
