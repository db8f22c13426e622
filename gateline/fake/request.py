"""One request as it came."""

from __future__ import annotations

import hmac
from typing import Any, NamedTuple
from urllib.parse import parse_qs

import msgspec


class Request(NamedTuple):
    """One request as it came: header names and values are the bytes on the wire, latin-1."""

    method: str
    target: str
    version: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str:
        """The first one with this lower-case name, blank if there is none."""
        return next((value for key, value in self.headers if key.lower() == name), "")

    def bearer(self) -> str:
        """The token of `Authorization: Bearer`, blank if there is none."""
        scheme, _, token = self.header("authorization").partition(" ")
        return token if scheme.lower() == "bearer" else ""

    def has_bearer(self, key: str) -> bool:
        return same(self.bearer(), key)

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    def query(self, name: str) -> str:
        """The first value of a query parameter, blank if there is none."""
        return parse_qs(self.target.partition("?")[2], keep_blank_values=True).get(name, [""])[0]

    def json(self) -> dict[str, Any]:
        """The body as a JSON object. Raises ValueError."""
        try:
            return _OBJECTS.decode(self.body)
        except RecursionError as error:
            raise ValueError("the body is nested too deeply") from error

    def raw(self, name: str) -> bytes:
        """The bytes of one field of the body as they came, empty when it is not there. Raises ValueError."""
        return bytes(_FIELDS.decode(self.body).get(name, msgspec.Raw()))


def same(given: str, key: str) -> bool:
    """Compares credentials in a time that tells nothing."""
    return hmac.compare_digest(given.encode(errors="replace"), key.encode(errors="replace"))


_OBJECTS = msgspec.json.Decoder(dict[str, Any])
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
