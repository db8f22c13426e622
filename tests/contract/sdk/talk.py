"""A conversation as one vendor's own library holds it. Each module beside this one has one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from tests.contract.scene import Scene
from tests.contract.shown import Shown


class Talk(Protocol):
    """`say` asks and shows the answer, put together from its events where it is streamed; raises Failed. `go_on`
    sends back an answer as the library gave it, with what the tools returned."""

    model: str

    def say(self, *, stream: bool) -> Shown: ...

    def go_on(self, shown: Shown) -> None: ...


class Library(Protocol):
    """`ids`: the gateway's ids of all calls, in order."""

    ids: list[str]

    def talk(self, model: str, scene: Scene) -> Talk: ...

    def close(self) -> None: ...


def hooks(ids: list[str]) -> dict[str, list[Callable[[Any], None]]]:
    """Event hooks for an HTTP client that notes the ids of its calls."""
    return {"response": [lambda response: ids.append(response.headers["x-request-id"])]}


@contextmanager
def failures(*kinds: type[Exception]) -> Iterator[None]:
    """What a stream was cut short by, as the library tells it."""
    from tests.contract.shown import Failed

    try:
        yield
    except kinds as error:
        raise Failed(None, str(error)) from error
