"""What maps to what between formats, as docs/reference/translation.md shows it: from the tables of the formats, and
from what they write."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, get_args

import msgspec

from docs import meanings
from gateline.formats.features import FIELDS, PARTS
from gateline.formats.table import CLIENTS, SERVERS, WATCHES
from gateline.model.call import KINDS, Operation
from gateline.model.chat import Chat, Choice, Effort, Finish, Text, Thinking, Turn
from gateline.model.chatreply import ChatReply
from gateline.providers.paths import PATHS
from gateline.providers.table import TABLE

Table = Callable[[tuple[str, ...], Sequence[tuple[str, ...]]], str]
Check = Callable[[str, set[str], set[str]], None]

_NONE = "—"
_GIVEN = frozenset({"inputs"})  # every format has them
_KINDS = {"chat": "Chats", "embeddings": "Embeddings", "rerank": "Ranking"}
_BUDGETS = (0, 1_024, 4_096, 16_384, 65_536, -1)
# One model for each way of being asked to reason: the row of its vendor, the format, its name there.
_THINKERS: tuple[tuple[str, Operation, str], ...] = (
    ("openai", "chat.completions", "gpt-5.5"),
    ("openai", "responses", "gpt-5.5"),
    ("openrouter", "chat.completions", "any"),
    ("dashscope", "chat.completions", "qwen3-max"),
    ("anthropic", "messages", "claude-haiku-4-5"),
    ("anthropic", "messages", "claude-opus-5"),
    ("gemini", "generate_content", "gemini-2.5-flash"),
    ("gemini", "generate_content", "gemini-3-pro-preview"),
    ("bedrock", "converse", "anthropic.claude-haiku-4-5-v1:0"),
    ("cohere", "cohere.chat", "command-a-reasoning-08-2025"),
    ("ollama", "ollama.chat", "qwen3"),
    ("ollama", "ollama.chat", "gpt-oss:20b"),
)


def parts(table: Table, check: Check) -> Iterator[str]:
    """The page below its title."""
    yield (
        "A client speaks one format, the vendor of the model it asks for another; where both are the same, bytes pass "
        "and nothing here applies. Else a call is read into a neutral one and written from that, and so is its answer. "
        "What the vendor's format has no place for is left out and named in the header `x-gateline-dropped` of the "
        "answer, by the client's own names; with `x-gateline-strict: true` the call is refused with 400 instead: see "
        "[what was dropped](../how-to/what-was-dropped.md)."
    )
    yield (
        "In the tables, — is: no such field. A client's field that has a row in its column, and none in the vendor's, "
        "is one that is dropped and named. A field of the client's that has no row at all is always named. A vendor's "
        "model may refuse more than its format does; that is dropped and named, too."
    )
    yield "## Formats"
    yield table(("operation", "where", "clients may speak it", "vendors may", "passes untouched"), _formats())
    check("features of chats", _known("chat"), {*FIELDS, *PARTS})
    check("finish reasons", set(get_args(Finish)), set(meanings.FINISHES))
    check("features", {name for kind in _KINDS if kind != "chat" for name in _known(kind)}, set(meanings.FEATURES))
    for kind, title in _KINDS.items():
        features = {**FIELDS, **PARTS} if kind == "chat" else meanings.FEATURES
        yield f"## {title}"
        yield "What clients call it:"
        yield _fields(table, kind, features, {op: side.names for op, side in SERVERS.items()})
        yield "What vendors are sent:"
        yield _fields(table, kind, features, {op: side.names for op, side in CLIENTS.items()})
    yield "## How an answer ended"
    yield "What a client reads, by what the vendor meant:"
    yield table(("", *map(_code, _chats())), _finishes())
    yield "## How much to reason"
    yield (
        "By effort, or by a budget of tokens (-1: the model decides), whichever the client's format has. What some "
        "models are sent for it; *dropped* is named as above:"
    )
    yield table(("asked", *(f"`{model}` ({kind}, {operation})" for kind, operation, model in _THINKERS)), _thoughts())


def _code(name: str) -> str:
    return f"`{name}`"


def _formats() -> list[tuple[str, ...]]:
    return [
        (
            _code(operation),
            ", ".join(_code(path) for path in PATHS[operation].split("|")),
            _yes(operation in SERVERS),
            _yes(operation in CLIENTS),
            _yes(operation in WATCHES),
        )
        for operation in KINDS
        if operation in PATHS
    ]


def _yes(it: bool) -> str:
    return "yes" if it else _NONE


def _known(kind: str) -> set[str]:
    """The features that some format of `kind` has a name for."""
    names = [(operation, side.names) for operation, side in SERVERS.items()]
    names += [(operation, side.names) for operation, side in CLIENTS.items()]
    return {feature for operation, known in names if KINDS[operation] == kind for feature in known} - _GIVEN


def _fields(table: Table, kind: str, features: Mapping[str, str], names: Mapping[Operation, Mapping[str, str]]) -> str:
    """A row for each feature, a column for each format of `kind`."""
    columns = [operation for operation in names if KINDS[operation] == kind]
    known = _known(kind)
    rows = [
        (meaning, *(_code(names[each][feature]) if feature in names[each] else _NONE for each in columns))
        for feature, meaning in features.items()
        if feature in known
    ]
    return table(("", *map(_code, columns)), rows)


# --- what is written -------------------------------------------------------------------------------------------------


def _chats() -> list[Operation]:
    return [operation for operation in SERVERS if KINDS[operation] == "chat"]


def _finishes() -> list[tuple[str, ...]]:
    """Found in the answers themselves: what differs between those that ended in different ways."""
    finishes: tuple[Finish, ...] = get_args(Finish)
    columns = [_ends(operation, finishes) for operation in _chats()]
    return [(meanings.FINISHES[finish], *(column[finish] for column in columns)) for finish in finishes]


def _ends(operation: Operation, finishes: Sequence[Finish]) -> dict[Finish, str]:
    chat = Chat(model="m", turns=[])
    answers = {}
    for finish in finishes:
        choice = Choice(parts=[Text(text="…")], finish=finish)
        written = SERVERS[operation].write_reply(ChatReply(id="1", model="m", choices=[choice], created=1), chat)
        answers[finish] = {
            place: value for place, value in _leaves(msgspec.json.decode(written), "") if not value.isdecimal()
        }
    places = sorted({place for answer in answers.values() for place in answer})
    differing = [place for place in places if len({answer.get(place) for answer in answers.values()}) > 1]
    return {
        finish: _listed(f"{place.rpartition('.')[2]}: {answer[place]}" for place in differing if answer.get(place))
        for finish, answer in answers.items()
    }


def _listed(facts: Iterable[str]) -> str:
    return ", ".join(_code(fact) for fact in dict.fromkeys(facts))


def _leaves(value: Any, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{place}.{key}" if place else key)
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from _leaves(inner, f"{place}[{at}]")
    elif value is not None:
        yield place, value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _thoughts() -> list[tuple[str, ...]]:
    efforts: tuple[Effort, ...] = get_args(Effort)
    asked = [(f"`{effort}`", Thinking(effort=effort)) for effort in efforts]
    asked += [(f"{budget:,} tokens", Thinking(budget=budget)) for budget in _BUDGETS]
    return [(words, *(_thought(thinking, *thinker) for thinker in _THINKERS)) for words, thinking in asked]


def _thought(thinking: Thinking, kind: str, operation: Operation, model: str) -> str:
    """What differs between a call that asks to reason so and one that does not speak of it."""
    dialect = TABLE[kind].dialect
    chat = Chat(model=model, turns=[Turn(role="user", parts=[Text(text="…")])])
    plain = CLIENTS[operation].write(chat, model, dialect)
    chat.thinking = thinking
    written = CLIENTS[operation].write(chat, model, dialect)
    before = dict(_leaves(msgspec.json.decode(plain.body), ""))
    after = dict(_leaves(msgspec.json.decode(written.body), ""))
    found = _listed(f"{_short(place)}: {value}" for place, value in after.items() if before.get(place) != value)
    said = [found] if found else []
    return ", ".join([*said, "*dropped*"] if "thinking" in written.dropped else said) or _NONE


def _short(place: str) -> str:
    return ".".join(place.split(".")[-2:])
