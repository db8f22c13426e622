"""A section more under `providers` of a YAML file: as text, so that everything the user wrote stays as it was written.

What comes out is read again and compared: it says what the file said before and the new section, or it is not used.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from gateline.control.document import parse_document
from gateline.control.mistakes import ConfigMistakes
from gateline.control.written import INDENT, VARIABLE, AsWritten, block, flow, scalar


class NotExtended(Exception):
    """Why the text was left alone: what to say to whoever has to write the section by hand."""


def with_provider(text: str, name: str, fields: Mapping[str, str]) -> str:
    """`text` with the provider `name` added. Raises NotExtended."""
    before = _values(text)
    if before is None:
        before = {}
    if not isinstance(before, dict) or not isinstance(before.get("providers") or {}, dict):
        raise NotExtended("it is not laid out as a configuration is")
    if name in (before.get("providers") or {}):
        raise NotExtended(f"it has a provider called {name} already")
    newline = "\r\n" if "\r\n" in text else "\n"
    changed = _inserted(text.replace("\r\n", "\n"), name, fields).replace("\n", newline)
    wanted = {**before, "providers": {**(before.get("providers") or {}), name: dict(fields)}}
    if _values(changed) != wanted:
        raise NotExtended("its layout leaves no sure place for it")
    return changed


def section(name: str, fields: Mapping[str, str], indent: str = INDENT) -> str:
    """The provider as a block of lines."""
    return block({name: dict(fields)}, indent)


def _values(text: str) -> Any:
    """What the text says, with variables as they are written."""
    try:
        return parse_document(text, AsWritten()).values
    except ConfigMistakes as error:
        raise NotExtended(f"it has mistakes: {error.mistakes[0]}") from None


def _inserted(text: str, name: str, fields: Mapping[str, str]) -> str:
    # A variable's braces would be YAML's inside `{…}`: what stands for it is as long, so that places stay.
    root = yaml.compose(VARIABLE.sub(lambda match: "x" * len(match[0]), text), Loader=yaml.SafeLoader)
    found = None
    for key, value in root.value if isinstance(root, yaml.MappingNode) else ():
        if key.value == "providers":
            found = (key, value)
    if found is None:
        return _appended(text, name, fields)
    key, value = found
    if isinstance(value, yaml.MappingNode) and value.flow_style:
        return _in_braces(text, value, name, fields)
    if isinstance(value, yaml.MappingNode):
        indent = " " * value.value[0][0].start_mark.column
        at = _line_after(text, _end(value), len(indent))
        return _put(text, at, section(name, fields, indent))
    start, end = value.start_mark.index, value.end_mark.index  # nothing, `~` or `null`
    text = text[:start] + text[end:]
    return _put(text, _line_after(text, start, 1), section(name, fields))


def _appended(text: str, name: str, fields: Mapping[str, str]) -> str:
    space = "\n" if text.strip() else ""
    return _put(text, len(text), f"{space}providers:\n{section(name, fields)}")


def _in_braces(text: str, value: yaml.MappingNode, name: str, fields: Mapping[str, str]) -> str:
    entry = f"{scalar(name)}: {flow(dict(fields))}"
    if value.value:
        at = int(value.value[-1][1].end_mark.index)
        return f"{text[:at]}, {entry}{text[at:]}"
    at = value.start_mark.index + 1
    return text[:at] + entry + text[at:]


def _end(node: yaml.Node) -> int:
    """Where the last thing inside ends: a block's own end is where the next thing begins."""
    if isinstance(node, yaml.CollectionNode) and node.value and not node.flow_style:
        if isinstance(node, yaml.SequenceNode):
            return _end(node.value[-1])
        key, value = node.value[-1]
        return max(_end(value), int(key.end_mark.index) + 1)  # an alias's value lies before it
    return int(node.end_mark.index)


def _line_after(text: str, at: int, indent: int) -> int:
    """The start of the line behind `at`, and behind the comments there that belong to what `at` ends."""
    if not (at and text[at - 1] == "\n"):  # text in a block ends where the next line begins
        at = text.find("\n", at) + 1 or len(text)
    while at < len(text):
        end = text.find("\n", at) + 1 or len(text)
        line = text[at:end]
        if not line.lstrip().startswith("#") or len(line) - len(line.lstrip()) <= indent:
            break
        at = end
    return at


def _put(text: str, at: int, lines: str) -> str:
    begun = at > 0 and text[at - 1] != "\n"
    return text[:at] + ("\n" if begun else "") + lines + text[at:]
