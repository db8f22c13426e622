from __future__ import annotations

import stat
import threading
import time
from pathlib import Path

import pytest
from msgspec import Raw

from gateline.store.responses import LARGEST, LONGEST_CHAIN, Record, ResponseStore

NOW = 1_800_000_000


def record(identifier: str, tenant: str = "acme", *, previous: str = "", created: int = NOW, size: int = 2) -> Record:
    response = Raw(b'"' + b"x" * (size - 2) + b'"')
    return Record(tenant, identifier, created, "openai", previous, [Raw(b'{"role":"user","content":"hi"}')], response)


class Clock:
    """A second later at every question."""

    def __init__(self) -> None:
        self.now = NOW - 1.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


def store_in(folder: Path, clock: Clock | None = None, **bounds: int) -> ResponseStore:
    return ResponseStore(folder / "responses", now=clock or Clock(), **bounds)


def files_in(folder: Path) -> list[Path]:
    return [path for path in (folder / "responses").rglob("*") if path.is_file()]


def test_a_record_is_found_by_every_worker_as_it_was_kept(tmp_path: Path) -> None:
    """Another store over the same folder, as another process has it, gives it back whole."""
    kept = record("resp_1", previous="resp_0", size=5000)
    assert store_in(tmp_path).put(kept)
    found = store_in(tmp_path).get("acme", "resp_1")
    assert found == kept


def test_another_tenant_finds_nothing(tmp_path: Path) -> None:
    """Nor does it overwrite or delete what another has under the same id."""
    store = store_in(tmp_path)
    store.put(record("resp_1"))
    assert store.get("other", "resp_1") is None
    assert not store.delete("other", "resp_1")
    store.put(record("resp_1", "other", size=9))
    assert store.get("acme", "resp_1") == record("resp_1")
    # Names and ids that run together are still apart.
    store.put(record("1x", "acm"))
    assert store.get("acm1", "x") is None


@pytest.mark.parametrize("identifier", ["", "../x", "a/b", "a\0b", "é", "x" * 257, "a b", ".." + "/" * 3])
def test_what_is_no_id_is_neither_kept_nor_found(tmp_path: Path, identifier: str) -> None:
    """No id is a way out of the folder."""
    store = store_in(tmp_path)
    assert not store.put(record(identifier))
    assert store.get("acme", identifier) is None
    assert not store.delete("acme", identifier)
    assert not (tmp_path / "responses").exists()


def test_ids_of_other_vendors_are_ids(tmp_path: Path) -> None:
    """xAI's are UUIDs."""
    store = store_in(tmp_path)
    assert store.put(record("273ef86a-f81f-911c-bf26-c68bbe47f920"))
    assert store.get("acme", "273ef86a-f81f-911c-bf26-c68bbe47f920") is not None


def test_what_is_deleted_is_gone(tmp_path: Path) -> None:
    """A second time there is nothing to delete."""
    store = store_in(tmp_path)
    store.put(record("resp_1"))
    assert store.delete("acme", "resp_1")
    assert store.get("acme", "resp_1") is None
    assert not store.delete("acme", "resp_1")
    assert files_in(tmp_path) == []


def test_only_the_owner_can_read_the_files(tmp_path: Path) -> None:
    """They hold what people said."""
    store_in(tmp_path).put(record("resp_1"))
    [file] = files_in(tmp_path)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == stat.S_IMODE(file.parent.parent.stat().st_mode) == 0o700


def test_a_record_lives_thirty_days(tmp_path: Path) -> None:
    """It is not found a second later, and its file goes with the next look through its folder."""
    clock = Clock()
    store = store_in(tmp_path, clock, most=50)
    store.put(record("resp_1", created=NOW))
    clock.now = NOW + 30 * 24 * 3600 - 1
    assert store.get("acme", "resp_1") is not None
    assert store.get("acme", "resp_1") is None
    later = store_in(tmp_path, clock, most=50)
    assert later.put(record("resp_2", created=int(clock.now)))
    assert len(files_in(tmp_path)) == 1


