"""What `/embeddings` asks for, and what it is answered, in OpenAI's JSON."""

from __future__ import annotations

import base64
from typing import Any, Literal

import msgspec

from gateline.engine.fields import read_integer, read_object, read_text, unsupported, wrong
from gateline.engine.refusal import not_served

TEXTS_LIMIT = 2048  # OpenAI's own


class EmbedCall(msgspec.Struct, frozen=True):
    model: str
    texts: list[str]
    encoding: Literal["float", "base64"]


def read_embed_call(path: str, body: bytes, dimensions: int) -> EmbedCall:
    """Raises `Refused` with the field at fault. `dimensions` is what the model gives."""
    if path != "/embeddings":
        raise not_served(path)
    fields = read_object(body)
    wanted = read_integer(fields, "dimensions", least=1)
    if wanted is not None and wanted != dimensions:
        raise unsupported("dimensions", f"this model gives {dimensions} dimensions, no other number")
    encoding = read_text(fields, "encoding_format", "float")
    if encoding not in {"float", "base64"}:
        raise wrong("encoding_format", "float or base64")
    return EmbedCall(
        model=read_text(fields, "model", "local"),
        texts=_texts(fields.get("input")),
        encoding="base64" if encoding == "base64" else "float",
    )


def _texts(value: object) -> list[str]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not 0 < len(texts) <= TEXTS_LIMIT:
        raise wrong("input", f"a string or a list of 1 to {TEXTS_LIMIT} strings")
    if any(isinstance(text, int | list) for text in texts):
        raise unsupported("input", "this model has a vocabulary of its own: send text, not token ids")
    for index, text in enumerate(texts):
        if not isinstance(text, str) or not text.strip():
            raise wrong("input" if isinstance(value, str) else f"input[{index}]", "a string that is not empty")
    return texts


def write_embeddings(call: EmbedCall, vectors: list[Any], tokens: int) -> bytes:
    """`vectors`: float32 arrays in the order of the texts. base64 holds them as little-endian float32, as OpenAI's."""
    data = [
        {"object": "embedding", "index": index, "embedding": _vector(vector, call.encoding)}
        for index, vector in enumerate(vectors)
    ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return msgspec.json.encode({"object": "list", "data": data, "model": call.model, "usage": usage})


def _vector(vector: Any, encoding: str) -> object:
    if encoding == "base64":
        return base64.b64encode(vector.astype("<f4").tobytes()).decode("ascii")
    return vector.tolist()
