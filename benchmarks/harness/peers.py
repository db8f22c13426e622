"""Other gateways: installed into the scratch folder, which takes them along when it goes, and raced."""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from benchmarks.harness.bench import Bench, FigureFailed, cores
from benchmarks.harness.gateway import Gateway, configuration, gateline
from benchmarks.harness.nginx import upstream
from benchmarks.harness.process import Program, free_port, run_to_end, running, wait_for_port
from benchmarks.harness.rounds import Race, Sample, counted, race, sample_gateline, sample_program
from benchmarks.harness.wrk import chat_body, shoot, write_script

_INSTALL_SECONDS = 600.0
_START_SECONDS = 90.0
_WARM_UP = 1.0
_FAILING = 0.01  # of its requests: above, what it does for the others is no figure


@dataclass(frozen=True, slots=True)
class Ways:
    """How one peer is run: its command and environment, and the headers of a client."""

    command: list[str]
    env: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Peer:
    """`install` puts it into a folder and returns its version. `ways` gets that folder, a port and the upstream."""

    name: str
    language: str
    install: Callable[[Path], str]
    ways: Callable[[Path, int, str], Ways]


@dataclass(slots=True)
class Outcome:
    """By the peer's name: its rounds against Gateline, why it took no part, its version."""

    races: dict[str, Race]
    refused: dict[str, str]
    versions: dict[str, str]


def _pip(package: str, folder: Path) -> str:
    run_to_end([sys.executable, "-m", "venv", str(folder)], "venv", _INSTALL_SECONDS)
    pip = str(folder / "bin" / "pip")
    run_to_end([pip, "install", "-q", package], f"pip install {package}", _INSTALL_SECONDS)
    name = package.partition("[")[0]
    shown = run_to_end([pip, "show", name], f"pip show {name}", _INSTALL_SECONDS)
    return next((line.partition(" ")[2] for line in shown.splitlines() if line.startswith("Version:")), "?")


def _npm(package: str, folder: Path) -> str:
    folder.mkdir()
    command = ["npm", "install", "--no-audit", "--no-fund", "--silent", package]
    run_to_end(command, f"npm install {package}", _INSTALL_SECONDS, cwd=folder)
    described = json.loads((folder / "node_modules" / package / "package.json").read_text())
    return str(described["version"])


def _smg(folder: Path, port: int, target: str) -> Ways:
    command = [str(folder / "bin" / "smg"), "launch", "--worker-urls", target, "--policy", "round_robin"]
    command += ["--backend", "openai", "--host", "127.0.0.1", "--port", str(port), "--log-level", "error"]
    return Ways([*command, "--prometheus-host", "127.0.0.1", "--prometheus-port", str(free_port())])


def _ferrogw(folder: Path, port: int, target: str) -> Ways:
    config = folder / "config.yaml"
    config.write_text("strategy: {mode: single}\ntargets: [{virtual_key: openai}]\n")
    key = f"fgw_{secrets.token_hex(16)}"
    env = {"GATEWAY_CONFIG": str(config), "OPENAI_API_KEY": "bench", "OPENAI_BASE_URL": target, "PORT": str(port)}
    # As with Gateline's keys: a limit that is computed and refuses nothing.
    env |= {"MASTER_KEY": key, "LOG_LEVEL": "error", "RATE_LIMIT_RPS": "1000000", "RATE_LIMIT_BURST": "1000000"}
    return Ways([str(folder / "bin" / "ferrogw"), "serve"], env, {"Authorization": f"Bearer {key}"})


def _portkey(folder: Path, port: int, target: str) -> Ways:
    start = folder / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"
    headers = {"x-portkey-provider": "openai", "x-portkey-custom-host": f"{target}/v1", "Authorization": "Bearer bench"}
    return Ways(["node", str(start), "--headless", f"--port={port}"], {"NODE_ENV": "production"}, headers)


