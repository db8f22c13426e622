"""What passages of an answer rest on, in Anthropic's words and in ours.

Anthropic cites by text block: the whole block rests on its citations. Where in a document a quote stands differs by
kind of document (characters, pages, blocks), and has no place in ours.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from gateline.formats.anthropic.block import CharLocation, WebLocation, WrittenCitation
from gateline.formats.typed import UNREAD
from gateline.model.chat import Citation


class Location(msgspec.Struct):
    """A citation of any kind."""

    cited_text: str | None = None
    url: str | None = None
    source: str | None = None
    title: str | None = None
    document_title: str | None = None
    file_id: str | None = None


_decode_list = msgspec.json.Decoder(list[Location]).decode


def citation_of(location: Location, end: int | None) -> Citation:
    """`end`: how long the text is that it belongs to, where that is known."""
    return Citation(
        url=location.url or location.source or "",
        title=location.title or location.document_title or "",
        quote=location.cited_text or "",
        document=location.file_id or "",
        start=None if end is None else 0,
        end=end,
    )


def read_citations(raw: Raw, end: int | None) -> list[Citation]:
    """Those of a text block; none where they are not a list of objects."""
    if bytes(raw) in {b"", b"null", b"[]"}:
        return []
    try:
        return [citation_of(location, end) for location in _decode_list(raw)]
    except UNREAD:
        return []


def write_citation(citation: Citation) -> WrittenCitation:
    """Positions in the cited document are not known; SDKs require them, so that they are zero."""
    if citation.url:
        return WebLocation(citation.quote, citation.url, citation.title or None)
    return CharLocation(citation.quote, citation.title or citation.document or None)
