"""What passages of an answer rest on, in Cohere's words and in ours: it cites by characters, each passage with all of
its sources."""

from __future__ import annotations

from gateline.formats.cohere.message import QuotedCitation, Source
from gateline.model.chat import Citation


def read_citations(quoted: QuotedCitation) -> list[Citation]:
    """One for each source."""
    return [_read(quoted, source) for source in quoted.sources or ()]


def _read(quoted: QuotedCitation, source: Source) -> Citation:
    fields = source.document or source.tool_output or {}
    return Citation(
        url=_word(fields, "url"),
        title=_word(fields, "title"),
        quote=_word(fields, "text") or _word(fields, "snippet") or _word(fields, "content"),
        document=source.id or "",
        start=quoted.start,
        end=quoted.end,
    )


def _word(fields: dict[str, object], name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def write_citation(citation: Citation, text: str | None, content_index: int) -> QuotedCitation:
    """`text` is the part it belongs to, where that is known."""
    found = {"id": citation.document, "text": citation.quote, "title": citation.title, "url": citation.url}
    quoted = QuotedCitation(
        citation.start,
        citation.end,
        sources=[Source("document", citation.document or None, {name: each for name, each in found.items() if each})],
        content_index=content_index,
        type="TEXT_CONTENT",
    )
    if text is not None and citation.start is not None and citation.end is not None:
        quoted.text = text[citation.start : citation.end]
    return quoted
