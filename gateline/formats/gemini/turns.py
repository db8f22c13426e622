"""A client's `contents` as turns.

Gemini's API gives function calls ids only of late, and clients may leave them out: a call without one is named by where
it stands, and a response without one answers the first call of its name that has no answer yet.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import msgspec
from msgspec import Raw

from gateline.formats.arguments import arguments_text
from gateline.formats.gemini.content import ABSENT, FunctionResponse, GivenContent, Part, given_parts, unmapped_of
from gateline.formats.gemini.media import read_blob, read_file
from gateline.formats.gemini.signature import read_reasoning, read_signature
from gateline.formats.typed import UNREAD
from gateline.formats.waiting import Waiting
from gateline.model.chat import Media, Reasoning, Role, Text, ToolResult, ToolUse, Turn
from gateline.model.chat import Part as ChatPart
from gateline.model.errors import BadRequest

_ROLES: dict[str, Role] = {
    "user": "user",
    "model": "assistant",
    "function": "user",
    "tool": "user",
    "system": "system",
}
_decode_object = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_text = msgspec.json.Decoder(str).decode


class TurnReader:
    """Reads one call's contents. `unmapped` collects what has no place in turns."""

    __slots__ = ("_calls", "_waiting", "unmapped")

    def __init__(self) -> None:
        self._calls = 0
        self._waiting = Waiting()
        self.unmapped: list[str] = []

    def read(self, contents: Sequence[GivenContent | str]) -> list[Turn]:
        """Raises BadRequest, naming the field."""
        turns: list[Turn] = []
        for at, content in enumerate(contents):
            if isinstance(content, str):
                turns.append(Turn(role="user", parts=[Text(text=content)]))
                continue
            role = _ROLES.get(content.role or "user")
            if role is None:
                raise BadRequest(
                    f"`contents[{at}].role` must be user or model", param=f"contents[{at}].role", code="invalid_value"
                )
            # Google's SDKs keep a streamed answer in their history as one content an event.
            is_more = role == "assistant" and bool(turns) and turns[-1].role == role
            parts: list[ChatPart] = turns[-1].parts if is_more else []
            for place, part in enumerate(given_parts(content)):
                self._part(part, parts, f"contents[{at}].parts[{place}]", is_answer=role == "assistant")
            if not is_more:
                turns.append(Turn(role=role, parts=parts))
        return turns

    def _part(self, part: Part | str, parts: list[ChatPart], field: str, *, is_answer: bool) -> None:
        if isinstance(part, str):
            parts.append(Text(text=part))
        elif part.text is not None:
            _add_text(parts, part, is_answer=is_answer)
        elif part.function_call is not None:
            parts.append(self._use(part, field))
        elif part.function_response is not None:
            parts.append(self._result(part.function_response, field))
        elif part.inline_data is not None:
            parts.append(read_blob(part.inline_data))
        elif part.file_data is not None:
            parts.append(read_file(part.file_data))
        elif part.thought_signature:
            _add_text(parts, part, is_answer=is_answer)
        name = unmapped_of(part) if isinstance(part, Part) else None
        if name is not None:
            self.unmapped.append(f"contents.{name}")

    def _use(self, part: Part, field: str) -> ToolUse:
        call = part.function_call
        assert call is not None
        if not call.name:
            raise BadRequest(f"`{field}.functionCall.name` is required", param=f"{field}.functionCall.name")
        id_ = call.id or f"call_{self._calls}"
        self._calls += 1
        seal = read_signature(part.thought_signature) if part.thought_signature else None
        use = ToolUse(id=id_, name=call.name, arguments=arguments_text(call.args), seal=seal)
        self._waiting.add(use)
        return use

    def _result(self, response: FunctionResponse, field: str) -> ToolResult:
        name = response.name or ""
        id_ = response.id or ""
        use = None
        if id_ or name:
            use = self._waiting.take_id(id_) if id_ else self._waiting.take_name(name)
        if use is not None:
            id_, name = use.id, name or use.name
        elif not id_:
            if not name:
                raise BadRequest(f"`{field}.functionResponse.name` is required", param=f"{field}.functionResponse.name")
            id_ = name
        text, is_error = _said(response.response)
        parts: list[Text | Media] = [Text(text=text)] if text else []
        for inner in response.parts or ():
            if inner.inline_data is not None:
                parts.append(read_blob(inner.inline_data))
            elif inner.file_data is not None:
                parts.append(read_file(inner.file_data))
        return ToolResult(id=id_, name=name, parts=parts, is_error=is_error)


def _add_text(parts: list[ChatPart], part: Part, *, is_answer: bool) -> None:
    """A text, a thought, or an empty one that only brings a signature: that of the one before it, if it has none. The
    pieces of an answer are put together, as the answer was."""
    text, signature = part.text or "", part.thought_signature
    last = parts[-1] if parts else None
    if part.thought:
        thought = read_reasoning(text, signature)
        if isinstance(last, Reasoning) and last.seal is None and not (thought.is_hidden and thought.seal):
            last.text += text
            last.seal, last.id = thought.seal, thought.id
        elif text or signature:
            parts.append(thought)
        return
    seal = read_signature(signature) if signature else None
    if isinstance(last, Text) and last.seal is None and (is_answer or not text):
        last.text += text
        last.seal = seal
    elif text:
        parts.append(Text(text=text, seal=seal))
    elif seal is not None:
        parts.append(Reasoning(seal=seal, is_hidden=True))


def _said(response: Raw) -> tuple[str, bool]:
    """A response's text, and whether it says that the tool failed. `output` and `error` are the API's own keys for that
    (ai.google.dev/api/caching#FunctionResponse), `result` is that of Google's SDKs; without them the whole is meant."""
    if response is ABSENT or bytes(response) == b"null":
        return "", False
    try:
        fields = _decode_object(response)
    except UNREAD:
        return _plain(response), False
    if len(fields) == 1:
        for key in ("output", "error", "result"):
            if key in fields:
                return _plain(fields[key]), key == "error"
    return bytes(response).decode("utf-8", "replace"), False


def _plain(raw: Raw) -> str:
    """A string as what it says, anything else as its JSON."""
    body = bytes(raw)
    if body[:1] == b'"':
        with contextlib.suppress(*UNREAD):  # bytes that are no UTF-8, which are skipped until here
            return _decode_text(body)
    return body.decode("utf-8", "replace")
