"""One module a noun; each is imported only when its noun is on the command line."""

from __future__ import annotations

from importlib.util import find_spec

_HELP = {
    "init": "make a site directory",
    "demo": "run the whole product once, from market data to verified reports",
    "verify": "check every signed thing of a site",
    "config": "write, validate, hash and sign config/core.yaml",
    "keys": "signing keys: status, rotation plan, rotation",
    "journal": "signed logs: append, verify, prove, recover",
    "fingerprint": "identify this device",
    "license": "offline licences: request, approve, issue, install, verify, renew, revoke",
    "manifest": "sealed lists of files and their hashes",
    "mtls": "private certificate authority and certificates",
    "token": "operator tokens: issue, inspect, revoke",
    "vault": "encrypted secrets",
    "data": "market data: check, import, fetch, generate",
    "risk": "Paper Labs, back-tests, reproduction of reports",
    "exec": "orders: status, reconcile, certify a venue, kill switch",
    "venue": "serve an imitation exchange on loopback",
    "decision": "replay the decision log",
    "tco": "cost analysis, fee schedules, SLO",
    "report": "validate sealed reports",
    "daemon": "run the trading daemon, or ask a running one",
}
NOUNS: dict[str, str] = {
    "init": "make a site directory",
    "demo": "run the whole product once, from market data to verified reports",
    "verify": "check every signed thing of a site",
    "config": "write, validate, hash and sign config/core.yaml",
    "risk": "Paper Labs",
    "exec": "orders: status, reconcile, certify a venue, kill switch",
    "venue": "serve an imitation exchange on loopback",
    "decision": "replay the decision log",
    "report": "validate sealed reports",
    "daemon": "run the trading daemon, or ask a running one",
}
"""Noun to its one-line help, for the nouns this installation has; noun `x` is `oem_cli.nouns.x`."""
