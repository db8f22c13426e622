"""Turns pydantic's errors into mistakes with a line, in words that say what to do and repeat no value."""

from __future__ import annotations

import difflib
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from gateline.control.document import Document
from gateline.control.mistakes import FieldPath, Mistake, dotted

_NUMBERS = {"int_type", "int_parsing", "int_from_float", "int_parsing_size"}
_MAPPINGS = {"model_type", "dict_type", "model_attributes_type"}
_WORDING = {
    "missing": "is missing: add it",
    "string_type": "must be text: put it in quotes",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "decimal_type": "must be a number",
    "decimal_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "decimal_max_places": "must have at most 10 decimals",
    "string_too_short": "must not be empty",
    "string_too_long": "is too long",
}


def explain(error: ValidationError, document: Document, root: type[BaseModel]) -> list[Mistake]:
    return [_mistake(entry, document, root) for entry in error.errors(include_input=False, include_url=False)]


def _mistake(entry: Any, document: Document, root: type[BaseModel]) -> Mistake:
    path: FieldPath = tuple(entry["loc"])
    kind = entry["type"]
    if path and path[-1] == "[key]":
        path = path[:-1]
        message = "is no good name: use letters, digits, dot, dash and underscore"
        if path[0] == "models":
            message = "is no good name: use printable ASCII without spaces, at most 200 characters"
    elif kind in _MAPPINGS and path[-2:-1] == ("targets",):
        message = "must hold fields, such as {provider: openai, model: gpt-5.5}"
    elif kind == "extra_forbidden":
        message = _unknown(path, root)
    else:
        message = _wording(kind, entry.get("ctx") or {})
    return Mistake(document.line_of(path), dotted(path), message)


def _wording(kind: str, context: dict[str, Any]) -> str:
    if kind == "value_error":
        return str(context["error"])
    if kind in _NUMBERS:
        return "must be a whole number"
    if kind in _MAPPINGS:
        return "must hold fields (name: value)"
    if kind == "literal_error":
        return f"must be one of {context['expected']}"
    for bound, words in (("ge", "at least"), ("gt", "above"), ("le", "at most"), ("lt", "below")):
        if bound in context:
            return f"must be {words} {context[bound]}"
    return _WORDING.get(kind, "has a value that does not fit here")


def _unknown(path: FieldPath, root: type[BaseModel]) -> str:
    known = sorted(_section_at(path[:-1], root).model_fields)
    close = difflib.get_close_matches(str(path[-1]), known, n=1, cutoff=0.6)
    if close:
        return f"there is no such field here: did you mean {close[0]}?"
    return f"there is no such field here: known are {', '.join(known)}"


def _section_at(path: FieldPath, root: type[BaseModel]) -> type[BaseModel]:
    """The section class that holds the field at `path`: names of mappings and places in lists are skipped."""
    section = root
    parts = iter(path)
    for part in parts:
        annotation = section.model_fields[str(part)].annotation
        if get_origin(annotation) in {dict, tuple}:
            next(parts, None)
        section = _section_in(annotation) or section
    return section


def _section_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for argument in get_args(annotation) if (found := _section_in(argument))), None)
