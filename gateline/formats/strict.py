"""Which JSON Schemas OpenAI's strict mode takes: the vendor answers all others with 400.

Source: developers.openai.com/api/docs, "Structured Outputs": supported schemas.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from gateline.formats.typed import UNREAD

_REFUSED = frozenset({
    "allOf", "oneOf", "not", "if", "then", "else", "dependentRequired", "dependentSchemas", "patternProperties",
    "unevaluatedProperties", "propertyNames", "minProperties", "maxProperties", "unevaluatedItems", "contains",
    "minContains", "maxContains", "uniqueItems", "prefixItems", "default",
})  # fmt: skip
_DEEPEST = 10  # levels of nesting


def is_strict(schema: Raw) -> bool:
    """Whether every object names all of its properties as required and takes no others, and no keyword stands in it
    that strict mode does not know."""
    try:
        root = msgspec.json.decode(schema)
    except UNREAD:
        return False
    return isinstance(root, dict) and root.get("type") == "object" and "anyOf" not in root and _fits(root, _DEEPEST)


def _fits(node: Any, depth: int) -> bool:
    if not isinstance(node, dict) or depth < 0 or not _REFUSED.isdisjoint(node):
        return False
    kinds = node.get("type")
    if not any(name in node for name in ("type", "$ref", "anyOf", "enum", "const")):
        return False
    is_object = kinds == "object" or (isinstance(kinds, list) and "object" in kinds)
    if is_object and not _is_closed(node):
        return False
    if (kinds == "array" or (isinstance(kinds, list) and "array" in kinds)) and "items" not in node:
        return False
    inner = [*_values(node.get("properties")), *_values(node.get("$defs")), *_values(node.get("definitions"))]
    if "items" in node:
        inner.append(node["items"])
    choices = node.get("anyOf", [])
    return isinstance(choices, list) and all(_fits(each, depth - 1) for each in (*inner, *choices))


def _is_closed(node: dict[str, Any]) -> bool:
    names, required = node.get("properties", {}), node.get("required", [])
    return (
        isinstance(names, dict)
        and isinstance(required, list)
        and node.get("additionalProperties") is False
        and all(name in required for name in names)
    )


def _values(found: Any) -> list[Any]:
    return list(found.values()) if isinstance(found, dict) else []
