"""Gemini's bodies that name the model inside as well as in the path: both must say the same (ai.google.dev/api,
`batchEmbedContents` and `countTokens`), and the name a client calls is not the vendor's."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from gateline.formats.typed import UNREAD
from gateline.model.call import Call, Operation
from gateline.model.errors import BadRequest

NAMED_INSIDE: frozenset[Operation] = frozenset({"batch_embed_contents", "gemini.count_tokens"})

_WHOLE = ("generateContentRequest", "generate_content_request")
_encode = msgspec.json.Encoder().encode
_decode_list = msgspec.json.Decoder(list[dict[str, Raw]]).decode
_decode_object = msgspec.json.Decoder(dict[str, Raw]).decode


def renamed(call: Call, model: str) -> Call:
    """The call with the vendor's name of the model wherever its body names one. Raises BadRequest, with the field's
    name, where that cannot be told."""
    name = Raw(_encode(model if "/" in model else f"models/{model}"))
    fields = dict(call.fields)
    for field in ("requests",) if call.operation == "batch_embed_contents" else _WHOLE:
        if field not in fields:
            continue
        try:
            if field == "requests":
                made = _encode([{**one, "model": name} for one in _decode_list(fields[field])])
            else:
                made = _encode({**_decode_object(fields[field]), "model": name})
        except UNREAD:
            kind = "a list of objects" if field == "requests" else "an object"
            raise BadRequest(f"invalid type for `{field}`: expected {kind}", param=field, code="invalid_type") from None
        fields[field] = Raw(made)
    return msgspec.structs.replace(call, fields=fields)
