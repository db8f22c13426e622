"""The table of vendors, as docs/reference/providers.md shows it: from the rows, with words for their short names."""

from __future__ import annotations

from gateline.control.config import LOCAL_PROVIDER
from gateline.providers.row import Row
from gateline.providers.selfhosted import SELF_HOSTED
from gateline.providers.table import TABLE

HEADS = ("kind", "vendor", "speaks", "credential", "needs", "lives at", "quirks")
_AUTH = {
    "bearer": "bearer key",
    "x-api-key": "key (`x-api-key`)",
    "api-key": "key (`api-key`)",
    "x-goog-api-key": "key (`x-goog-api-key`)",
    "none": "–",
    "sigv4": "signature",
}
_ISSUERS = {
    "": "",
    "aws": "AWS credentials, or a bearer key",
    "google": "Google credentials, or a bearer token",
    "entra": "key (`api-key`), or Entra ID",
    "ibm": "IBM Cloud key",
}


def rows() -> list[tuple[str, ...]]:
    """Vendors in the order of the table, the servers one runs oneself last."""
    kinds = sorted(TABLE.keys() - {LOCAL_PROVIDER}, key=lambda kind: (kind in SELF_HOSTED, list(TABLE).index(kind)))
    return [_row(kind, TABLE[kind]) for kind in kinds]


def _row(kind: str, row: Row) -> tuple[str, ...]:
    title = f"[{row.title}]({row.docs})" if row.docs else row.title
    needs = [*row.options, *([] if row.base_url else ["base_url"])]
    return (
        f"`{kind}`",
        title,
        ", ".join(f"`{operation}`" for operation in row.speaks),
        _ISSUERS[row.issuer] or _AUTH[row.auth],
        ", ".join(f"`{name}`" for name in needs) or "–",
        f"`{row.base_url}`" if row.base_url else "–",
        row.quirks or "–",
    )
