"""What a call of Converse says beside its turns, on the wire: for reading and for writing."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from gateline.formats.bedrock.block import ABSENT, CachePoint
from gateline.formats.typed import Int64


class Inference(msgspec.Struct, rename="camel", omit_defaults=True):
    max_tokens: Int64 | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop_sequences: list[str] | None = None


class Schema(msgspec.Struct):
    json: Raw = ABSENT


class Spec(msgspec.Struct, rename="camel", omit_defaults=True):
    name: str
    input_schema: Schema
    description: str | None = None
    strict: bool | None = None


class ListedTool(msgspec.Struct, rename="camel", omit_defaults=True):
    tool_spec: Spec | None = None
    cache_point: CachePoint | None = None


class NamedTool(msgspec.Struct):
    name: str


class Anything(msgspec.Struct):
    pass


class Choice(msgspec.Struct, omit_defaults=True):
    any: Anything | None = None
    tool: NamedTool | None = None


class ToolConfig(msgspec.Struct, rename="camel", omit_defaults=True):
    tools: list[ListedTool]
    tool_choice: Choice | None = None


class JsonSchema(msgspec.Struct, omit_defaults=True):
    """`schema` is JSON in a string."""

    schema: str
    name: str | None = None
    description: str | None = None


class Structure(msgspec.Struct, rename="camel"):
    json_schema: JsonSchema


class TextFormat(msgspec.Struct):
    structure: Structure
    type: str = "json_schema"


class OutputConfig(msgspec.Struct, rename="camel", omit_defaults=True):
    text_format: TextFormat | None = None
    effort: str | None = None


class Tier(msgspec.Struct):
    type: str
