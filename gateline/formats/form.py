"""Calls that come as a form with files (`multipart/form-data`): the model is a field of it, and a file may be large.

The upstream's body is the client's with the target's model in place of the one asked for: no file is copied. What one
reader would take for a decided field and another would not is refused, as in bodies of JSON (`formats/call.py`).
"""

from __future__ import annotations

from msgspec import Raw

from gateline.model.call import Call, Operation, Span
from gateline.model.errors import BadRequest
from gateline.wire.multipart import Body, Part, find_part, read_parts, with_field

_DECIDED = ("model", "stream", "response_format", "n", "user")
_LONGEST = 1_024  # bytes of a decided field
_BOOLS = {"true": True, "1": True, "false": False, "0": False, "": False}
_STREAMLESS: frozenset[Operation] = frozenset({"audio.translations"})


def is_form(content_type: bytes) -> bool:
    """Whether a body of this type is no JSON. Without a type that says so it is taken for a form."""
    return content_type.partition(b";")[0].strip().lower() != b"application/json"


def read_form(body: Body, content_type: bytes, operation: Operation) -> Call:
    """The call in a form. Raises BadRequest, naming the field where there is one."""
    parts = read_parts(body, content_type)
    _refuse_lookalikes(parts)
    found = {name: part for name in _DECIDED if (part := find_part(parts, name)) is not None}
    texts = {name: _text(body, part) for name, part in found.items()}
    model = found.get("model")
    if model is None or not texts["model"]:
        raise BadRequest("you must provide a model parameter", param="model", code="missing_required_parameter")
    stream = _BOOLS.get(texts.get("stream", "").strip().lower())
    if stream is None:
        raise BadRequest("invalid type for `stream`: expected true or false", param="stream", code="invalid_type")
    if stream and operation in _STREAMLESS:
        raise BadRequest(f"{operation} cannot be streamed: leave `stream` out", param="stream")
    view = memoryview(body)
    return Call(
        operation,
        texts["model"],
        {name: Raw(view[part.start : part.end]) for name, part in found.items()},
        stream,
        user=texts.get("user"),
        form=(_span(parts[0]), _span(model)),
    )


def form_names(body: Body, content_type: bytes) -> list[str]:
    """The names of all fields of a form that `read_form` has taken."""
    return [part.name for part in read_parts(body, content_type)]


def write_form(call: Call, body: Body, model: str) -> list[bytes | memoryview]:
    """The upstream's body in pieces: `body` with its own name of the model. Raises BadRequest when the client's
    boundary is in that."""
    parts = [Part(name, None, "", head, head, end) for name, head, end in dict.fromkeys(call.form)]
    return with_field(body, parts, "model", model)


def _span(part: Part) -> Span:
    return part.name, part.head, part.end


def _text(body: Body, part: Part) -> str:
    name = part.name
    if part.filename is not None:
        raise BadRequest(f"`{name}` is a file: send it as text", param=name, code="invalid_type")
    if part.end - part.start > _LONGEST:
        raise BadRequest(f"`{name}` is over {_LONGEST} bytes", param=name, code="invalid_value")
    try:
        return bytes(body[part.start : part.end]).decode()
    except UnicodeDecodeError:
        raise BadRequest(f"`{name}` is not valid Unicode text", param=name, code="invalid_value") from None


def _refuse_lookalikes(parts: list[Part]) -> None:
    """Some upstreams match names without case, some take `model[]` or `model ` for `model`: such a field would
    overrule the one that was authorised."""
    for part in parts:
        if part.name not in _DECIDED:
            stem = part.name.partition("[")[0].strip().casefold()
            if stem in _DECIDED:
                raise BadRequest(
                    f"unknown field {part.name[:200]!a}: did you mean `{stem}`?", param=stem, code="unknown_parameter"
                )
