"""Forms as files come in them (multipart/form-data, RFC 7578), read whole. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

from gateline.fake.request import Request

MAX_PARTS = 64


class Part(NamedTuple):
    """`filename` blank for a plain field."""

    name: str
    filename: str
    content_type: str
    data: bytes


def read_form(request: Request) -> list[Part]:
    """Raises ValueError for what is no form, says nothing of its parts' names, or has more than 64 of them."""
    kind = request.header("content-type")
    found = re.search(r'boundary="?([^";,]+)"?', kind)
    if not kind.lower().startswith("multipart/form-data") or found is None:
        raise ValueError("the content type must be multipart/form-data with a boundary")
    line = b"--" + found[1].encode("latin-1")
    body = b"\r\n" + request.body
    pieces = body.split(b"\r\n" + line)
    if len(pieces) < 2 or not pieces[-1].startswith(b"--"):
        raise ValueError("the form does not end with its boundary")
    if len(pieces) - 2 > MAX_PARTS:
        raise ValueError(f"a form has at most {MAX_PARTS} parts")
    return [_part(piece) for piece in pieces[1:-1]]


def _part(piece: bytes) -> Part:
    head, blank, data = piece.partition(b"\r\n\r\n")
    if not blank:
        raise ValueError("a part of the form has no end of its headers")
    headers = {}
    for line in head.decode("utf-8", "replace").split("\r\n")[1:]:
        key, _, value = line.partition(":")
        headers[key.strip().lower()] = value.strip()
    disposition = headers.get("content-disposition", "")
    name = re.search(r'[; ]name="([^"]*)"', disposition)
    if name is None:
        raise ValueError("a part of the form has no name")
    filename = re.search(r'filename="([^"]*)"', disposition)
    return Part(name[1], filename[1] if filename else "", headers.get("content-type", ""), data)
