"""Every format from both of its sides, by operation. The one file that knows all formats; none knows another."""

from __future__ import annotations

from gateline.formats.contract import Client, ErrorForm, Server, Watch
from gateline.formats.openai.error import write_error as write_openai_error
from gateline.formats.openai.sides import STREAM_WATCH, WHOLE_WATCH
from gateline.model.call import Family, Operation

# What clients of the gateway may speak, where it can be read into a neutral call.
SERVERS: dict[Operation, Server] = {}

# What vendors speak, where it can be written from a neutral call.
CLIENTS: dict[Operation, Client] = {}

# How a reply is followed that passes untouched.
WATCHES: dict[Operation, Watch] = {
    "chat.completions": STREAM_WATCH,
    "completions": STREAM_WATCH,
    "embeddings": WHOLE_WATCH,
}

ERRORS: dict[Family, ErrorForm] = {
    "openai": ErrorForm(write_openai_error),
}
