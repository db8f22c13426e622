"""A tokenizer's vocabulary as the bytes each token stands for."""

from __future__ import annotations

from typing import Any


def read_pieces(tokenizer: Any) -> list[bytes]:
    """Indexed by token id; empty where the tokenizer shows nothing (`<|im_end|>` and its like).

    The tokenizer's own decode costs 95 µs a call and replaces half characters; joining these bytes costs less than one.
    """
    vocabulary: dict[bytes, int] = tokenizer.get_vocab()
    pieces = [b""] * (max(vocabulary.values()) + 1)
    for piece, token in vocabulary.items():
        special = piece[:1] in b"<[" and piece[-1:] in b">]" and not tokenizer.decode([token])
        pieces[token] = b"" if special else piece
    return pieces
