"""The region of a Bedrock provider that names none: where AWS's own tools look for it.

docs.aws.amazon.com/sdkref/latest/guide/feature-region.html; hosts: docs.aws.amazon.com/general/latest/gr/bedrock.html
and docs.aws.amazon.com/vpc/latest/privatelink/create-interface-endpoint.html.
"""

from __future__ import annotations

import configparser
import re
from collections.abc import Mapping
from pathlib import Path

PLACES = "AWS_REGION, AWS_DEFAULT_REGION, a region in its profile, or a base_url whose host names it"
_HOST = re.compile(r"(?:.+\.)?bedrock-runtime(?:-fips)?\.([a-z0-9-]+)\.(?:(?:vpce\.)?amazonaws\.com|api\.aws)")
_REGION = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_LARGEST_FILE = 1_048_576  # bytes


def find_region(host: str, profile: str, environment: Mapping[str, str]) -> str:
    """Empty when none of `PLACES` has one. `host` is the address's, which comes first: a signature for another region
    is refused there."""
    if found := _HOST.fullmatch(host):
        return found[1]
    variables = (environment.get(name, "") for name in ("AWS_REGION", "AWS_DEFAULT_REGION"))
    region = next(filter(None, variables), "") or _of_profile(profile, environment)
    return region if _REGION.fullmatch(region) else ""


def _of_profile(profile: str, environment: Mapping[str, str]) -> str:
    """That of the shared configuration file (docs.aws.amazon.com/sdkref/latest/guide/file-format.html)."""
    name = profile or environment.get("AWS_PROFILE", "") or "default"
    parser = configparser.RawConfigParser(strict=False, default_section="")
    try:
        path = Path(environment.get("AWS_CONFIG_FILE", "") or "~/.aws/config").expanduser()
        with path.open(encoding="utf-8") as file:
            parser.read_string(file.read(_LARGEST_FILE))
    except (OSError, RuntimeError, UnicodeDecodeError, configparser.Error):
        return ""
    sections = (f"profile {name}", name) if name == "default" else (f"profile {name}",)
    return next((parser.get(each, "region") for each in sections if parser.has_option(each, "region")), "")
