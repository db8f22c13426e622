"""The YAML reader: plain values, lines, substitution, and everything that it refuses."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from gateline.control.document import MAX_BYTES, parse_document, read_document
from gateline.control.mistakes import ConfigMistakes


def mistakes(text: str, **environment: str) -> list[str]:
    with pytest.raises(ConfigMistakes) as caught:
        parse_document(text, environment)
    return [str(mistake) for mistake in caught.value.mistakes]


def values(text: str, **environment: str) -> object:
    return parse_document(text, environment).values


def test_plain_scalars_follow_yaml_1_2_and_decimals_stay_exact() -> None:
    """`no` and `1:30` are text, 2.50 is exactly 2.50, quotes always make text."""
    assert values('{a: no, b: 1:30, c: 2.50, d: 7, e: "7", f: true, g: ~, h: 0x10, i: -0.1, j: 1e3}') == {
        "a": "no",
        "b": "1:30",
        "c": Decimal("2.50"),
        "d": 7,
        "e": "7",
        "f": True,
        "g": None,
        "h": "0x10",
        "i": Decimal("-0.1"),
        "j": "1e3",
    }


def test_every_field_has_its_line() -> None:
    document = parse_document("a:\n  b: 1\n  c:\n    - x\n    - y: 2\n", {})
    assert document.line_of(("a", "b")) == 2
    assert document.line_of(("a", "c", 1, "y")) == 5
    assert document.line_of(("a", "c", 1, "missing")) == 5
    assert document.line_of(("nothing",)) == 1


def test_a_reference_works_unquoted_inside_a_flow_mapping() -> None:
    """The braces of `${NAME}` are not YAML's, whatever stands around them."""
    document = parse_document(
        "up: {key: ${KEY}, url: http://${HOST:-localhost}:9/v1, two: '${KEY}${KEY}'}", {"KEY": "k"}
    )
    assert document.values == {"up": {"key": "k", "url": "http://localhost:9/v1", "two": "kk"}}
    assert document.variables == {"KEY", "HOST"}


@pytest.mark.parametrize("value", ["a: b", "- x", "{x: y}", "*x", "&x", "# no", "\n- y", "12", "'", '"', "${OTHER}"])
def test_a_variable_can_inject_no_yaml(value: str) -> None:
    """What the environment holds is text, however much it looks like YAML or like another reference."""
    assert values("a: ${V}\nb: [${V}]", V=value) == {"a": value, "b": [value]}


def test_an_unset_variable_is_a_mistake_at_its_line() -> None:
    assert mistakes("a: 1\nb: ${NOPE}\n") == ["2: b: the environment has no NOPE: set it, or write ${NOPE:-default}"]


def test_a_reference_in_a_comment_asks_for_nothing() -> None:
    assert values("a: 1 # ${NOPE}") == {"a": 1}


def test_an_empty_default_is_a_default() -> None:
    assert values("a: ${NOPE:-}") == {"a": ""}


def test_a_malformed_reference_is_a_mistake() -> None:
    assert mistakes("a: ${1X}\n") == ["1: a: ${ must be ${NAME} or ${NAME:-default}"]


def test_a_repeated_key_names_both_lines() -> None:
    assert mistakes("a: 1\nb: 2\na: 3\n") == ["3: a: repeated: line 1 has it already, keep one"]


def test_tags_are_refused() -> None:
    assert mistakes("a: !!python/object:os.system x\n") == ["1: a: tags (!…) are not read: write the plain value"]


def test_aliases_are_read() -> None:
    assert values("a: &x {k: [1, 2]}\nb: *x\nc: &y [*x, *x]\nd: *y") == {
        "a": {"k": [1, 2]},
        "b": {"k": [1, 2]},
        "c": [{"k": [1, 2]}, {"k": [1, 2]}],
        "d": [{"k": [1, 2]}, {"k": [1, 2]}],
    }


def test_an_alias_bomb_is_refused() -> None:
    """Ten levels of ten aliases would be ten thousand million values."""
    lines = ["a0: &a0 [1,1,1,1,1,1,1,1,1,1]"]
    lines += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    assert "too large" in mistakes("\n".join(lines))[0]


def test_an_alias_inside_its_own_anchor_is_refused() -> None:
    assert len(mistakes("a: &a [*a]\n")) == 1


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_deep_nesting_is_refused(opening: str) -> None:
    assert "nested deeper than" in mistakes("x: [" + opening * 300 if opening != "- " else opening * 300 + "x")[0]


def test_a_second_document_is_refused() -> None:
    assert mistakes("a: 1\n---\nb: 2\n") == [
        "2: a second document starts here: keep one, a configuration is one document"
    ]


def test_broken_yaml_names_its_line() -> None:
    assert mistakes("a: 1\nb: [1, 2\nc: 3\n")[0].startswith("3: this is not YAML: ")


def test_an_empty_file_is_an_empty_document() -> None:
    assert values("") is None
    assert values("# nothing\n") is None


def test_files_that_cannot_be_text_are_refused(tmp_path: Path) -> None:
    """Missing, over-size, not UTF-8 and with control characters: each one clear mistake."""
    cases = {"big": b"#" * (MAX_BYTES + 1), "latin": b"a: 1\nb: \xff\n", "control": b"a: 1\nb: \x01\n"}
    said = {}
    for name, content in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ConfigMistakes) as caught:
            read_document(tmp_path / name, {})
        said[name] = [(mistake.line, mistake.message) for mistake in caught.value.mistakes]
    assert "over 1048576 bytes" in said["big"][0][1]
    assert said["latin"] == [(2, "this line is not UTF-8: save the file as UTF-8")]
    assert "forbids" in said["control"][0][1]
    with pytest.raises(ConfigMistakes, match="cannot be read"):
        read_document(tmp_path / "none", {})
