"""`gateline bench`: load on any endpoint in OpenAI's or Anthropic's format, and what it did to the answers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from gateline.bench.plan import Plan, Send

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}


def bench(
    url: Annotated[str, typer.Argument(help="Base URL, as an OpenAI client takes it: http://127.0.0.1:8080/v1")],
    *,
    key: Annotated[str, typer.Option(help="The API key.", envvar="OPENAI_API_KEY")] = "none",
    model: Annotated[str, typer.Option(help="The model asked for.")] = "gpt-4o",
    connections: Annotated[int, typer.Option(min=1, help="Connections kept open, all processes together.")] = 64,
    rate: Annotated[
        float | None,
        typer.Option(help="Requests a second at decided times; without it the next request waits for an answer."),
    ] = None,
    duration: Annotated[str | None, typer.Option(help="10s, 500ms, 2m; 10s unless --requests or --trace.")] = None,
    requests: Annotated[int | None, typer.Option(min=1, help="Stop after this many.")] = None,
    stream: Annotated[bool, typer.Option("--stream", help="Streamed chat answers.")] = False,
    messages: Annotated[bool, typer.Option("--messages", help="Chat in Anthropic's format.")] = False,
    embeddings: Annotated[bool, typer.Option("--embeddings", help="Embeddings instead of chat.")] = False,
    prompt_tokens: Annotated[int, typer.Option(min=1, help="Length of the prompt.")] = 32,
    max_tokens: Annotated[int, typer.Option(min=1, help="Length asked for.")] = 16,
    trace: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Replay: Azure's CSV or Mooncake's JSON lines.")
    ] = None,
    against: Annotated[
        str | None, typer.Option(help="Second URL: alternate with it and print what the first adds.")
    ] = None,
    processes: Annotated[int, typer.Option(min=1, help="Processes that generate load.")] = 1,
    timeout: Annotated[str, typer.Option(help="Give a request up after this long.")] = "60s",
    ca: Annotated[Path | None, typer.Option(exists=True, help="PEM file with the server's CA.")] = None,
    insecure: Annotated[bool, typer.Option("--insecure", help="Do not verify the server's certificate.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout, nothing else.")] = False,
) -> None:
    """Loads an endpoint in OpenAI's or Anthropic's format and prints rates and errors. Exit 1 when a request failed."""
    from gateline.bench.plan import Plan, split_url
    from gateline.bench.trace import BadTrace, load_trace

    if stream and embeddings:
        raise typer.BadParameter("--stream and --embeddings exclude each other")
    if messages and embeddings:
        raise typer.BadParameter("--messages and --embeddings exclude each other")
    if rate is not None and rate <= 0:
        raise typer.BadParameter("--rate must be above 0")
    if rate is not None and trace is not None:
        raise typer.BadParameter("--rate and --trace exclude each other: a trace has its own times")
    if against is not None and (rate is not None or trace is not None or processes > 1):
        raise typer.BadParameter("--against goes by itself: one connection to each side, in turns")
    if processes > connections:
        raise typer.BadParameter("--processes needs at least as many --connections")
    sends: list[Send] | None = None
    try:
        for each in (url, against):
            if each is not None:
                split_url(each)
        if trace is not None:
            sends = load_trace(trace)
    except (ValueError, BadTrace, OSError) as error:
        raise typer.BadParameter(str(error)) from error
    seconds = None if duration is None else _seconds(duration)
    if seconds is None and requests is None and sends is None:
        seconds = 10.0
    plan = Plan(
        url=url,
        key=key,
        model=model,
        kind="embeddings" if embeddings else "stream" if stream else "chat",
        format="anthropic" if messages else "openai",
        connections=1 if against is not None else connections,
        prompt_tokens=prompt_tokens,
        max_tokens=max_tokens,
        duration=seconds,
        requests=requests,
        rate=rate,
        trace=sends,
        against=against,
        timeout=_seconds(timeout),
        verify=not insecure,
        ca=None if ca is None else str(ca),
    )
    _run(plan, processes, as_json=as_json)


def _run(plan: Plan, processes: int, *, as_json: bool) -> None:
    import asyncio

    import msgspec

    from gateline.bench.display import Display
    from gateline.bench.report import make_report, tables
    from gateline.bench.run import RunFailed, run_bench
    from gateline.cli.screen import screen

    try:
        with Display(plan, is_quiet=as_json) as display:
            tally, seconds = asyncio.run(run_bench(plan, processes, display))
    except RunFailed as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    if as_json:
        typer.echo(msgspec.json.encode(make_report(plan, tally, seconds)).decode())
    else:
        screen().print(tables(plan, tally, seconds))
    if tally.failed or not tally.done:
        raise typer.Exit(1)


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h|)", text.strip())
    if match is None or float(match[1]) == 0:
        raise typer.BadParameter(f"'{text}' is no duration: 10s, 500ms or 2m")
    return float(match[1]) * _UNITS[match[2]]
