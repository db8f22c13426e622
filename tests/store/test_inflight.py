from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from gateline.store.inflight import InFlight, open_slots, table_path


def test_open_slots_survive_a_kill(tmp_path: Path) -> None:
    """What a killed process had open is found whole; what it had closed is not."""
    ready, done = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            table = InFlight(tmp_path, "0a-1", slots=64)
            slots = [table.open(b"call %d" % number) for number in range(40)]
            for slot in slots[::2]:
                assert slot is not None
                table.close(slot)
            os.write(done, b"!")
            signal.pause()
        finally:
            os._exit(1)
    assert os.read(ready, 1) == b"!"
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(ready)
    os.close(done)
    assert sorted(open_slots(table_path(tmp_path, "0a-1"))) == sorted(b"call %d" % number for number in range(1, 40, 2))


def test_a_full_table_says_none_and_a_long_payload_is_an_error(tmp_path: Path) -> None:
    """Neither disturbs what is open."""
    table = InFlight(tmp_path, "0a-1", slots=2, slot_bytes=64)
    with pytest.raises(ValueError, match="do not fit"):
        table.open(b"x" * 62)
    first = table.open(b"x" * 61)
    assert table.open(b"") is not None
    assert table.open(b"third") is None
    assert table.open_count == 2
    assert first is not None
    table.close(first)
    assert open_slots(table_path(tmp_path, "0a-1")) == [b""]
    table.detach()


def test_no_table_means_nothing_open(tmp_path: Path) -> None:
    """A worker killed before or while it made its table had no call open."""
    assert open_slots(table_path(tmp_path, "0a-1")) == []
    table_path(tmp_path, "0a-1").write_bytes(bytes(8192))
    assert open_slots(table_path(tmp_path, "0a-1")) == []


def test_the_table_holds_exactly_what_is_open(tmp_path_factory: pytest.TempPathFactory) -> None:
    """After any sequence of opens and closes the file holds exactly the open payloads."""

    class Machine(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            folder = tmp_path_factory.mktemp("table")
            self.table = InFlight(folder, "0a-1", slots=8, slot_bytes=64)
            self.path = table_path(folder, "0a-1")
            self.open: dict[int, bytes] = {}

        @rule(payload=st.binary(max_size=61))
        def open_one(self, payload: bytes) -> None:
            slot = self.table.open(payload)
            assert (slot is None) == (len(self.open) == 8)
            if slot is not None:
                assert slot not in self.open
                self.open[slot] = payload

        @precondition(lambda self: self.open)
        @rule(data=st.data())
        def close_one(self, data: st.DataObject) -> None:
            slot = data.draw(st.sampled_from(sorted(self.open)))
            del self.open[slot]
            self.table.close(slot)

        @invariant()
        def file_says_so(self) -> None:
            assert sorted(open_slots(self.path)) == sorted(self.open.values())
            assert self.table.open_count == len(self.open)

        def teardown(self) -> None:
            self.table.detach()

    run_state_machine_as_test(Machine, settings=settings(max_examples=30, stateful_step_count=30, deadline=None))


@settings(deadline=None, max_examples=20)
@given(st.data())
def test_shapes_need_not_be_powers_of_two(data: st.DataObject) -> None:
    """Any number and size of slots works."""
    import tempfile

    slots, slot_bytes = data.draw(st.integers(1, 50)), data.draw(st.integers(8, 700))
    with tempfile.TemporaryDirectory() as folder:
        table = InFlight(Path(folder), "0a-1", slots, slot_bytes)
        for number in range(slots):
            assert table.open(bytes([number]) * (slot_bytes - 3)) is not None
        assert table.open(b"") is None
        assert len(set(open_slots(table_path(Path(folder), "0a-1")))) == slots
        table.detach()
