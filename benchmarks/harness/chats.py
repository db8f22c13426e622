"""Chats held with an OpenAI-compatible endpoint: each seat asks, reads its streamed answer, and asks the next thing."""

from __future__ import annotations

import http.client
import itertools
import json
import threading
import time
from urllib.parse import urlsplit

from benchmarks.harness.bench import FigureFailed

ANSWER_TOKENS = 192
_FIRST_SECONDS = 60.0
_LOOK = 0.01
# Never the same question twice: its number stands first, so no prompt's beginning is in the cache of an engine.
_numbers = itertools.count(1000)
_TOPICS = (
    "how a refrigerator keeps food cold",
    "why the sea is salty",
    "what a librarian does all day",
    "how bread rises in the oven",
    "why leaves change their colour in autumn",
    "how a bicycle stays upright",
    "what happens when a volcano erupts",
    "how letters were delivered before trains",
)


class _Seat(threading.Thread):
    """One of `seats` chats. `tokens` grows by one an event; `error` says why it ended before it was told to."""

    def __init__(self, url: str, key: str, model: str, number: int, seats: int) -> None:
        super().__init__(name=f"seat-{number}", daemon=True)
        self._url, self._key, self._model = urlsplit(url), key, model
        self._number, self._seats = number, seats
        self.tokens = 0
        self.error = ""
        self.leave = threading.Event()

    def run(self) -> None:
        connection = http.client.HTTPConnection(self._url.hostname or "", self._url.port, timeout=_FIRST_SECONDS)
        try:
            # First answers of every length: later ones then begin one by one, as chats do, and not all at once.
            self._chat(connection, max(1, ANSWER_TOKENS * (self._number + 1) // self._seats))
            while not self.leave.is_set():
                self._chat(connection, ANSWER_TOKENS)
        except (OSError, http.client.HTTPException, FigureFailed) as error:
            self.error = str(error) or type(error).__name__
        finally:
            connection.close()

    def _chat(self, connection: http.client.HTTPConnection, length: int) -> None:
        number = next(_numbers)
        text = f"{number}. Please tell a child of ten {_TOPICS[number % len(_TOPICS)]}, and make a story of it."
        asked = {"model": self._model, "messages": [{"role": "user", "content": text}], "stream": True}
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        body = json.dumps({**asked, "max_tokens": length})
        connection.request("POST", "/v1/chat/completions", body, headers)
        answer = connection.getresponse()
        if answer.status != http.client.OK:
            raise FigureFailed(f"{answer.status}: {answer.read()[:200]!r}")
        for line in answer:
            self.tokens += b'"content":"' in line and b'"content":""' not in line
            if self.leave.is_set():
                return


def chat_rate(url: str, key: str, model: str, seats: int, seconds: float) -> float:
    """Tokens a second of `seats` chats together, over `seconds` in which all of them are open. Raises FigureFailed."""
    chats = [_Seat(url, key, model, number, seats) for number in range(seats)]
    for chat in chats:
        chat.start()
    try:
        until = time.monotonic() + _FIRST_SECONDS
        while not all(chat.tokens for chat in chats):
            _sound(chats)
            if time.monotonic() > until:
                raise FigureFailed(f"{seats} chats had no first token within {_FIRST_SECONDS:g} s")
            time.sleep(_LOOK)
        began, before = time.monotonic(), sum(chat.tokens for chat in chats)
        time.sleep(seconds)
        taken, after = time.monotonic() - began, sum(chat.tokens for chat in chats)
        _sound(chats)
    finally:
        for chat in chats:
            chat.leave.set()
        for chat in chats:
            chat.join(_FIRST_SECONDS)
    return (after - before) / taken


def _sound(chats: list[_Seat]) -> None:
    broken = next((chat.error for chat in chats if chat.error), "")
    if broken:
        raise FigureFailed(f"a chat broke: {broken}")
