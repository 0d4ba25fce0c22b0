"""How long the site's keys and the daemon's certificate last, as gauges that alerts can watch."""

from __future__ import annotations

import functools
from pathlib import Path

from cryptography import x509

from oem_daemon.metrics import DaemonMetrics
from oem_security import Keyring
from oem_security.clock import NS_PER_SECOND, Clock
from oem_security.keys.key import DAY_NS, KeyState


def watch_keys(metrics: DaemonMetrics, keyring: Keyring, certificate: Path, clock: Clock) -> None:
    """Let the gauges tell the days that are left, computed when they are read.

    Args:
        metrics: The daemon's metrics.
        keyring: Its active keys are watched, by purpose.
        certificate: The server's certificate, as the daemon loaded it.
        clock: Tells the time.
    """
    for key in keyring.epochs:
        if key.state is KeyState.ACTIVE:
            left = functools.partial(_days_left, key.due_ns, clock)
            metrics.key_days_left.labels(key.purpose.value).set_function(left)
    loaded = x509.load_pem_x509_certificate(certificate.read_bytes())
    ends_ns = int(loaded.not_valid_after_utc.timestamp()) * NS_PER_SECOND
    metrics.certificate_days_left.set_function(functools.partial(_days_left, ends_ns, clock))


def _days_left(end_ns: int, clock: Clock) -> float:
    return (end_ns - clock.now_ns()) / DAY_NS
