"""Offline licences, device fingerprints, signed logs, certificates and a vault."""
