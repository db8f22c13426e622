"""nginx in its two roles: the upstream that no gateway outruns, and the proxy that all are held against."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness.bench import Bench
from benchmarks.harness.process import Program, free_port, running, wait_for_port
from benchmarks.harness.tls import Certificate

_START_SECONDS = 10.0
_REPLY_BYTES = 600
REQUESTS_A_CONNECTION = 2  # of an upstream that closes: the second answer says so
_MODELS = '{"object":"list","data":[{"id":"gpt-4o","object":"model","created":1700000000,"owned_by":"bench"}]}'
# Both roles: a connection serves as many requests as come, as it does in the gateways.
_COMMON = """
pid nginx.pid; error_log error.log;
events { worker_connections 16384; }
http {
access_log off; server_tokens off; tcp_nodelay on; keepalive_requests 1000000000; keepalive_timeout 600s;
client_max_body_size 0;
client_body_temp_path tmp_body; proxy_temp_path tmp_proxy; fastcgi_temp_path tmp_f; uwsgi_temp_path tmp_u;
scgi_temp_path tmp_s;
"""


@dataclass(frozen=True, slots=True)
class Site:
    program: Program
    url: str
    folder: Path


def reply_body() -> str:
    """A chat completion of exactly 600 bytes."""
    reply = {
        "id": "chatcmpl-AbCdEfGhIjKlMnOpQrStUv",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "gpt-4o-2024-08-06",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 20,
            "completion_tokens": 30,
            "total_tokens": 50,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0},
        },
        "system_fingerprint": "fp_0123456789",
    }
    empty = json.dumps(reply, separators=(",", ":"))
    return empty.replace('"content":""', f'"content":"{"x" * (_REPLY_BYTES - len(empty))}"')


@contextmanager
def upstream(
    bench: Bench,
    cores: tuple[int, ...],
    *,
    tls: Certificate | None = None,
    closes: bool = False,
) -> Iterator[Site]:
    """Answers chat calls with 600 bytes. With `closes` every second answer
    ends its connection, and `sessions.log` gets a line a request: `r` on a resumed TLS session, else `.`."""
    folder = bench.folder("upstream")
    server = f"""
    default_type application/json;
    location = /v1/chat/completions {{ return 200 '{reply_body()}'; }}
    location = /v1/models {{ return 200 '{_MODELS}'; }}
    location = /health {{ return 200 'ok'; }}
    """
    http = ""
    if closes:
        http = "log_format session '$ssl_session_reused';"
        server += f"access_log sessions.log session; keepalive_requests {REQUESTS_A_CONNECTION};"
    workers = max(1, len(cores) // 2)
    with _serving(bench, "nginx upstream", folder, cores, workers, server, tls, http) as site:
        yield site


@contextmanager
def proxy(
    bench: Bench, cores: tuple[int, ...], target: str, *, tls: Certificate | None = None, buffering: bool = True
) -> Iterator[Site]:
    """`proxy_pass` to `target` (an origin) with kept connections, one worker, no other feature. Bodies pass without
    waiting to be whole and without temporary files: nginx at its leanest."""
    folder = bench.folder("nginx")
    scheme, _, authority = target.partition("://")
    check = f"proxy_ssl_verify on; proxy_ssl_trusted_certificate {tls.chain};" if tls else ""
    server = f"""
    location / {{
        proxy_pass {scheme}://upstream; proxy_http_version 1.1; proxy_set_header Connection "";
        proxy_set_header Host {authority}; proxy_ssl_name localhost; proxy_ssl_session_reuse on; {check}
        proxy_buffering {"on" if buffering else "off"}; proxy_request_buffering off; proxy_max_temp_file_size 0;
        proxy_read_timeout 600s;
    }}
    """
    http = f"upstream upstream {{ server {authority}; keepalive 4096; keepalive_requests 1000000000; }}"
    with _serving(bench, "nginx", folder, cores, 1, server, tls, http) as site:
        yield site


@contextmanager
def _serving(
    bench: Bench,
    name: str,
    folder: Path,
    cores: tuple[int, ...],
    workers: int,
    server: str,
    tls: Certificate | None,
    http: str,
) -> Iterator[Site]:
    port = free_port()
    user = "user root;\n" if os.geteuid() == 0 else ""  # else its workers could not enter the scratch folder
    listen = f"listen 127.0.0.1:{port} backlog=8192;"
    if tls is not None:
        listen = (
            f"listen 127.0.0.1:{port} ssl backlog=8192; ssl_certificate {tls.chain}; ssl_certificate_key {tls.key}; "
            "ssl_session_cache shared:tls:8m; ssl_protocols TLSv1.2 TLSv1.3;"
        )
    text = f"{user}worker_processes {workers}; daemon off;{_COMMON}{http}\nserver {{ {listen}{server} }}\n}}\n"
    (folder / "nginx.conf").write_text(text)
    command = ["nginx", "-p", f"{folder}/", "-c", "nginx.conf", "-e", "error.log"]
    with running(name, command, cores, folder) as program:
        wait_for_port(program, port, _START_SECONDS)
        yield Site(program, f"{'https' if tls else 'http'}://127.0.0.1:{port}", folder)
