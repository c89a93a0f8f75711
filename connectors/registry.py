"""Which platforms this installation offers, and where each of them is."""

from django.conf import settings

from connectors.interface import Connector
from connectors.oauth import Endpoints
from connectors.sage_accounting import SageAccounting
from connectors.sage_intacct import SageIntacct

PLATFORMS: dict[str, type[SageAccounting] | type[SageIntacct]] = {
    SageAccounting.platform: SageAccounting,
    SageIntacct.platform: SageIntacct,
}


def endpoints(platform: str) -> Endpoints:
    """The addresses and credentials that the settings hold under the platform's name."""
    return Endpoints(**getattr(settings, platform.upper()))


__all__ = ["PLATFORMS", "Connector", "endpoints"]
