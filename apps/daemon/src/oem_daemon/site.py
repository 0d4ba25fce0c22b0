"""The site: one directory that holds everything of one installation.

Only names live here; reading and writing is done by whoever owns the noun.
"""

from __future__ import annotations

from pathlib import Path

from oem_security.values import dataclass

SEAL_SUFFIX = ".dsse.json"
"""Appended to a document's name, it names the envelope that seals it."""


def seal_of(document: Path) -> Path:
    """Return the path of the sidecar envelope that seals `document`."""
    return document.with_name(document.name + SEAL_SUFFIX)


@dataclass(frozen=True, slots=True)
class Site:
    """The paths of one site, all relative to its root."""

    root: Path

    @property
    def config(self) -> Path:
        return self.root / "config" / "core.yaml"

    @property
    def expected_fingerprint(self) -> Path:
        return self.root / "config" / "fingerprint.expected.json"

    @property
    def dongle(self) -> Path:
        return self.root / "config" / "dongle.json"

    @property
    def licensed_with(self) -> tuple[Path, ...]:
        """What a backup of the licence holds besides keys and licences."""
        return (self.expected_fingerprint, self.dongle)

    @property
    def keys(self) -> Path:
        return self.root / "secrets" / "keys"

    @property
    def mtls(self) -> Path:
        return self.root / "secrets" / "mtls"

    @property
    def tokens(self) -> Path:
        return self.root / "secrets" / "tokens"

    @property
    def vault(self) -> Path:
        return self.root / "secrets" / "api_keys.vault"

    @property
    def licenses(self) -> Path:
        return self.root / "var" / "licenses"

    @property
    def license_registry(self) -> Path:
        return self.licenses / "registry.jsonl"

    @property
    def security_state(self) -> Path:
        return self.root / "var" / "security"

    @property
    def manifest_versions(self) -> Path:
        return self.security_state / "manifest_versions.dsse.json"

    @property
    def whitelist(self) -> Path:
        return self.security_state / "bundle_whitelist.dsse.json"

    @property
    def tls_rotation(self) -> Path:
        return self.security_state / "tls_rotation.json"

    @property
    def key_rotation(self) -> Path:
        return self.security_state / "key_rotation.jsonl"

    @property
    def orders(self) -> Path:
        return self.root / "var" / "exec" / "orders.sqlite"

    @property
    def cost_ledger(self) -> Path:
        return self.root / "var" / "tco"

    @property
    def estimate_coverage(self) -> Path:
        return self.cost_ledger / "coverage.json"

    @property
    def market_data(self) -> Path:
        return self.root / "var" / "data"

    @property
    def runtime(self) -> Path:
        return self.root / "var" / "runtime"

    @property
    def decision_logs(self) -> Path:
        return self.root / "audit" / "decision_logs"

    @property
    def rbac_audit(self) -> Path:
        return self.root / "audit" / "rbac.jsonl"

    @property
    def risk_switch(self) -> Path:
        return self.root / "audit" / "risk_switch.jsonl"

    @property
    def revoked_tokens(self) -> Path:
        return self.root / "audit" / "token_revocations.jsonl"

    @property
    def reports(self) -> Path:
        return self.root / "reports"

    @property
    def paper_labs(self) -> Path:
        return self.reports / "paper_labs"

    @property
    def stress_reports(self) -> Path:
        return self.reports / "stress"

    @property
    def tco_reports(self) -> Path:
        return self.reports / "tco"

    @property
    def slo_reports(self) -> Path:
        return self.reports / "slo"

    @property
    def router_metrics(self) -> Path:
        return self.root / "metrics" / "live_router.prom"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    def decision_log(self, stage: str) -> Path:
        """Return the decision log of a stage: `demo`, `paper` or `live_execution`."""
        return self.decision_logs / f"{stage}.jsonl"
