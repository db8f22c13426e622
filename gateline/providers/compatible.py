"""The vendors whose API is OpenAI's."""

from __future__ import annotations

from gateline.providers.hosts import HOSTS
from gateline.providers.makers import MAKERS
from gateline.providers.row import Row
from gateline.providers.selfhosted import SELF_HOSTED

COMPATIBLE: dict[str, Row] = {**MAKERS, **HOSTS, **SELF_HOSTED}
