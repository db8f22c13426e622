"""Deltas into Converse's stream."""

from __future__ import annotations

import msgspec

from gateline.formats.bedrock.citation import write_citation
from gateline.formats.bedrock.configuration import Tier
from gateline.formats.bedrock.error import write_stream_error
from gateline.formats.bedrock.finish import write_finish
from gateline.formats.bedrock.reply import Metrics, written_tier
from gateline.formats.bedrock.seals import blob
from gateline.formats.bedrock.usage import TokenUsage, token_usage
from gateline.formats.block_writer import OpenTool
from gateline.formats.claude.block_writer import ClaudeWriter
from gateline.model.chatreply import Began, Cited, Finished, ToolBegan
from gateline.model.errors import GatewayError
from gateline.wire.eventstream import write_message

_encode = msgspec.json.Encoder().encode


def _headers(kind: str) -> dict[str, str]:
    return {":event-type": kind, ":content-type": "application/json", ":message-type": "event"}


_BEGIN, _START, _DELTA = _headers("messageStart"), _headers("contentBlockStart"), _headers("contentBlockDelta")
_STOP, _END, _METADATA = _headers("contentBlockStop"), _headers("messageStop"), _headers("metadata")
_TEXT = b'{"contentBlockIndex":%d,"delta":{"text":%b}}'
_CITATION = b'{"contentBlockIndex":%d,"delta":{"citation":%b}}'
_INPUT = b'{"contentBlockIndex":%d,"delta":{"toolUse":{"input":%b}}}'
_THOUGHT = b'{"contentBlockIndex":%d,"delta":{"reasoningContent":{"text":%b}}}'
_SIGNATURE = b'{"contentBlockIndex":%d,"delta":{"reasoningContent":{"signature":%b}}}'
_HIDDEN = b'{"contentBlockIndex":%d,"delta":{"reasoningContent":{"redactedContent":%b}}}'


class _Metadata(msgspec.Struct, rename="camel", omit_defaults=True):
    usage: TokenUsage
    metrics: Metrics
    service_tier: Tier | None = None


class StreamWriter(ClaudeWriter):
    """See `contract.Writer`."""

    __slots__ = ()

    def fail(self, error: GatewayError, request_id: str) -> bytes:
        return write_stream_error(error, request_id)

    def _write_start(self, began: Began) -> None:
        self._put(_BEGIN, b'{"role":"assistant"}')

    def _write_end(self, finished: Finished) -> None:
        reason = write_finish(finished.finish, finished.stopped_by)
        tier = written_tier("" if self._began is None else self._began.service_tier)
        self._put(_END, b'{"stopReason":"%b"}' % reason.encode())
        self._put(_METADATA, _encode(_Metadata(token_usage(self._usage), Metrics(), tier)))

    def _write_open(self) -> None:
        """Only tool uses are said to begin."""

    def _write_piece(self, text: str) -> None:
        shape = _THOUGHT if self._kind == "thinking" else _TEXT
        self._put(_DELTA, shape % (self._next - 1, _encode(text)))

    def _write_citation(self, cited: Cited) -> None:
        self._put(_DELTA, _CITATION % (self._next - 1, _encode(write_citation(cited.citation))))

    def _write_signature(self, text: str) -> None:
        self._put(_DELTA, _SIGNATURE % (self._next - 1, _encode(text)))

    def _write_hidden(self, text: str) -> None:
        self._put(_DELTA, _HIDDEN % (self._next, _encode(blob(text))))
        self._write_close(self._next)

    def _write_close(self, index: int) -> None:
        self._put(_STOP, b'{"contentBlockIndex":%d}' % index)

    def _begin_tool(self, began: ToolBegan) -> OpenTool:
        start = b'{"contentBlockIndex":%d,"start":{"toolUse":{"toolUseId":%b,"name":%b}}}'
        self._put(_START, start % (self._next, _encode(began.id), _encode(began.name)))
        return OpenTool(self._next)

    def _write_arguments(self, tool: OpenTool, arguments: str) -> None:
        self._put(_DELTA, _INPUT % (tool.at, _encode(arguments)))

    def _put(self, headers: dict[str, str], payload: bytes) -> None:
        self._out.append(write_message(headers, payload))
