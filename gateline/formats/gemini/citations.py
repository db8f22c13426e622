"""Where an answer's passages come from: Gemini's `groundingMetadata` and `citationMetadata`.

Gemini counts bytes of UTF-8, we count characters. While a text is all ASCII they are the same; for any other the text
is kept to convert with, up to a bound, behind which a passage stays unknown.
"""

from __future__ import annotations

import msgspec

from gateline.model.chat import Citation

_KEPT = 262_144  # characters of an answer
_LONGEST = 2**31  # bytes of an answer, more than any
_MOST = 1_000  # citations of an answer


class Source(msgspec.Struct, omit_defaults=True):
    uri: str | None = None
    title: str | None = None


class RetrievedContext(msgspec.Struct, rename="camel", omit_defaults=True):
    uri: str | None = None
    title: str | None = None
    text: str | None = None
    document_name: str | None = None


class Chunk(msgspec.Struct, rename="camel", omit_defaults=True):
    web: Source | None = None
    retrieved_context: RetrievedContext | None = None
    maps: Source | None = None


class Segment(msgspec.Struct, rename="camel", omit_defaults=True):
    start_index: int | None = None
    end_index: int | None = None
    text: str | None = None


class Support(msgspec.Struct, rename="camel", omit_defaults=True):
    segment: Segment | None = None
    grounding_chunk_indices: list[int] | None = None


class GroundingMetadata(msgspec.Struct, rename="camel", omit_defaults=True):
    grounding_chunks: list[Chunk] | None = None
    grounding_supports: list[Support] | None = None


class CitationSource(msgspec.Struct, rename="camel", omit_defaults=True):
    start_index: int | None = None
    end_index: int | None = None
    uri: str | None = None
    title: str | None = None


class CitationMetadata(msgspec.Struct, rename="camel"):
    """The Gemini API calls the list `citationSources`, Vertex AI `citations`."""

    citation_sources: list[CitationSource] | None = None
    citations: list[CitationSource] | None = None


class Passages:
    """The text of one answer as far as it has come, for the places in it."""

    __slots__ = ("_is_ascii", "_kept", "_text")

    def __init__(self) -> None:
        self._text = bytearray()  # UTF-8; a string for each piece would take ten times as much
        self._kept = 0
        self._is_ascii = True

    def add(self, text: str) -> None:
        if self._kept < _KEPT:
            self._text += text.encode("utf-8", "surrogatepass")
            self._kept += len(text)
        if not text.isascii():
            self._is_ascii = False

    def characters(self, start: int, end: int, quote: str | None) -> tuple[int | None, int | None]:
        """The characters that stand in these bytes; `quote` is what should be there."""
        if not 0 <= start <= end <= _LONGEST:
            return None, None
        if self._is_ascii and not quote:
            return start, end
        text = self._text.decode("utf-8", "surrogatepass")
        found = text.encode("utf-8", "replace")[start:end].decode("utf-8", "replace")
        if quote and found != quote:  # places in one of several parts: those are one text here
            at = text.find(quote)
            return (None, None) if at < 0 else (at, at + len(quote))
        if self._kept >= _KEPT and end > _KEPT:
            return None, None
        at = len(text.encode("utf-8", "replace")[:start].decode("utf-8", "replace"))
        return at, at + len(found)

    def bytes(self, start: int, end: int) -> tuple[int | None, int | None, str | None]:
        """Where these characters stand in UTF-8, and what they are."""
        text = self._text.decode("utf-8", "surrogatepass")
        if end > len(text):
            return (start, end, None) if self._is_ascii else (None, None, None)
        at = start if self._is_ascii else len(text[:start].encode("utf-8", "replace"))
        passage = text[start:end]
        return at, at + (len(passage) if self._is_ascii else len(passage.encode("utf-8", "replace"))), passage


def read_citations(
    grounding: GroundingMetadata | None, cited: CitationMetadata | None, passages: Passages
) -> list[Citation]:
    """One for every passage and source of it; a source that supports no passage has one as well."""
    found: list[Citation] = []
    if grounding is not None and grounding.grounding_chunks:
        sources = [_source(chunk) for chunk in grounding.grounding_chunks]
        unused = set(range(len(sources)))
        for support in grounding.grounding_supports or ():
            start, end = _place(support.segment, passages)
            for index in support.grounding_chunk_indices or ():
                if 0 <= index < len(sources):
                    unused.discard(index)
                    found.append(msgspec.structs.replace(sources[index], start=start, end=end))
        found += [sources[index] for index in sorted(unused)]
    if cited is not None:
        for source in cited.citation_sources or cited.citations or ():
            start, end = (
                (None, None)
                if source.end_index is None
                else passages.characters(source.start_index or 0, source.end_index, None)
            )
            found.append(Citation(url=source.uri or "", title=source.title or "", start=start, end=end))
    return found[:_MOST]


def write_citations(citations: list[Citation], passages: Passages) -> GroundingMetadata | None:
    if not citations:
        return None
    places: dict[tuple[str, str], int] = {}
    chunks: list[Chunk] = []
    supports: list[Support] = []
    for citation in citations[:_MOST]:
        key = (citation.url, citation.title or citation.document)
        if key not in places:
            places[key] = len(chunks)
            chunks.append(_chunk(citation))
        if citation.start is not None and citation.end is not None:
            start, end, text = passages.bytes(citation.start, citation.end)
            supports.append(Support(Segment(start or None, end, text), [places[key]]))
    return GroundingMetadata(chunks, supports or None)


def _source(chunk: Chunk) -> Citation:
    if chunk.retrieved_context is not None:
        context = chunk.retrieved_context
        return Citation(
            url=context.uri or "",
            title=context.title or "",
            quote=context.text or "",
            document=context.document_name or "",
        )
    source = chunk.web or chunk.maps or Source()
    return Citation(url=source.uri or "", title=source.title or "")


def _chunk(citation: Citation) -> Chunk:
    if citation.url and not citation.document:
        return Chunk(web=Source(citation.url, citation.title or None))
    return Chunk(
        retrieved_context=RetrievedContext(
            citation.url or None, citation.title or None, citation.quote or None, citation.document or None
        )
    )


def _place(segment: Segment | None, passages: Passages) -> tuple[int | None, int | None]:
    if segment is None or segment.end_index is None:
        return None, None
    return passages.characters(segment.start_index or 0, segment.end_index, segment.text)
