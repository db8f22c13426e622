"""Scripts: which request meets which cue."""

from __future__ import annotations

import pytest

from gateline.fake.cue import NO_CUE, Cue
from gateline.fake.script import BadScript, Prompter, read_script


def met(prompter: Prompter, model: str = "m", path: str = "/v1/chat/completions") -> str | None:
    return prompter.cue(model, path, stream=False, asked=NO_CUE).fault


def test_yaml_and_json_say_the_same() -> None:
    """A script is YAML, and JSON is YAML."""
    yaml = "latency: 0.5\nrules:\n  - {match: {model: 'gpt-*', nth: 2}, cue: 'status=500'}\n"
    json = '{"latency": 0.5, "rules": [{"match": {"model": "gpt-*", "nth": 2}, "cue": "status=500"}]}'
    assert read_script(yaml) == read_script(json)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("latencies: 1", "latencies"),
        ("rules: [{cue: nonsense}]", "nonsense"),
        ("rules: [{cue: reset, match: {modle: x}}]", "modle"),
        ("latency: -1", "negative"),
        ("jitter: 2", "jitter"),
        ("tps: 0", "tps"),
        ("{", "bad script"),
        ("[1, 2]", "bad script"),
        ("x" * (1024 * 1024 + 1), "at most"),
    ],
)
def test_a_bad_script_says_what_is_wrong(text: str, part: str) -> None:
    """Every mistake is refused, unknown fields included."""
    with pytest.raises(BadScript, match=part):
        read_script(text)


def test_nth_counts_the_requests_that_match_the_rest() -> None:
    """`nth` counts from 1, and only what model and path let through."""
    rules = "rules: [{match: {model: 'a*', nth: [2, 4]}, cue: reset}]"
    prompter = Prompter(read_script(rules))
    assert met(prompter, "b") is None
    assert [met(prompter, "a1") for _ in range(5)] == [None, "reset", None, "reset", None]


def test_the_first_rule_that_fires_wins_and_all_count() -> None:
    """A later rule keeps its count while an earlier one strikes."""
    rules = "rules: [{match: {nth: 1}, cue: reset}, {match: {nth: [1, 2]}, cue: close}]"
    assert [met(p) for p in [Prompter(read_script(rules))] for _ in range(3)] == ["reset", "close", None]


def test_a_probability_is_drawn_from_the_seed() -> None:
    """The same seed gives the same run, another seed another, and about the asked share."""
    text = "seed: {seed}\nrules: [{{match: {{probability: 0.3}}, cue: reset}}]"
    runs = [[met(prompter) for _ in range(1000)] for seed in (1, 1, 2) for prompter in [_seeded(text, seed)]]
    assert runs[0] == runs[1] != runs[2]
    assert 200 < runs[0].count("reset") < 400


def _seeded(text: str, seed: int) -> Prompter:
    return Prompter(read_script(text.format(seed=seed)))


def test_times_strikes_only_so_often() -> None:
    """`times=2` fails twice, then the same cue passes: what a retry must survive."""
    prompter = Prompter(read_script(""))
    asked = Cue(fault="status", value=503, times=2)
    struck = [prompter.cue("m", "/", stream=False, asked=asked).fault for _ in range(4)]
    assert struck == ["status", "status", None, None]


def test_the_requests_own_cue_wins_over_the_rules() -> None:
    """What the caller asks for is done, whatever the script says."""
    prompter = Prompter(read_script("rules: [{cue: reset}]"))
    assert prompter.cue("m", "/", stream=False, asked=Cue(latency=1)) == Cue(latency=1)
