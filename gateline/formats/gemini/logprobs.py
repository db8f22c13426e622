"""Log probabilities: Gemini lists the chosen tokens and, beside them, the likeliest of each step."""

from __future__ import annotations

import msgspec

from gateline.model.chat import Tokens


class Candidate(msgspec.Struct, rename="camel"):
    token: str | None = None
    log_probability: float | None = None


class TopCandidates(msgspec.Struct):
    candidates: list[Candidate] | None = None


class LogprobsResult(msgspec.Struct, rename="camel"):
    chosen_candidates: list[Candidate] | None = None
    top_candidates: list[TopCandidates] | None = None


def read_logprobs(result: LogprobsResult) -> list[Tokens]:
    steps = result.top_candidates or []
    tokens = []
    for at, chosen in enumerate(result.chosen_candidates or ()):
        token = _token(chosen)
        if at < len(steps):
            token.top = [_token(candidate) for candidate in steps[at].candidates or ()]
        tokens.append(token)
    return tokens


def write_logprobs(tokens: list[Tokens]) -> LogprobsResult:
    return LogprobsResult(
        [Candidate(token.token, token.logprob) for token in tokens],
        [TopCandidates([Candidate(other.token, other.logprob) for other in token.top]) for token in tokens],
    )


def _token(candidate: Candidate) -> Tokens:
    return Tokens(token=candidate.token or "", logprob=candidate.log_probability or 0.0)