def _litellm(folder: Path, port: int, target: str) -> Ways:
    key = f"sk-{secrets.token_hex(20)}"
    model = {
        "model_name": "gpt-4o",
        "litellm_params": {"model": "openai/gpt-4o", "api_base": f"{target}/v1", "api_key": "bench"},
    }
    config = folder / "litellm.yaml"
    config.write_text(json.dumps({"model_list": [model], "general_settings": {"master_key": key}}))
    command = [str(folder / "bin" / "litellm"), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    # Its price list comes with the package: what it would fetch at start does not belong into a benchmark.
    env = {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    return Ways([*command, "--num_workers", "1"], env, {"Authorization": f"Bearer {key}"})


SMG = Peer("smg", "Rust", partial(_pip, "smg"), _smg)
FERROGW = Peer("ferrogw", "Go", partial(_pip, "ferrogw"), _ferrogw)
PORTKEY = Peer("@portkey-ai/gateway", "Node", partial(_npm, "@portkey-ai/gateway"), _portkey)
LITELLM = Peer("litellm[proxy]", "Python", partial(_pip, "litellm[proxy]"), _litellm)


def race_against(bench: Bench, peers: Sequence[Peer]) -> Outcome:
    """Gateline and those of `peers` that install, start and answer, in the throughput figure's setting. Each of them
    has its rounds against Gateline to itself: one that works in the background does not disturb the next."""
    outcome = Outcome({}, {}, {})
    with ExitStack() as stack:
        where = cores()
        up = stack.enter_context(upstream(bench, where.load))
        gateway = stack.enter_context(gateline(bench, where.tested, configuration(up.url)))
        for peer in peers:
            try:
                _race_one(bench, peer, gateway, up.url, outcome)
            except FigureFailed as error:
                outcome.refused[peer.name] = " ".join(str(error).split())
    return outcome


def _race_one(bench: Bench, peer: Peer, gateway: Gateway, target: str, outcome: Outcome) -> None:
    where = cores()
    folder = bench.folder("peer") / "installed"
    outcome.versions[peer.name] = peer.install(folder)
    own_folder = bench.folder("script")
    own_script = write_script(own_folder, {"Authorization": f"Bearer {gateway.token}"}, chat_body())
    with _serving(bench, peer, folder, where.tested, target) as (program, url, script):

        def theirs() -> Sample:
            shot = partial(shoot, url, script, bench.seconds, where.load)
            return sample_program(program.pid, lambda: counted(shot()))

        def ours() -> Sample:
            shot = partial(shoot, gateway.url, own_script, bench.seconds, where.load)
            return sample_gateline(gateway, lambda: counted(shot()))

        for warm_up in (partial(shoot, url, script), partial(shoot, gateway.url, own_script)):
            warm_up(_WARM_UP, where.load)
        run = race({peer.name: theirs, "Gateline": ours}, bench.rounds)
    failed, done = run.failed(peer.name), sum(sample.work for sample in run.samples[peer.name])
    if failed > _FAILING * (done + failed):
        raise FigureFailed(f"{failed:,} of {done + failed:,.0f} requests failed under load")
    outcome.races[peer.name] = run


@contextmanager
def _serving(
    bench: Bench, peer: Peer, folder: Path, tested: tuple[int, ...], target: str
) -> Iterator[tuple[Program, str, Path]]:
    """Program, origin and wrk script of a peer that has answered one request."""
    port = free_port()
    ways = peer.ways(folder, port, target)
    home = bench.folder("peer-home")
    with running(peer.name, ways.command, tested, home, ways.env) as program:
        wait_for_port(program, port, _START_SECONDS)
        url = f"http://127.0.0.1:{port}"
        script = write_script(home, ways.headers, chat_body())
        _answers(program, url, script)
        yield program, url, script


def _answers(program: Program, url: str, script: Path) -> None:
    """Raises FigureFailed when no request succeeds: some gateways listen before they are ready."""
    for _ in range(10):
        shot = shoot(url, script, 1.0, cores().load, connections=1)
        if shot.requests > shot.failed:
            return
    raise FigureFailed(f"{program.name} started but answers no request with success: {program.said()}")
