"""Media that a model answers with, for clients whose format has text only in answers."""

from __future__ import annotations

from gateline.model.chat import Media


def words_for(media: Media) -> str:
    """What was spoken, or that there was something else: a client must not take an answer for empty that is not. Pieces
    of sound without words say nothing by themselves."""
    if media.transcript or media.kind == "audio":
        return media.transcript
    return f"[{media.kind} omitted: this API has no {media.kind}s in answers]"
