"""Log probabilities in Cohere's shape. It names tokens by number, which no other vendor knows."""

from __future__ import annotations

from gateline.formats.cohere.message import LogprobItem
from gateline.model.chat import Tokens


def read_logprobs(items: list[LogprobItem]) -> list[Tokens]:
    """Tokens that make up one text together are one: their probabilities are multiplied."""
    return [Tokens(token=item.text or "", logprob=sum(item.logprobs)) for item in items if item.logprobs]


def write_logprobs(tokens: list[Tokens]) -> list[LogprobItem]:
    return [LogprobItem(token.token, [], [token.logprob]) for token in tokens]


def joined_logprobs(tokens: list[Tokens]) -> LogprobItem:
    """Those of one event."""
    return LogprobItem("".join(token.token for token in tokens), [], [token.logprob for token in tokens])
