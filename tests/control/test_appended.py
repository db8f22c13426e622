"""A provider more in a file that somebody wrote: what they wrote stays, and what is added is what was meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateline.control.appended import NotExtended, with_provider
from gateline.control.document import parse_document

FIELDS = {"kind": "groq", "api_key": "${GROQ_API_KEY}", "models": "auto"}
BLOCK = "  groq:\n    kind: groq\n    api_key: ${GROQ_API_KEY}\n    models: auto\n"
DEEPER = "    groq:\n      kind: groq\n      api_key: ${GROQ_API_KEY}\n      models: auto\n"
BRACES = "groq: {kind: groq, api_key: ${GROQ_API_KEY}, models: auto}"


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("", "providers:\n" + BLOCK),
        ("# mine\n", "# mine\n\nproviders:\n" + BLOCK),
        ("server: {port: 1}", "server: {port: 1}\n\nproviders:\n" + BLOCK),
        ("providers:\nserver: {port: 1}\n", "providers:\n" + BLOCK + "server: {port: 1}\n"),
        ("providers: ~ # none\n", "providers:  # none\n" + BLOCK),
        (
            "providers:\n  a:  # first\n    kind: openai # x\n    # about a\n\nmodels: {}\n",
            "providers:\n  a:  # first\n    kind: openai # x\n    # about a\n" + BLOCK + "\nmodels: {}\n",
        ),
        (
            "providers:\n    a: {kind: openai,\n        api_key: ${A}}\n# about models\nmodels: {}\n",
            "providers:\n    a: {kind: openai,\n        api_key: ${A}}\n" + DEEPER + "# about models\nmodels: {}\n",
        ),
        (
            "providers: {a: {kind: openai, api_key: ${A}}}  # all\n",
            f"providers: {{a: {{kind: openai, api_key: ${{A}}}}, {BRACES}}}  # all\n",
        ),
        ("providers: {}\n", f"providers: {{{BRACES}}}\n"),
        (
            "providers:\n  a:\n    kind: openai\n    api_key: |-\n      k\nmodels: {}",
            "providers:\n  a:\n    kind: openai\n    api_key: |-\n      k\n" + BLOCK + "models: {}",
        ),
        ("providers:\n  a:\n    kind: openai", "providers:\n  a:\n    kind: openai\n" + BLOCK),
        (
            "x: &k openai\nproviders:\n  a:\n    kind: *k\nmodels: {}\n",
            "x: &k openai\nproviders:\n  a:\n    kind: *k\n" + BLOCK + "models: {}\n",
        ),
        ("providers:\r\n  a:\r\n    kind: openai\r\n", "providers:\n  a:\n    kind: openai\n" + BLOCK),
    ],
)
def test_it_is_added_where_the_others_are(text: str, changed: str) -> None:
    """In the way they are written, behind the comments that are theirs; lines end as they did."""
    found = with_provider(text, "groq", FIELDS)
    assert found == (changed.replace("\n", "\r\n") if "\r\n" in text else changed)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("providers: {groq: {kind: groq}}", "has a provider called groq already"),
        ("providers: [", "it has mistakes"),
        ("- a\n- b\n", "not laid out as a configuration"),
        ("providers: [a]\n", "not laid out as a configuration"),
        ("{providers: {a: {kind: openai}}, models: {}}\n...\n", None),
        ("{models: {}}\n", "no sure place|has mistakes"),
    ],
)
def test_what_cannot_be_extended_safely_is_left_alone(text: str, reason: str | None) -> None:
    """And the reason is told."""
    if reason is None:
        assert "groq" in with_provider(text, "groq", FIELDS)
        return
    with pytest.raises(NotExtended, match=reason):
        with_provider(text, "groq", FIELDS)


@given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=24))
def test_every_value_is_read_back_as_it_was(value: str) -> None:
    """Whatever YAML would take it for: a number, a word, a comment, a brace."""
    if "${" in value:
        return
    for text in ("", "providers: {}\n"):
        changed = with_provider(text, "p", {"kind": "openai", "api_key": value})
        assert parse_document(changed, {}).values["providers"]["p"]["api_key"] == value
