"""The life of a request, in order. `docs/request.md` follows this file line by line."""

from __future__ import annotations

from collections.abc import Callable

from gateline.gateway.admit import Admit
from gateline.gateway.attempt import Attempts
from gateline.gateway.exchange import ClientGone, Exchange
from gateline.gateway.identify import Identify
from gateline.gateway.models import LISTS, list_models, show_model
from gateline.gateway.passthrough import passage
from gateline.gateway.plan import plan
from gateline.gateway.read import Read
from gateline.gateway.record import Recorder
from gateline.gateway.responses import Responses, preferring
from gateline.model.errors import GatewayError, Internal


class Pipeline:
    """The stages of one worker. `on_defect` is told of errors that are ours, with the request's id. `live` are the
    exchanges between head and last byte."""

    def __init__(
        self,
        identify: Identify,
        admit: Admit,
        read: Read,
        attempts: Attempts,
        recorder: Recorder,
        responses: Responses,
        on_defect: Callable[[str, BaseException], None],
    ) -> None:
        # Bound once: to call an object by its `__call__` costs three frames, to call a bound method one.
        self._identify, self._look_up = identify.__call__, identify.look_up
        self._admit, self._leave = admit.__call__, admit.leave
        self._read, self._read_slowly = read.__call__, read.slowly
        self._attempt = attempts.run
        self._note = recorder.note
        self._responses = responses
        self._on_defect = on_defect
        self.live: set[Exchange] = set()

    async def handle(self, exchange: Exchange) -> None:
        exchange.started = exchange.flow.woken
        self.live.add(exchange)
        try:
            if not self._identify(exchange):  # key -> principal, from memory
                await self._look_up(exchange)  # but for a key's first call here
            self._admit(exchange)  # limits, before the body is read: a refused caller costs nothing more
            if exchange.facts.is_usual:
                if not self._read(exchange):  # the call in the body, whose bytes are kept for pass-through
                    await self._read_slowly(exchange)  # one that is still coming, coded or large
                ways = plan(exchange)  # the model, allowed for this principal; its targets follow lazily
                await self._attempt(exchange, ways)  # connect, send, relay; retry and fall back until visible
            else:
                await self._unusual(exchange)
        except GatewayError as error:
            exchange.fail(error)  # in the client's own format
            error.__traceback__ = None  # it holds the frames that hold it: so, nothing is left for the collector
        except ClientGone:
            pass  # nobody to answer; the record says so
        except Exception as defect:  # noqa: BLE001 - the request's boundary: our defect is a 500 here and a line in the log
            self._on_defect(exchange.id.decode(), defect)
            exchange.fail(Internal("The gateway failed. The log has the reason under this request's id."))
        finally:
            try:
                self._note(exchange)  # exactly one record once the caller is known
            finally:  # whatever goes wrong, nothing of this request stays behind
                self._leave(exchange)
                exchange.finish()  # only now the last held piece leaves
                self.live.discard(exchange)

    async def _unusual(self, exchange: Exchange) -> None:
        """What is no call of a model, or is one of another shape or with a life beyond it."""
        operation = exchange.operation
        if operation in LISTS:
            list_models(exchange)
            return
        if operation == "responses.read":
            await self._responses.answer(exchange)
            return
        await self._read_slowly(exchange)
        if operation == "ollama.show":
            show_model(exchange)
        elif operation == "responses":
            await self._continue(exchange)
        else:
            await self._attempt(exchange, plan(exchange) if operation != "passthrough" else passage(exchange))

    async def _continue(self, exchange: Exchange) -> None:
        """The Responses API alone has calls that go on from an earlier one, and answers that can be asked for again."""
        responses = self._responses
        await responses.recall(exchange)  # the earlier turns, into the call
        ways = plan(exchange)
        if exchange.recalled is not None:
            ways = preferring(ways, exchange.recalled.holder)
        await self._attempt(exchange, ways)
        await responses.keep(exchange)  # before its last byte: the client's next call may name it at once
