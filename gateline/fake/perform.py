"""From what was asked and a cue to the answer, in no vendor's format. Pure: equal questions get equal answers."""

from __future__ import annotations

import hashlib

import msgspec

from gateline.fake.answer import Answer, Finish, Quote, ToolCall, pick_words, text_tokens
from gateline.fake.ask import Ask, Tool
from gateline.fake.cue import Cue
from gateline.fake.fill import fill
from gateline.model.usage import Usage

THOUGHT_TOKENS = 6
_PIECE = 7  # characters of JSON in one piece of a stream
_REFUSAL = ["I", " cannot", " help", " with", " that", "."]
_SPLIT_WORD = "\N{STEAM LOCOMOTIVE}"  # four bytes of UTF-8
_PAGE = "https://example.com/timetable"


def perform(ask: Ask, model: str, cue: Cue, length: int, choice: int = 0) -> Answer:
    """`length` in tokens, cut by the request's own limit, reasoning tokens included in the output on top of it."""
    number = b"\0%d" % choice if choice else b""
    digest = hashlib.shake_128(model.encode(errors="replace") + b"\0" + ask.asked + number)
    limit = None if ask.limit is None else max(ask.limit, 0)
    picks = digest.digest(12 + length)
    known = picks[:12].hex()
    calls = _calls(ask, cue, known)
    finish: Finish = "tools" if calls else "stop"
    if cue.refusal:
        words, finish = _REFUSAL, "refusal"
    elif calls and cue.tokens is None:
        words = []
    else:
        words = _words(ask, cue, picks[12:], known)
    if limit is not None and not calls and len(words) > limit:
        words, finish = words[:limit], "length"
    finish = cue.finish or finish
    thought = _thought(ask, cue, known)
    spent = sum(text_tokens(call.text.encode()) + 1 for call in calls)
    reasoning = len(thought or []) if cue.reasoning is None else cue.reasoning
    usage = _usage(ask, cue, len(words) + spent, reasoning)
    quotes = _quotes(words) if cue.citations and not cue.refusal else ()
    return Answer(known, words, finish, usage, calls, thought, quotes, ask.logprobs or cue.logprobs)


def total(answers: list[Answer]) -> Usage:
    """The usage of several choices: the prompt once, every output."""
    first = answers[0].usage
    output = sum(answer.usage.output for answer in answers)
    reasoning = sum(answer.usage.reasoning for answer in answers)
    return msgspec.structs.replace(first, output=output, reasoning=reasoning)


def _usage(ask: Ask, cue: Cue, spent: int, reasoning: int) -> Usage:
    prompt = text_tokens(ask.asked)
    cached = min(cue.cached or 0, prompt)
    written = min(cue.cache_write or 0, prompt - cached)
    return Usage(input=prompt, output=spent + reasoning, cached=cached, reasoning=reasoning, cache_write=written)


def _words(ask: Ask, cue: Cue, picks: bytes, known: str) -> list[str]:
    if ask.schema is not None or cue.json:
        value = fill(ask.schema or {"type": "object", "properties": {"answer": {"type": "string"}}}, known)
        return _cut(msgspec.json.encode(value).decode())
    words = pick_words(picks)
    if cue.split and words:
        words[0] = f"{_SPLIT_WORD} {words[0]}"
    return words


def _cut(text: str) -> list[str]:
    return [text[at : at + _PIECE] for at in range(0, len(text), _PIECE)]


def _calls(ask: Ask, cue: Cue, known: str) -> tuple[ToolCall, ...]:
    """Calls of the tools in the order the request offers them, from the first again when there are fewer."""
    wanted = cue.tools or int(ask.forced)
    if not ask.tools or not wanted or cue.refusal or (ask.is_answered and not ask.forced):
        return ()
    return tuple(_call(ask.tools[at % len(ask.tools)], cue, f"{known}{at:02d}") for at in range(wanted))


def _call(tool: Tool, cue: Cue, known: str) -> ToolCall:
    if cue.arguments == "none":
        return ToolCall(known, tool.name, {}, "", [])
    filled = fill(tool.schema, known)
    arguments = filled if isinstance(filled, dict) else {}
    text = msgspec.json.encode(arguments).decode()
    if cue.arguments == "pieces":
        return ToolCall(known, tool.name, arguments, text, _cut(text))
    return ToolCall(
        known, tool.name, arguments, text, [text], inline=cue.arguments == "one", late=cue.arguments == "done"
    )


def _thought(ask: Ask, cue: Cue, known: str) -> list[str] | None:
    if cue.reasoning_text == "hidden":
        return []
    if cue.reasoning_text == "shown" or ask.thinks:
        return pick_words(hashlib.shake_128(known.encode()).digest(THOUGHT_TOKENS))
    return None


def _quotes(words: list[str]) -> tuple[Quote, ...]:
    """One quote of the text's second half."""
    text = "".join(words)
    start = len("".join(words[: len(words) // 2]))
    return (Quote(start, len(text), text[start:], _PAGE, "Timetable"),)
