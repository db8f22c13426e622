"""Media for whoever has no place for them: in answers whose format has text only, in turns that held nothing else."""

from __future__ import annotations

from gateline.model.chat import Media


def words_for(media: Media) -> str:
    """What was spoken, or that there was something else: a client must not take an answer for empty that is not. Pieces
    of sound without words say nothing by themselves."""
    if media.transcript or media.kind == "audio":
        return media.transcript
    return f"[{media.kind} omitted: this API has no {media.kind}s in answers]"


def words_instead(media: Media) -> str:
    """What a turn says where media were all it held and a vendor takes none of them: an empty one would read as though
    nothing had been sent."""
    return f"[{media.kind} omitted]"
