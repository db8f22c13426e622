"""Cuts credentials out of text that others wrote. Knows what keys look like, nothing else."""

from __future__ import annotations

import re

CUT = "[redacted]"

# Every repetition ahead of a fixed part is bounded, so that hostile text costs no more than its length.
# Prefixes vendors publish so that scanners find leaked keys; then the headers and parameters that carry credentials;
# then anything masked by stars, since a masked key still shows both of its ends.
_CREDENTIAL = re.compile(
    r"""
      \b(?:sk|pk|rk|gsk|xai|hf|r8|nvapi|pplx|fw|csk|tgp|ghp|gho|glpat|xox[a-z])[-_][-_.*A-Za-z0-9]{8,}
    | \bAIza[-_A-Za-z0-9]{16,}
    | \b(?:AKIA|ASIA)[A-Z0-9]{12,}
    | (?<![-\w])eyJ[-_A-Za-z0-9]{8,}\.[-_.A-Za-z0-9]+
    | \b(?i:bearer|basic)\s+(?:(?=\S*[0-9])[^\s"',;]{6,}|[^\s"',;]{20,})
    | (?<=://)[^/\s@]+@
    | [^\s*]{0,64}\*{3,}\S*
    """,
    re.VERBOSE,
)
_ASSIGNED = re.compile(
    r"""
      \b((?:x-)?(?:goog-)?api[-_ ]?key | access[-_ ]?token | token | secret | password)
      (\s{0,4} ["']? \s{0,4} [:=] \s{0,4} ["']?)
      [^\s"',;]{6,}
    """,
    re.VERBOSE | re.IGNORECASE,
)


def redact(text: str, secret: str = "") -> str:
    """`text` without `secret` and without anything that looks like a credential; as long as it was, or shorter than
    its credentials were long."""
    if secret:
        text = text.replace(secret, CUT)
    text = _CREDENTIAL.sub(CUT, text)
    return _ASSIGNED.sub(rf"\1\2{CUT}", text)
