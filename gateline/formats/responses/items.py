"""Items as they come: of a client's input and of a vendor's output.

One flat struct for all of them, because `type` may be missing from a message, and because an item of a type that is
unknown here must be passed over whatever it holds.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from gateline.formats.seal import read_seal, write_seal
from gateline.model.chat import Citation, Media, Reasoning, Seal, Tokens

_IN_CALL = "gateline.call."
_IN_TEXT = "gateline.text."
_GAP = "\n\n"  # between the paragraphs of a summary, which are parts of their own here


class Audio(msgspec.Struct):
    data: str = ""
    format: str = ""


class Annotation(msgspec.Struct, omit_defaults=True):
    """Of any type. xAI sends URL citations with nothing but their URL."""

    type: str = ""
    url: str | None = None
    title: str | None = None
    start_index: int | None = None
    end_index: int | None = None
    file_id: str | None = None
    filename: str | None = None

    def citation(self) -> Citation | None:
        if self.type == "url_citation":
            return Citation(url=self.url or "", title=self.title or "", start=self.start_index, end=self.end_index)
        if self.file_id:
            return Citation(
                document=self.file_id, title=self.filename or "", start=self.start_index, end=self.end_index
            )
        return None


class TopToken(msgspec.Struct):
    token: str
    logprob: float
    bytes: list[int] | None = None


class Token(msgspec.Struct):
    token: str
    logprob: float
    bytes: list[int] | None = None
    top_logprobs: list[TopToken] | None = None


class Part(msgspec.Struct):
    """A part of a message's content, of a tool's output, of a summary, or of reasoning."""

    type: str = ""
    text: str | None = None
    image_url: str | None = None
    detail: str | None = None
    file_id: str | None = None
    file_data: str | None = None
    file_url: str | None = None
    filename: str | None = None
    video_url: str | None = None
    refusal: str | None = None
    input_audio: Audio | None = None
    annotations: list[Annotation] | None = None
    logprobs: list[Token] | None = None
    prompt_cache_breakpoint: dict[str, Raw] | None = None


class Item(msgspec.Struct):
    """Fields whose shape differs between types allow every shape they have."""

    type: str | None = None
    id: str | None = None
    role: str | None = None
    content: str | list[Part] | dict[str, Raw] | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | list[Raw] | dict[str, Raw] | None = None
    output: str | list[Part] | dict[str, Raw] | None = None
    summary: str | list[Part] | dict[str, Raw] | None = None
    encrypted_content: str | None = None
    result: str | list[Raw] | dict[str, Raw] | None = None
    output_format: str | None = None


def tokens(found: list[Token]) -> list[Tokens]:
    return [
        Tokens(
            token=token.token,
            logprob=token.logprob,
            bytes=token.bytes,
            top=[Tokens(token=top.token, logprob=top.logprob, bytes=top.bytes) for top in token.top_logprobs or ()],
        )
        for token in found
    ]


def reasoning(item: Item) -> Reasoning:
    """A reasoning item: its text in full where the vendor shows it, else the paragraphs of its summary."""
    content = item.content if isinstance(item.content, list) else []
    summary = item.summary if isinstance(item.summary, list) else []
    text = _GAP.join([part.text or "" for part in content or summary])
    sealed = item.encrypted_content
    return Reasoning(
        text=text, seal=read_seal(sealed, "openai") if sealed else None, is_hidden=not text, id=item.id or ""
    )


def image(item: Item) -> Media | None:
    """The picture that OpenAI's own tool made, as a part of the answer."""
    if not isinstance(item.result, str) or not item.result:
        return None
    return Media(kind="image", mime=f"image/{item.output_format or 'png'}", data=item.result)


# Seals on a call or on text have no place of their own here: a reasoning item carries them, right before the call or
# right behind the text, and its mark says which it is. All marks begin with `gateline.`, as `seal.py` has it.


def carry_for_call(seal: Seal) -> str:
    return f"{_IN_CALL}{seal.maker}.{seal.data}"


def carry_for_text(seal: Seal) -> str:
    return f"{_IN_TEXT}{seal.maker}.{seal.data}"


def carried_for_call(text: str) -> Seal | None:
    return read_seal("gateline." + text[len(_IN_CALL) :], "openai") if text.startswith(_IN_CALL) else None


def carried_for_text(text: str) -> Seal | None:
    return read_seal("gateline." + text[len(_IN_TEXT) :], "openai") if text.startswith(_IN_TEXT) else None


def sealed(seal: Seal) -> str:
    """The `encrypted_content` of reasoning."""
    return write_seal(seal, "openai")
