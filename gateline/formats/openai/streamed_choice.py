"""One answer of a vendor's chat stream: its deltas, read with what came before them."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Raw

from gateline.formats.contract import MOST_TOOLS
from gateline.formats.openai.logprobs import read_logprobs
from gateline.formats.openai.reasoning_details import Detail, is_signature
from gateline.formats.openai.reply import tool_id
from gateline.formats.openai.reply_parts import Call, Said, content_pieces
from gateline.formats.openai.turns import read_annotations, read_spoken
from gateline.model.chat import Seal
from gateline.model.chatreply import (
    Cited,
    Delta,
    MediaDelta,
    ReasoningDelta,
    ReasoningSealed,
    RefusalDelta,
    TextDelta,
    ToolBegan,
    ToolDelta,
)
from gateline.model.errors import UpstreamBroken

_MOST_WAITING = 1024 * 1024  # characters of arguments ahead of their tool's name
_NULL = frozenset({b"", b"null"})


class _Tool:
    """A call whose pieces are still coming. `key` is what its pieces are known by."""

    __slots__ = ("id", "index", "is_told", "name", "seal", "waiting")

    def __init__(self, index: int) -> None:
        self.index = index
        self.id = ""
        self.name = ""
        self.seal: Seal | None = None
        self.is_told = False
        self.waiting = ""  # arguments that came ahead of the name


class StreamedChoice:
    """`reason` is why it ended, in the vendor's words."""

    __slots__ = (
        "_by_id", "_by_index", "_index", "_is_open", "_last", "_reply_id", "_seals", "_thought_index", "has_refusal",
        "has_tools", "reason",
    )  # fmt: skip

    def __init__(self, index: int, reply_id: str) -> None:
        self._index = index
        self._reply_id = reply_id
        self._by_index: dict[int, _Tool] = {}
        self._by_id: dict[str, _Tool] = {}
        self._last: _Tool | None = None
        self._seals: dict[str, Seal] = {}  # of tool calls that have not come yet, by id
        self._thought_index: int | None = None
        self._is_open = False  # a block of reasoning has text and no seal yet
        self.reason: str | None = None
        self.has_tools = False
        self.has_refusal = False

    def read(self, said: Said, logprobs: Raw, deltas: list[Delta]) -> None:
        if said.reasoning_details:
            self._details(said.reasoning_details, said.thought(), deltas)
        elif said.reasoning_content or said.reasoning:
            self._think(said.thought(), None, deltas)
        content = said.content
        if content:
            self._is_open = False
            self._content(content, logprobs, deltas)
        if said.tool_calls:
            for call in said.tool_calls:
                self._call(call, deltas)
        elif said.function_call is not None:
            self._call(Call(index=0, function=said.function_call), deltas)
        if said.refusal:
            self.has_refusal = True
            deltas.append(RefusalDelta(text=said.refusal, choice=self._index))
        if said.annotations or said.audio is not None or said.images:
            self._rest(said, deltas)

    def close(self, deltas: list[Delta]) -> None:
        """At the stream's end: what was held back for something that never came."""
        for tool in self._by_id.values():
            if not tool.is_told and tool.waiting:
                self._tell(tool, deltas)
        for name, seal in self._seals.items():
            deltas.append(ReasoningSealed(seal=seal, choice=self._index, is_hidden=True, id=name))
        self._seals.clear()

    def _content(self, content: object, logprobs: Raw, deltas: list[Delta]) -> None:
        if isinstance(content, str):
            tokens = None if bytes(logprobs) in _NULL else read_logprobs(logprobs)
            deltas.append(TextDelta(text=content, choice=self._index, logprobs=tokens))
        elif isinstance(content, list | dict):
            for is_thought, text in content_pieces(content):
                if is_thought:
                    self._think(text, None, deltas)
                elif text:
                    deltas.append(TextDelta(text=text, choice=self._index))

    def _rest(self, said: Said, deltas: list[Delta]) -> None:
        cited = read_annotations(said.annotations or ())
        deltas += [Cited(citation=citation, choice=self._index) for citation in cited]
        if said.audio is not None:
            deltas.append(MediaDelta(media=read_spoken(said.audio), choice=self._index))
        for image in said.images or ():
            media = image.media()
            if media is not None:
                deltas.append(MediaDelta(media=media, choice=self._index))

    # --- reasoning ---------------------------------------------------------------------------------------------------

    def _think(self, text: str, index: int | None, deltas: list[Delta]) -> None:
        if not text:
            return
        is_new = self._is_open and index is not None and index != self._thought_index
        deltas.append(ReasoningDelta(text=text, choice=self._index, is_new=is_new))
        self._thought_index = index
        self._is_open = True

    def _details(self, details: Sequence[Detail], thought: str, deltas: list[Delta]) -> None:
        if thought and not any(detail.words() for detail in details):
            self._think(thought, None, deltas)
        for detail in details:
            if detail.type != "reasoning.encrypted":
                self._think(detail.words(), detail.index, deltas)
            seal = detail.seal()
            if seal is None:
                continue
            name = detail.id or ""
            if detail.type == "reasoning.encrypted" and name and seal.maker == "gemini" and name not in self._by_id:
                self._hold(name, seal)
                continue
            is_hidden = detail.type == "reasoning.encrypted" and not (self._is_open and not is_signature(seal, False))
            deltas.append(ReasoningSealed(seal=seal, choice=self._index, is_hidden=is_hidden, id=name))
            if not is_hidden:
                self._is_open = False

    def _hold(self, name: str, seal: Seal) -> None:
        if len(self._seals) >= MOST_TOOLS:
            raise UpstreamBroken("the upstream sent more seals than any answer has tool calls")
        self._seals[name] = seal

    # --- tools -------------------------------------------------------------------------------------------------------

    def _call(self, call: Call, deltas: list[Delta]) -> None:
        function = call.function
        name = function.name if function is not None else None
        tool = self._tool(call, bool(name))
        tool.name = tool.name or name or ""
        tool.seal = tool.seal or call.seal()
        arguments = function.text() if function is not None else ""
        if tool.is_told:
            if arguments:
                deltas.append(ToolDelta(index=tool.index, arguments=arguments, choice=self._index))
        else:
            tool.waiting += arguments
            if len(tool.waiting) > _MOST_WAITING:
                raise UpstreamBroken("the upstream called a tool and never named it")
            if tool.name:
                self._tell(tool, deltas)

    def _tool(self, call: Call, is_named: bool) -> _Tool:
        """The call that a piece belongs to. By its index; but some vendors give every call the same one, and a new id
        with it, and some give none: there a name begins a call, and what has none goes on with the last."""
        found = self._by_index.get(call.index) if call.index is not None else self._by_id.get(call.id or "")
        if found is None and call.index is None and not is_named:
            found = self._last
        if found is not None and is_named and call.id and found.id != call.id:
            found = self._by_id.get(call.id)
        if found is None:
            found = self._begin(call)
        self._last = found
        return found

    def _begin(self, call: Call) -> _Tool:
        count = len(self._by_id)
        if count >= MOST_TOOLS:
            raise UpstreamBroken("the upstream called more tools than any answer does")
        tool = _Tool(count)
        tool.id = tool_id(call.id, self._reply_id, count)
        self._by_id[tool.id] = tool
        if call.index is not None:
            self._by_index[call.index] = tool
        return tool

    def _tell(self, tool: _Tool, deltas: list[Delta]) -> None:
        tool.is_told = self.has_tools = True
        seal = self._seals.pop(tool.id, None) or tool.seal
        deltas.append(ToolBegan(index=tool.index, id=tool.id, name=tool.name, choice=self._index, seal=seal))
        if tool.waiting:
            deltas.append(ToolDelta(index=tool.index, arguments=tool.waiting, choice=self._index))
            tool.waiting = ""
