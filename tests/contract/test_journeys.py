"""Every vendor's own library against every vendor's format, through a real gateway: what the library shows is what the
vendor said, streamed or not, and the ledger has it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.contract.cannot import why_not
from tests.contract.judge import check_answer, check_record
from tests.contract.libraries import SPEAKERS
from tests.contract.scene import (
    ANSWERED,
    BROKEN,
    FAILS_OVER,
    FOREIGN,
    LEDGER,
    PICTURE_TEXT,
    REASONED,
    REFUSED,
    SCHEMA,
    TWO_TURNS,
)
from tests.contract.sdk.talk import Library
from tests.contract.shown import Failed
from tests.contract.stage import Stage, model_name, stage
from tests.contract.vendors import VENDORS


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with stage(tmp_path_factory.mktemp("contract")) as running:
        yield running


@pytest.fixture(scope="module")
def libraries(house: Stage) -> Iterator[dict[str, Library]]:
    opened = {name: speaker.open(house.origin, house.token) for name, speaker in SPEAKERS.items()}
    yield opened
    for library in opened.values():
        library.close()


def over_all(scenarios: list[str]) -> pytest.MarkDecorator:
    cells = [
        pytest.param(client, vendor, scenario, id=f"{client}-{vendor}-{scenario.replace(' ', '_')}")
        for client in SPEAKERS
        for vendor in VENDORS
        for scenario in scenarios
    ]
    return pytest.mark.parametrize(("client", "vendor", "scenario"), cells)


@over_all(list(ANSWERED))
def test_an_answer_is_shown_as_it_was_given(
    client: str, vendor: str, scenario: str, house: Stage, libraries: dict[str, Library]
) -> None:
    """Text, tools and their arguments, why it ended and what it used: whole and streamed, each as the vendor said it,
    and so the same."""
    library, scene = libraries[client], ANSWERED[scenario]
    for stream in (False, True):
        shown = library.talk(model_name(vendor, scene), scene).say(stream=stream)
        check_answer(house, SPEAKERS[client], VENDORS[vendor], shown, house.answers[-1])
        house.claim((client, vendor), library.ids[-1])
        if scene.image:
            assert PICTURE_TEXT in house.body().replace("-", "+").replace("_", "/")
        if scene.schema:
            assert list(json.loads(shown.words)) == SCHEMA["required"]


@over_all(list(TWO_TURNS))
def test_reasoning_comes_back_to_its_maker(
    client: str, vendor: str, scenario: str, house: Stage, libraries: dict[str, Library]
) -> None:
    """In the second turn the vendor, which checks it, gets its own seal byte for byte; streamed or not."""
    library, scene, maker = libraries[client], TWO_TURNS[scenario], VENDORS[vendor]
    for stream in (False, True):
        talk = library.talk(model_name(vendor, scene), scene)
        first = talk.say(stream=stream)
        sealed = house.answers[-1]
        check_answer(house, SPEAKERS[client], maker, first, sealed)
        talk.go_on(first)
        second = talk.say(stream=stream)
        check_answer(house, SPEAKERS[client], maker, second, house.answers[-1])
        house.claim((client, vendor), library.ids[-1])
        if maker.maker:
            arrived = maker.seal(sealed) in house.body().replace("-", "+").replace("_", "/") or (
                maker.seal(sealed) in house.body()
            )
            assert arrived is not bool(why_not(client, vendor, scenario))


@over_all([FOREIGN])
def test_no_vendor_gets_anothers_signature(
    client: str, vendor: str, scenario: str, house: Stage, libraries: dict[str, Library]
) -> None:
    """A conversation that one vendor began and another goes on with: answered, without what only the first reads."""
    library, taker = libraries[client], VENDORS[vendor]
    for other, maker in VENDORS.items():
        if other == vendor or (maker.maker and maker.maker == taker.maker):
            continue
        talk = library.talk(model_name(other, REASONED), REASONED)
        first = talk.say(stream=False)
        seal = maker.seal(house.answers[-1]) if maker.maker else ""
        talk.go_on(first)
        talk.model = model_name(vendor, REASONED)
        second = talk.say(stream=True)
        check_answer(house, SPEAKERS[client], taker, second, house.answers[-1])
        assert not seal or seal not in house.body()


@over_all(list(REFUSED))
def test_a_refusal_keeps_its_status_and_words(
    client: str, vendor: str, scenario: str, house: Stage, libraries: dict[str, Library]
) -> None:
    """The library raises its own error, with the vendor's status and what the vendor said."""
    library, scene = libraries[client], REFUSED[scenario]
    for stream in (False, True):
        with pytest.raises(Failed) as failed:
            library.talk(model_name(vendor, scene), scene).say(stream=stream)
        status = int(scenario.removeprefix("status "))
        assert failed.value.status == status
        assert f"told to answer {status}" in failed.value.message
        house.claim((client, vendor), library.ids[-1])


@over_all(list(BROKEN))
def test_a_broken_answer_is_never_a_whole_one(
    client: str, vendor: str, scenario: str, house: Stage, libraries: dict[str, Library]
) -> None:
    """A stream that breaks ends in an error of the library: in the stream when something of it was seen, else with a
    status, as has a whole answer that is none."""
    library, scene = libraries[client], BROKEN[scenario]
    with pytest.raises(Failed) as failed:
        library.talk(model_name(vendor, scene), scene).say(stream=True)
    assert failed.value.status is None or failed.value.status >= 500
    house.claim((client, vendor), library.ids[-1])
    if scenario != "no end":
        with pytest.raises(Failed) as failed:
            library.talk(model_name(vendor, scene), scene).say(stream=False)
        assert failed.value.status is not None
        assert failed.value.status >= 500
        house.claim((client, vendor), library.ids[-1])


@over_all([FAILS_OVER.name])
def test_what_fails_before_it_is_seen_is_answered_by_another(
    client: str, vendor: str, scenario: str, house: Stage, libraries: dict[str, Library]
) -> None:
    """An error ahead of the first visible event costs the client nothing: the model's fallback answers."""
    library = libraries[client]
    for stream in (False, True):
        shown = library.talk(f"{model_name(vendor, FAILS_OVER)}.{client}", FAILS_OVER).say(stream=stream)
        check_answer(house, SPEAKERS[client], VENDORS[vendor], shown, house.answers[-1])
        house.claim((client, vendor), library.ids[-1])
        house.failovers.append(library.ids[-1])


@over_all([LEDGER])
def test_the_ledger_has_every_call(client: str, vendor: str, scenario: str, house: Stage) -> None:
    """Each call above is one record, with the vendor's own count of tokens; or failed, as the client was told."""
    claims = house.claims[client, vendor]
    records = house.records(list(claims))
    for name, reported in claims.items():
        check_record(records[name], reported)
    taken_over = [records[name] for name in house.failovers if name in records]
    for row in taken_over:
        assert [bool(attempt["error"]) for attempt in row["attempts"]][-2:] == [True, False], row
