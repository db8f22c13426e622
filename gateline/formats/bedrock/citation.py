"""What passages of an answer rest on, in Converse's words and in ours: it cites by block, the whole of its text."""

from __future__ import annotations

from gateline.formats.bedrock.block import CitedBlock, Location, SourcedQuote, TextOnly, WebLocation
from gateline.model.chat import Citation, Text

_URL = ("https://", "http://")


def read_cited(block: CitedBlock) -> Text:
    text = "".join(piece.text for piece in block.content or ())
    return Text(text=text, citations=[read_citation(quote, len(text)) for quote in block.citations or ()])


def read_citation(quote: SourcedQuote, end: int | None) -> Citation:
    """`end`: how long the text is that it belongs to, where that is known."""
    url = quote.location.web.url if quote.location is not None and quote.location.web is not None else ""
    source = quote.source or ""
    if not url and source.startswith(_URL):
        url, source = source, ""
    return Citation(
        url=url,
        title=quote.title or "",
        quote="".join(piece.text for piece in quote.source_content or ()),
        document=source,
        start=None if end is None else 0,
        end=end,
    )


def write_cited(text: Text) -> CitedBlock:
    return CitedBlock([TextOnly(text.text)], [write_citation(citation) for citation in text.citations])


def write_citation(citation: Citation) -> SourcedQuote:
    return SourcedQuote(
        citation.title or None,
        citation.document or None,
        [TextOnly(citation.quote)] if citation.quote else None,
        Location(WebLocation(citation.url)) if citation.url else None,
    )
