"""One module a noun; each is imported only when its noun is on the command line."""

from __future__ import annotations

NOUNS: dict[str, str] = {
    "init": "make a site directory",
    "demo": "run the whole product once, from market data to verified reports",
    "verify": "check every signed thing of a site",
    "config": "write, validate, hash and sign config/core.yaml",
    "journal": "signed logs: write, verify, prove, mend, keep a witness",
    "keys": "the site's keys: how they stand, plan and carry out their rotation",
    "license": "offline licences: request, issue, install, verify, renew, revoke, backup",
    "fingerprint": "what identifies this device, and how well it fits",
    "anchors": "the vendor's keys that sites trust, rolled over by a signed chain",
    "mtls": "private certificate authority and certificates",
    "manifest": "sealed lists of files: make one, hold a folder against it",
    "vault": "secrets at rest: Argon2id and AES-256-GCM",
    "token": "issue and inspect operator tokens",
    "data": "market data: import, fetch, generate, check, describe",
    "risk": "Paper Labs",
    "exec": "orders, kill switch, certification of a venue",
    "venue": "serve an imitation exchange on loopback",
    "decision": "replay the decision log",
    "tco": "cost analysis",
    "slo": "service levels: how they stand, and the alert rules",
    "report": "validate sealed reports",
    "daemon": "run the trading daemon, or ask a running one",
}
"""Noun to its one-line help; the module of noun `x` is `oem_cli.nouns.x`."""
