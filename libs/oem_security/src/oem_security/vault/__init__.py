"""Secrets at rest: Argon2id and AES-256-GCM, one file, nothing readable but names."""
