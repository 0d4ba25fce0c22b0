"""What this device reads: the platform's probes, and the dongle the site names."""

from __future__ import annotations

from oem_daemon.site import Site
from oem_security.fingerprint.fingerprint import default_probes, probe_device


def observe(site: Site) -> dict[str, str]:
    """Return what every probe of this site's device reads, by component."""
    if not site.dongle.exists():
        return probe_device(default_probes())
    from oem_security.fingerprint.dongle import read_dongle

    return probe_device((*default_probes(), read_dongle(site.dongle)))
