"""`gateline fake`: a provider that answers, paces and fails as told."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def fake(
    *,
    port: Annotated[int, typer.Option(help="Port to listen on; 0 picks a free one.")] = 9000,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    script: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="YAML or JSON: pace, models, rules with faults.")
    ] = None,
    fast: Annotated[bool, typer.Option("--fast", help="Canned answers, totals only: outruns what it tests.")] = False,
    workers: Annotated[int, typer.Option(min=1, help="Processes on the port (with --fast).")] = 1,
    latency: Annotated[float | None, typer.Option(min=0, help="Seconds to the first byte.")] = None,
    tps: Annotated[float | None, typer.Option(help="Tokens a second in a stream.")] = None,
    tokens: Annotated[int | None, typer.Option(min=0, help="Length of an answer in tokens.")] = None,
    chunk_tokens: Annotated[int | None, typer.Option(min=1, help="Tokens in one event of a stream.")] = None,
    jitter: Annotated[float | None, typer.Option(min=0, max=1, help="Random part of each pause.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of jitter and of rules with a probability.")] = None,
    api_key: Annotated[str | None, typer.Option(help="Require this key.", envvar="GATELINE_FAKE_KEY")] = None,
    reply_bytes: Annotated[int | None, typer.Option(min=0, help="Size of a whole answer's body (with --fast).")] = None,
    certificate: Annotated[Path | None, typer.Option(exists=True, help="PEM chain: serve HTTPS.")] = None,
    key: Annotated[Path | None, typer.Option(exists=True, help="PEM key of the certificate.")] = None,
) -> None:
    """A scripted OpenAI-compatible provider: deterministic answers, real streams, faults on demand, an invoice."""
    import ssl

    import msgspec

    from gateline.fake.run import run_fake, run_fast
    from gateline.fake.script import BadScript, Script, check_script, load_script
    from gateline.fake.server import server_tls

    if not fast and (workers > 1 or reply_bytes is not None):
        raise typer.BadParameter("--workers and --reply-bytes go with --fast: a script has one order of events")
    if (certificate is None) != (key is None):
        raise typer.BadParameter("--certificate and --key go together")
    options = {"latency": latency, "tps": tps, "tokens": tokens, "chunk_tokens": chunk_tokens, "jitter": jitter}
    given = {name: value for name, value in {**options, "seed": seed, "api_key": api_key}.items() if value is not None}
    try:
        play = msgspec.structs.replace(load_script(script) if script else Script(), **given)
        check_script(play, is_fast=fast)
        tls = server_tls(str(certificate), str(key)) if certificate else None
        if fast:
            run_fast(play, host=host, port=port, workers=workers, reply_bytes=reply_bytes, tls=tls, ready=_announce)
        else:
            run_fake(play, host=host, port=port, tls=tls, ready=_announce)
    except BadScript as error:
        typer.echo(f"{script or 'options'}: {error}", err=True)
        raise typer.Exit(1) from error
    except (OSError, ssl.SSLError) as error:
        typer.echo(f"cannot serve on {host}:{port}: {error}", err=True)
        raise typer.Exit(1) from error


def _announce(url: str) -> None:
    typer.echo(f"fake provider on {url}")
