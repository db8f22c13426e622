"""The engine's step loop, with a scripted model behind a real Unix socket."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from gateline.model.engine import State, Submit
from gateline.wire.frames import frame
from tests.engine.peer import Scripted, join, serving


def test_a_loading_engine_says_so_and_refuses_at_once(tmp_path: Path) -> None:
    """State comes on connect and on change; Submit is 503 with a time to come back; the socket is the user's own."""

    async def story() -> None:
        path = tmp_path / "e.sock"
        async with serving(path, None) as (server, _):
            assert path.stat().st_mode & 0o777 == 0o600
            peer = await join(path)
            server.announce(State("loading", "fetching weights 42 %", retry_after=7.0))
            server.announce(State("loading", "fetching weights 42 %", retry_after=7.0))
            reply = await peer.call(1, "/work", {"steps": 1})
            assert (reply.head.status, reply.head.retry_after) == (503, 7.0)
            assert b"42 %" in reply.data
            assert b"model_loading" in reply.data
            assert [state.detail for state in peer.states] == ["starting", "fetching weights 42 %"]
            server.announce(State("failed", "install gateline[local]"))
            reply = await peer.call(2, "/work", {"steps": 1})
            assert reply.head.status == 503
            assert b"install gateline[local]" in reply.data

    asyncio.run(story())


def test_requests_of_two_connections_share_steps_and_keep_their_numbers(tmp_path: Path) -> None:
    """Equal numbers on two connections are two requests, computed in one batch, each with its share of the time."""

    async def story() -> None:
        model = Scripted(held=True)
        async with serving(tmp_path / "e.sock", model):
            peers = [await join(tmp_path / "e.sock") for _ in range(2)]
            for peer in peers:
                peer.submit(1, "/work", {"steps": 3})
            await peers[0].until(lambda: peers[0].states[-1].waiting + peers[0].states[-1].running == 2)
            model.allow(5)
            for peer in peers:
                await peer.until(lambda peer=peer: peer.replies[1].end is not None)
                assert peer.replies[1].data == b"..."
                assert peer.replies[1].end.error == ""
                assert peer.replies[1].end.cpu > 0
                assert peer.replies[1].end.queue > 0
            assert max(state.batch for state in peers[0].states) == 2

    asyncio.run(story())


def test_a_cancelled_request_frees_its_slot_before_the_next_step(tmp_path: Path) -> None:
    """By the order of events: after the cancel no step computes it, and what waited is admitted."""

    async def story() -> None:
        model = Scripted(capacity=1, held=True)
        async with serving(tmp_path / "e.sock", model):
            peer = await join(tmp_path / "e.sock")
            peer.submit(1, "/work", {"steps": 1000, "name": "first"})
            peer.submit(2, "/work", {"steps": 1, "name": "second"})
            model.allow()
            await peer.until(lambda: peer.replies[1].data == b".")
            peer.cancel(1)
            model.allow()  # at most the step that had begun when the cancellation came
            await peer.until(lambda: peer.replies[1].end is not None)
            assert peer.replies[1].end.error == "cancelled"
            model.allow()
            await peer.until(lambda: peer.replies[2].end is not None)
            assert peer.replies[2].end.error == ""
            names = [name for name, _ in model.log]
            after = model.log[names.index("cancel") :]
            assert [event for event in after if event[0] in {"cancel", "admit"}] == [("cancel", 1), ("admit", "second")]
            assert all(keys == [2] for name, keys in after if name == "step")

    asyncio.run(story())


def test_a_cancelled_request_that_still_waits_never_reaches_the_model(tmp_path: Path) -> None:
    async def story() -> None:
        model = Scripted(capacity=1, held=True)
        async with serving(tmp_path / "e.sock", model):
            peer = await join(tmp_path / "e.sock")
            peer.submit(1, "/work", {"steps": 3, "name": "first"})
            peer.submit(2, "/work", {"steps": 1, "name": "second"})
            peer.cancel(2)
            model.allow(3)
            await peer.until(lambda: peer.replies[1].end is not None and peer.replies[2].end is not None)
            assert peer.replies[2].end.error == "cancelled"
            assert ("admit", "second") not in model.log

    asyncio.run(story())


