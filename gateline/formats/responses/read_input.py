"""A client's input items into turns."""

from __future__ import annotations

from gateline.formats.data_url import read_data_url
from gateline.formats.responses import items as wire
from gateline.formats.responses.items import Item, Part
from gateline.model.chat import Citation, Media, Reasoning, Refusal, Role, Seal, Text, ToolResult, ToolUse, Turn
from gateline.model.chat import Part as ChatPart
from gateline.model.errors import BadRequest

_ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant", "system": "system", "developer": "developer"}


class InputReader:
    """Reads one input. All that one answer consisted of is one turn again; what a user's turns hold stays apart, but
    for the results of tools that were called together. `unmapped` are the places of what no other format has."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self.unmapped: list[str] = []
        self._for_call: Seal | None = None

    def read(self, items: list[Item]) -> None:
        """Raises BadRequest."""
        for number, item in enumerate(items):
            kind = item.type or ("message" if item.role is not None else "item_reference")
            if kind == "message":
                self._message(item, f"input[{number}]")
            elif kind == "function_call":
                self._call(item, f"input[{number}]")
            elif kind == "function_call_output":
                self._result(item, f"input[{number}]")
            elif kind == "reasoning":
                self._reasoning(item)
            else:
                self._other(item, kind, f"input[{number}]")

    def _message(self, item: Item, place: str) -> None:
        role = _ROLES.get(item.role or "")
        if role is None:
            raise BadRequest(
                f"invalid value for `{place}.role`: expected user, assistant, system or developer",
                param=f"{place}.role",
                code="invalid_value",
            )
        content = item.content
        parts: list[ChatPart]
        if isinstance(content, str):
            parts = [Text(text=content)]
        elif isinstance(content, list):
            parts = self._parts(content, f"{place}.content")
        else:
            raise _missing(f"{place}.content")
        if role == "assistant":
            self._answer().extend(parts)
        else:
            self.turns.append(Turn(role=role, parts=parts))

    def _call(self, item: Item, place: str) -> None:
        if not item.call_id:
            raise _missing(f"{place}.call_id")
        if not item.name:
            raise _missing(f"{place}.name")
        if item.arguments is not None and not isinstance(item.arguments, str):
            raise BadRequest(
                f"invalid value for `{place}.arguments`: expected a string of JSON",
                param=f"{place}.arguments",
                code="invalid_type",
            )
        self._answer().append(
            ToolUse(id=item.call_id, name=item.name, arguments=item.arguments or "", seal=self._for_call)
        )
        self._for_call = None

    def _result(self, item: Item, place: str) -> None:
        if not item.call_id:
            raise _missing(f"{place}.call_id")
        output = item.output
        if isinstance(output, str):
            parts: list[Text | Media] = [Text(text=output)]
        elif isinstance(output, list):
            read = self._parts(output, f"{place}.output")
            parts = [part for part in read if isinstance(part, Text | Media)]
        else:
            raise _missing(f"{place}.output")
        result = ToolResult(id=item.call_id, parts=parts)
        last = self.turns[-1] if self.turns else None
        if last is not None and last.role == "user" and last.parts and isinstance(last.parts[-1], ToolResult):
            last.parts.append(result)
        else:
            self.turns.append(Turn(role="user", parts=[result]))

    def _reasoning(self, item: Item) -> None:
        parts = self._answer()
        text = item.encrypted_content or ""
        seal = wire.carried_for_call(text)
        if seal is not None:
            self._for_call = seal
            return
        seal = wire.carried_for_text(text)
        if seal is not None:
            last = parts[-1] if parts else None
            if isinstance(last, Text):
                last.seal = seal
            else:
                parts.append(Text(text="", seal=seal))
            return
        found = wire.reasoning(item)
        if found.text or found.seal is not None:
            parts.append(found)

    def _other(self, item: Item, kind: str, place: str) -> None:
        made = wire.image(item) if kind == "image_generation_call" else None
        if made is not None:
            self._answer().append(made)
        else:
            self.unmapped.append(f"{place}.{kind}")

    def _answer(self) -> list[ChatPart]:
        """The parts of the assistant's turn that is being read."""
        if not self.turns or self.turns[-1].role != "assistant":
            self.turns.append(Turn(role="assistant", parts=[]))
        return self.turns[-1].parts

    def _parts(self, parts: list[Part], place: str) -> list[ChatPart]:
        read: list[ChatPart] = []
        for number, part in enumerate(parts):
            found = _part(part, f"{place}[{number}]")
            if found is None:
                self.unmapped.append(f"{place}[{number}].{part.type}")
            else:
                if part.prompt_cache_breakpoint is not None and not isinstance(found, Reasoning | Refusal):
                    found.cache = "5m"
                read.append(found)
        return read


def _part(part: Part, place: str) -> Text | Media | Refusal | None:
    kind = part.type
    if kind in {"input_text", "output_text", "text"}:
        if part.text is None:
            raise _missing(f"{place}.text")
        return Text(text=part.text, citations=_citations(part)) if part.annotations else Text(text=part.text)
    if kind == "refusal":
        return Refusal(text=part.refusal or "")
    if kind == "input_image":
        if not part.image_url and not part.file_id:
            raise _missing(f"{place}.image_url")
        return _media(Media(kind="image", file_id=part.file_id or "", detail=part.detail or ""), part.image_url)
    if kind == "input_file":
        if not part.file_data and not part.file_id and not part.file_url:
            raise _missing(f"{place}.file_data")
        media = Media(kind="file", file_id=part.file_id or "", name=part.filename or "", url=part.file_url or "")
        if part.file_data and not part.file_data.startswith("data:"):
            media.data = part.file_data
            return media
        return _media(media, part.file_data) if part.file_data else media
    if kind == "input_audio":
        audio = part.input_audio
        if audio is None or not audio.data:
            raise _missing(f"{place}.input_audio")
        return Media(kind="audio", mime=f"audio/{audio.format or 'wav'}", data=audio.data)
    if kind == "input_video" and part.video_url:
        return _media(Media(kind="video"), part.video_url)
    return None


def _citations(part: Part) -> list[Citation]:
    found = [annotation.citation() for annotation in part.annotations or ()]
    return [citation for citation in found if citation is not None]


def _media(media: Media, url: str | None) -> Media:
    """`media` with what its URL says, which may be its bytes."""
    if url is None:
        return media
    held = read_data_url(url)
    if held is None:
        media.url = url
    else:
        media.mime, media.data = held
    return media


def _missing(place: str) -> BadRequest:
    return BadRequest(f"`{place}` is required", param=place, code="missing_required_parameter")
