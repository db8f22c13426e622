"""From a credential to the source of its tokens. Slow to import: each source brings what it needs."""

from __future__ import annotations

from gateline.control.tokens.source import Source
from gateline.model.credential import Aws, Credential, Entra, Google


def source_of(credential: Credential) -> Source:
    """Blocks while it imports."""
    if isinstance(credential, Aws):
        from gateline.control.tokens.aws import AwsChain

        return AwsChain(credential)
    if isinstance(credential, Google):
        from gateline.control.tokens.google import GoogleAccount

        return GoogleAccount(credential)
    if isinstance(credential, Entra):
        from gateline.control.tokens.entra import EntraId

        return EntraId(credential)
    from gateline.control.tokens.ibm import IbmIam

    return IbmIam(credential)