def test_a_poisonous_request_fails_alone(tmp_path: Path) -> None:
    """Admission that raises is that request's 500, a refusal its own status; the others finish."""

    async def story() -> None:
        async with serving(tmp_path / "e.sock", Scripted()):
            peer = await join(tmp_path / "e.sock")
            peer.submit(1, "/work", {"steps": 50})
            peer.submit(2, "/work", {"steps": 1, "poison": "admit"})
            peer.submit(3, "/elsewhere", {"steps": 1})
            peer.submit(4, "/work", {"steps": 2})
            await peer.until(lambda: all(peer.replies[number].end for number in (1, 2, 3, 4)))
            assert [peer.replies[number].head.status for number in (1, 2, 3, 4)] == [200, 500, 404, 200]
            assert b"ZeroDivisionError" in peer.replies[2].data
            assert peer.replies[1].data == b"." * 50

    asyncio.run(story())


def test_a_broken_step_ends_every_request_with_an_error(tmp_path: Path) -> None:
    """The model is lost: running and waiting requests end, the state says so, and the process is told to end."""

    async def story() -> None:
        model = Scripted(capacity=2, held=True)
        async with serving(tmp_path / "e.sock", model) as (_, broken):
            peer = await join(tmp_path / "e.sock")
            bodies = ({"steps": 9}, {"steps": 9, "poison": "step"}, {"steps": 9})
            calls = [Submit(number, "/work", msgspec.json.encode(body)) for number, body in enumerate(bodies, 1)]
            # In one write: the last must be there before the model breaks.
            peer.writer.write(b"".join(frame(msgspec.msgpack.encode(call)) for call in calls))
            model.allow(9)
            await peer.until(lambda: all(peer.replies[number].end for number in (1, 2, 3)))
            assert {peer.replies[number].end.error for number in (1, 2, 3)} == {"the local model failed"}
            await peer.until(lambda: peer.states[-1].state == "loading")
            assert [type(error) for error in broken] == [ZeroDivisionError]
            assert (await peer.call(4, "/work", {"steps": 1})).head.status == 503

    asyncio.run(story())


def test_a_full_queue_refuses_with_a_time_to_come_back(tmp_path: Path) -> None:
    async def story() -> None:
        model = Scripted(capacity=1, held=True)
        async with serving(tmp_path / "e.sock", model, waiting_limit=2):
            peer = await join(tmp_path / "e.sock")
            peer.submit(1, "/work", {"steps": 1})
            await peer.until(lambda: peer.states[-1].waiting + peer.states[-1].running == 1)
            for number in (2, 3, 4, 5):
                peer.submit(number, "/work", {"steps": 1})
            await peer.until(lambda: peer.replies[5].end is not None)
            assert peer.replies[5].head.status == 503
            assert peer.replies[5].head.retry_after > 0
            assert b"queue_full" in peer.replies[5].data
            model.allow(9)
            await peer.until(lambda: peer.replies[1].end and peer.replies[2].end)
            assert peer.replies[2].head.status == 200

    asyncio.run(story())


def test_draining_lets_open_requests_finish_and_refuses_new_ones(tmp_path: Path) -> None:
    async def story() -> None:
        model = Scripted(held=True)
        async with serving(tmp_path / "e.sock", model) as (server, _):
            peer = await join(tmp_path / "e.sock")
            peer.submit(1, "/work", {"steps": 3})
            model.allow()
            await peer.until(lambda: peer.replies[1].data == b".")
            draining = asyncio.create_task(server.drain(30))
            await peer.until(lambda: peer.states[-1].state == "loading")
            assert (await peer.call(2, "/work", {"steps": 1})).head.status == 503
            model.allow(2)
            await peer.until(lambda: peer.closed)
            await draining
            assert peer.replies[1].data == b"..."
            assert peer.replies[1].end.error == ""

    asyncio.run(story())


def test_draining_ends_what_does_not_finish_with_an_error(tmp_path: Path) -> None:
    async def story() -> None:
        model = Scripted(held=True)
        async with serving(tmp_path / "e.sock", model) as (server, _):
            peer = await join(tmp_path / "e.sock")
            peer.submit(1, "/work", {"steps": 3})
            model.allow()
            await peer.until(lambda: peer.replies[1].data == b".")
            await server.drain(0)
            model.allow(3)
            await peer.until(lambda: peer.closed)
            assert peer.replies[1].end.error == "the local engine is stopping"

    asyncio.run(story())
