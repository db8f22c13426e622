"""Gemini's reply, whole or an event of a stream: the same object, read by the same steps into deltas.

Text arrives in parts whose borders mean nothing (those of a stream are only where it was cut): parts of one kind in a
row are one, until a signature closes it. A signature on an empty text belongs to the text before it; where there is
none, it is a block that only Gemini reads.
"""

from __future__ import annotations

import re
from typing import Annotated

import msgspec
from msgspec import Raw

from gateline.formats.arguments import arguments_text
from gateline.formats.contract import MOST_TOOLS
from gateline.formats.gemini.citations import CitationMetadata, GroundingMetadata, Passages, read_citations
from gateline.formats.gemini.content import ABSENT, Part
from gateline.formats.gemini.finish import read_finish
from gateline.formats.gemini.logprobs import LogprobsResult, read_logprobs
from gateline.formats.gemini.media import read_blob, read_file
from gateline.formats.gemini.signature import read_signature
from gateline.model.chat import Tokens
from gateline.model.chatreply import (
    Cited,
    Delta,
    Finished,
    MediaDelta,
    ReasoningDelta,
    ReasoningSealed,
    TextDelta,
    ToolBegan,
    ToolDelta,
)
from gateline.model.errors import UpstreamBroken

_ODD = re.compile(r"[^A-Za-z0-9_-]")


Index = Annotated[int, msgspec.Meta(ge=0, lt=128)]  # many times what any vendor answers at once


class ReplyContent(msgspec.Struct):
    parts: list[Part] | None = None


class Candidate(msgspec.Struct, rename="camel"):
    content: ReplyContent | None = None
    finish_reason: str | None = None
    index: Index | None = None
    grounding_metadata: GroundingMetadata | None = None
    citation_metadata: CitationMetadata | None = None
    logprobs_result: LogprobsResult | None = None


class PromptFeedback(msgspec.Struct, rename="camel"):
    block_reason: str | None = None


class Reply(msgspec.Struct, rename="camel"):
    """`usage_metadata` is kept as it is: a nonsense count does not spoil an answer."""

    candidates: list[Candidate] | None = None
    prompt_feedback: PromptFeedback | None = None
    usage_metadata: Raw = ABSENT
    response_id: str | None = None
    model_version: str | None = None
    create_time: str | None = None
    error: Raw = ABSENT


class CandidateReader:
    """Follows one candidate. `is_finished`: its finish reason has come; some vendors give one with every event."""

    __slots__ = ("_index", "_is_sealed", "_open", "_passages", "_prefix", "_reason", "_tools", "is_finished")

    def __init__(self, index: int, reply_id: str) -> None:
        self._index = index
        self._prefix = f"call_{_ODD.sub('', reply_id)[:24]}_" if reply_id else "call_"
        self._open = ""
        self._is_sealed = False
        self._tools = 0
        self._passages = Passages()
        self._reason = ""
        self.is_finished = False

    def read(self, candidate: Candidate, deltas: list[Delta]) -> None:
        """Adds what `candidate` says."""
        logprobs = None if candidate.logprobs_result is None else read_logprobs(candidate.logprobs_result)
        content = candidate.content
        if content is not None and content.parts:
            for part in content.parts:
                if self._part(part, deltas, logprobs):
                    logprobs = None
        if logprobs:
            deltas.append(TextDelta(text="", choice=self._index, logprobs=logprobs))
        cited = candidate.grounding_metadata is not None or candidate.citation_metadata is not None
        if cited and self._open == "text":
            found = read_citations(candidate.grounding_metadata, candidate.citation_metadata, self._passages)
            deltas += [Cited(citation=citation, choice=self._index) for citation in found]
        if candidate.finish_reason is not None:
            self.is_finished = True
            self._reason = candidate.finish_reason

    def finish(self) -> Finished:
        """What is told of its end, once nothing can follow."""
        return Finished(finish=read_finish(self._reason, has_tools=self._tools > 0), choice=self._index)

    def _part(self, part: Part, deltas: list[Delta], logprobs: list[Tokens] | None) -> bool:
        """Whether the log probabilities went along."""
        text = part.text
        if text is not None or (part.thought_signature and part.function_call is None and part.inline_data is None):
            return self._words(part, text or "", deltas, logprobs)
        if part.function_call is not None:
            self._call(part, deltas)
        elif part.thought:
            pass  # a picture on the way to the one that is meant
        elif part.inline_data is not None:
            self._open = ""
            deltas.append(MediaDelta(media=read_blob(part.inline_data), choice=self._index))
        elif part.file_data is not None:
            self._open = ""
            deltas.append(MediaDelta(media=read_file(part.file_data), choice=self._index))
        return False

    def _words(self, part: Part, text: str, deltas: list[Delta], logprobs: list[Tokens] | None) -> bool:
        kind = "thought" if part.thought else "text"
        signature = part.thought_signature
        seal = read_signature(signature) if signature else None
        if not text and (seal is None or self._open != kind or self._is_sealed):
            if seal is not None:
                self._open = ""
                deltas.append(ReasoningSealed(seal=seal, choice=self._index, is_hidden=True))
            return False
        is_new = self._is_sealed if self._open == kind else False
        self._open = kind
        self._is_sealed = seal is not None
        if kind == "text":
            self._passages.add(text)
            deltas.append(TextDelta(text=text, choice=self._index, is_new=is_new, seal=seal, logprobs=logprobs))
            return True
        if text:
            deltas.append(ReasoningDelta(text=text, choice=self._index, is_new=is_new))
        if seal is not None:
            deltas.append(ReasoningSealed(seal=seal, choice=self._index))
        return False

    def _call(self, part: Part, deltas: list[Delta]) -> None:
        call = part.function_call
        assert call is not None
        if not call.name:
            return  # arguments in pieces, which only Vertex AI sends, and only to who asks for them
        self._open = ""
        index = self._tools
        if index >= MOST_TOOLS:
            raise UpstreamBroken("the upstream called more tools than any answer does")
        self._tools += 1
        seal = read_signature(part.thought_signature) if part.thought_signature else None
        id_ = call.id or f"{self._prefix}{index}"
        deltas.append(ToolBegan(index=index, id=id_, name=call.name, choice=self._index, seal=seal))
        arguments = arguments_text(call.args) or "{}"
        deltas.append(ToolDelta(index=index, arguments=arguments, choice=self._index))
