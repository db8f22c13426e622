"""How one vendor departs from the format it speaks: what a translation into that format has to know of its reader."""

from __future__ import annotations

from typing import Literal

import msgspec


class Dialect(msgspec.Struct, frozen=True):
    """The defaults are the widest understood. `refuses` are features (names of `features.FIELDS` and `PARTS`) that the
    vendor answers with 400, and that are dropped for it.

    max_tokens, seed: the vendor's names of these fields. has_developer: it knows the role; else it is `system`.
    stream_options: it takes the field. thinking: how it is asked to reason, if it can be: by `reasoning_effort`
    (OpenAI), `reasoning` (OpenRouter), `thinking` (Z.ai, Moonshot, Volcengine) or `enable_thinking` (Qwen).
    schema: it takes `json_schema`; else a JSON object is asked for. replays_reasoning: it wants its `reasoning_content`
    back in later turns. ends_without_done: its streams just close behind their usage. anthropic_version: stands in the
    body where Anthropic's models are hosted by others.
    seals: where it takes seals back: `reasoning_details` (OpenRouter: those of the model's maker, which its name begins
    with) or `extra_content` of tool calls (Google's endpoint). cache_control: content parts may hold it.
    tool_choices: whether tools may be forbidden (`none`), forced (`required`), or one of them be (`named`); `auto` all
    vendors take. most_stops: stop sequences. top_temperature: the highest it takes, where that is below OpenAI's 2.
    rerank: whose shape it ranks in (Voyage bounds results by `top_k`). maker: whose its seals are; empty: of the vendor
    whose format it speaks. account: tells its accounts apart that have addresses of their own.
    """

    max_tokens: str = "max_tokens"
    seed: str = "seed"
    has_developer: bool = False
    stream_options: bool = True
    thinking: Literal["", "reasoning_effort", "reasoning", "thinking", "enable_thinking"] = ""
    schema: bool = True
    replays_reasoning: bool = False
    anthropic_version: str = ""
    ends_without_done: bool = False
    refuses: frozenset[str] = frozenset()
    seals: Literal["", "reasoning_details", "extra_content"] = ""
    cache_control: bool = False
    rerank: Literal["cohere", "voyage"] = "cohere"
    maker: str = ""
    account: str = ""
    tool_choices: frozenset[Literal["none", "required", "named"]] = frozenset({"none", "required", "named"})
    most_stops: int = 4
    top_temperature: float = 2.0

    @property
    def sealer(self) -> str:
        """Who alone can open what this vendor seals, as seals are marked with it."""
        return f"{self.maker}-{self.account}" if self.account else self.maker


PLAIN = Dialect()
