"""What an API format consists of, for those who pass bytes from one to another. Knows no format.

A format is used from two sides: as a `Server` it is what a client of the gateway speaks, as a `Client` what a vendor
does. A call whose two sides are one format passes, under the eyes of a `Watch`; any other is read into the neutral call
of its kind and written from that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from gateline.formats.dialect import Dialect
from gateline.model.call import Call
from gateline.model.chat import Chat, Maker
from gateline.model.chatreply import Delta
from gateline.model.errors import GatewayError, UpstreamError
from gateline.model.usage import Usage
from gateline.model.vectors import Count, Embed, Rerank

MOST_TOOLS = 1_024  # tool uses in one answer: whoever reads or writes its stream keeps something of each

Body = bytes | bytearray | memoryview
Ask = Chat | Embed | Rerank | Count


class Codec(Protocol):
    """One stream of one attempt on its way to the client.

    visible: the client would see something of what has come. done: the stream is whole; its end is kept in `last`, to
    be written once the record is noted. usage: the last one the upstream sent. error: the stream is broken or reported
    an error; nothing of it passes from there on.
    """

    visible: bool
    done: bool
    last: bytes
    usage: Usage | None
    error: UpstreamError | None

    def feed(self, data: bytes) -> bytes:
        """The bytes to relay now. Empty after `done` or `error`."""

    def end(self) -> object:
        """The upstream's bytes have ended: sets `done` or `error`."""

    def fail(self, error: GatewayError, request_id: str) -> bytes:
        """The last bytes of a stream that the client has seen the beginning of, and that did not come to its end: the
        format's own event for it, and nothing that says the answer is whole."""


class Reader(Protocol):
    """A vendor's stream, bytes to deltas, however it was cut. Attributes as in `Codec`."""

    done: bool
    error: UpstreamError | None

    def feed(self, data: bytes) -> list[Delta]:
        """The deltas of the events that `data` completes; those ahead of an error come with it."""

    def end(self) -> list[Delta] | None:
        """The vendor's bytes have ended: sets `done` or `error`. Returns what only the end makes known, if anything."""


class Writer(Protocol):
    """Deltas to the client's events."""

    def write(self, deltas: Sequence[Delta]) -> bytes: ...

    def end(self) -> bytes:
        """What closes a whole stream, usage included where the format has it there."""

    def fail(self, error: GatewayError, request_id: str) -> bytes:
        """See `Codec.fail`."""


class Written(msgspec.Struct):
    """A vendor's request body. `dropped` are features (names of `Chat`'s fields and of what parts hold) that it could
    not carry; the client hears of them by its own names."""

    body: bytes
    dropped: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Server:
    """The side that clients speak to. `read` raises BadRequest with the field's name. `names` maps features to the
    client's own names of them, for what it is told was dropped and for the table of what maps to what. `array_writer`
    is for streams that are asked for as one JSON array."""

    read: Callable[[Call, Body], Any]
    write_reply: Callable[[Any, Any], bytes]
    names: dict[str, str]
    writer: Callable[[Chat, str], Writer] | None = None
    stream_type: bytes = b"text/event-stream"
    array_writer: Callable[[Chat, str], Writer] | None = None


@dataclass(frozen=True, slots=True)
class Client:
    """The side that speaks to vendors. `write` takes the neutral call, the vendor's name of the model, and the vendor's
    dialect. `read_reply` raises UpstreamBroken for what is no reply, UpstreamError for an error that calls itself a
    success. `names` maps the features it carries to the vendor's names; `reader` is made with the secret that was sent,
    which no error may show. `tool_names` are those it leaves as they are (None: all), see `formats/tool_names.py`.
    `native` is whose seals stand in the format as they are, where vendors speak it that seal for themselves."""

    write: Callable[[Any, str, Dialect], Written]
    read_reply: Callable[[bytes, str], Any]
    names: dict[str, str]
    reader: Callable[[str], Reader] | None = None
    tool_names: re.Pattern[str] | None = None
    native: Maker = ""


class Marker(Protocol):
    """Puts a maker's mark on seals in bytes that pass (`formats/marked.py`)."""

    def feed(self, data: bytes) -> bytes:
        """What can be shown now."""

    def rest(self) -> bytes:
        """What was held back, once no more comes."""


@dataclass(frozen=True, slots=True)
class Watch:
    """How to follow a reply that passes untouched. `codec` is made with the call and the secret that was sent;
    `reported` is an error in a reply that calls itself a success, where `error_key` stands in it; `is_json`: a reply is
    one JSON object, but to calls that want plain text (`wants_text`). `may_be_whole`: vendors ignore the wish for a
    stream, and clients know. `has_answer`: whether there is any in a whole reply. `glance`: the usage of one that is as
    nearly all are, None for any that must be looked at with all of these. `marker` is made with the maker's name."""

    usage: Callable[[bytes], Usage | None]
    usage_in_tail: Callable[[bytes], Usage | None]
    codec: Callable[[Call, str], Codec] | None = None
    reported: Callable[[bytes, str], UpstreamError | None] | None = None
    is_json: bool = True
    wants_text: Callable[[Call], bool] | None = None
    may_be_whole: bool = False
    error_key: bytes = b'"error"'
    has_answer: Callable[[bytes], bool] | None = None
    glance: Callable[[bytes], Usage | None] | None = None
    marker: Callable[[str], Marker] | None = None


@dataclass(frozen=True, slots=True)
class ErrorForm:
    """How one family of APIs words a failure: `write` is the body of a failed reply, `types` its words by status."""

    write: Callable[[GatewayError, str], bytes]
    content_type: bytes = b"application/json"
    headers: Callable[[GatewayError], Iterable[tuple[bytes, bytes]]] = field(default=lambda _: ())