def test_the_oldest_go_when_there_are_too_many(tmp_path: Path) -> None:
    """Each new one beyond the bound throws out the oldest."""
    store = store_in(tmp_path, most=5)
    for number in range(9):
        store.put(record(f"resp_{number}"))
        assert len(files_in(tmp_path)) <= 5
    assert [number for number in range(9) if store.get("acme", f"resp_{number}")] == [4, 5, 6, 7, 8]


def test_the_oldest_go_when_they_are_too_large(tmp_path: Path) -> None:
    """The bound is on what the files hold together."""
    store = store_in(tmp_path, most=50, most_bytes=10_000)
    for number in range(20):
        store.put(record(f"resp_{number}", size=1000))
    assert sum(file.stat().st_size for file in files_in(tmp_path)) <= 10_000
    assert len(files_in(tmp_path)) >= 8


def test_a_record_that_is_too_large_is_not_kept(tmp_path: Path) -> None:
    """One call cannot fill the store."""
    assert not store_in(tmp_path).put(record("resp_1", size=LARGEST))
    assert not store_in(tmp_path, most=50, most_bytes=1_000).put(record("resp_1", size=1_000))
    assert not (tmp_path / "responses").exists()


def test_a_chain_is_read_from_its_beginning(tmp_path: Path) -> None:
    """Each names the one before; one that is missing breaks it."""
    store = store_in(tmp_path)
    for number in range(4):
        store.put(record(f"resp_{number}", previous=f"resp_{number - 1}" if number else ""))
    found = store.chain("acme", "resp_3")
    assert found is not None
    assert [link.id for link in found] == ["resp_0", "resp_1", "resp_2", "resp_3"]
    assert store.chain("other", "resp_3") is None
    store.delete("acme", "resp_1")
    assert store.chain("acme", "resp_3") is None


def test_a_chain_that_goes_round_or_on_for_ever_is_none(tmp_path: Path) -> None:
    """Nothing a client stores keeps a thread busy."""
    store = store_in(tmp_path)
    store.put(record("resp_1", previous="resp_1"))
    assert store.chain("acme", "resp_1") is None
    for number in range(LONGEST_CHAIN + 1):
        store.put(record(f"long_{number}", previous=f"long_{number - 1}" if number else ""))
    assert store.chain("acme", f"long_{LONGEST_CHAIN}") is None
    assert store.chain("acme", f"long_{LONGEST_CHAIN - 1}") is not None


def test_a_disk_that_takes_nothing_is_told(tmp_path: Path) -> None:
    """The answer goes out all the same; whoever keeps it learns that it was not kept."""
    (tmp_path / "responses").write_bytes(b"a file where the folder should be")
    store = store_in(tmp_path)
    assert not store.put(record("resp_1"))
    assert store.get("acme", "resp_1") is None


def test_a_damaged_file_is_no_record(tmp_path: Path) -> None:
    """Half a file, or one of something else, is not found."""
    store = store_in(tmp_path)
    store.put(record("resp_1"))
    [file] = files_in(tmp_path)
    for damage in (b"", file.read_bytes()[:20], b"[]", b"{}"):
        file.write_bytes(damage)
        assert store.get("acme", "resp_1") is None


def test_threads_may_share_a_store(tmp_path: Path) -> None:
    """Every record of two that write at once, with a look through the folder after each few, is whole or gone."""
    store = ResponseStore(tmp_path / "responses", most=40)
    created = int(time.time())

    def write(name: str) -> None:
        for number in range(60):
            assert store.put(record(f"{name}_{number}", created=created, size=3000))

    threads = [threading.Thread(target=write, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(3):
        store.put(record(f"last_{number}", created=created))
    found = [store.get("acme", f"{name}_{number}") for name in ("a", "b") for number in range(60)]
    found += [store.get("acme", f"last_{number}") for number in range(3)]
    left = len([link for link in found if link is not None])
    assert left == len(files_in(tmp_path))
    assert 38 <= left <= 42


def test_many_records_lie_in_many_folders(tmp_path: Path) -> None:
    """So that looking through one is soon done; together they keep to the bound."""
    store = store_in(tmp_path, most=640)
    for number in range(1_000):
        assert store.put(record(f"resp_{number}"))
    assert len(list((tmp_path / "responses").iterdir())) == 10
    assert 560 <= len(files_in(tmp_path)) <= 680
    assert store.get("acme", "resp_999") is not None
