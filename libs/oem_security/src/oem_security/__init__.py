"""Offline licences, device fingerprints, signed logs, certificates and a vault."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oem_security.lazy import lazy_exports

if TYPE_CHECKING:
    from oem_security.anchor_chain import (
        AnchorSet,
        add_signature,
        first_anchors,
        follow,
        next_anchors,
        open_first,
    )
    from oem_security.anchor_install import install_anchors, trusted_anchors
    from oem_security.audit import AuditReport, Finding, audit_site
    from oem_security.clock import Clock, SystemClock
    from oem_security.envelope import open_envelope, open_payload, seal_payload
    from oem_security.errors import (
        Category,
        CertificateError,
        FingerprintError,
        InputError,
        JournalError,
        JournalLockedError,
        JournalStorageError,
        KeyringError,
        LicenseError,
        MalformedError,
        ManifestError,
        OemError,
        OemSecurityError,
        SealError,
        StateError,
        StorageError,
        TokenError,
        VaultError,
    )
    from oem_security.fingerprint import (
        Fingerprint,
        FingerprintVerdict,
        Match,
        compare,
        load_fingerprint,
        probe_device,
        save_fingerprint,
    )
    from oem_security.journal.handover import (
        EntryServer,
        JournalClient,
        checkpoint_journal,
        hand_over,
    )
    from oem_security.journal.proof import InclusionProof, check_inclusion, prove
    from oem_security.journal.reader import JournalReport, read_journal, verify_journal
    from oem_security.journal.record import Record
    from oem_security.journal.recover import Recovery, begin_anew, recover
    from oem_security.journal.witness import (
        Witness,
        check_succession,
        check_witness,
        export_witness,
        witness_png,
    )
    from oem_security.journal.writer import Journal, Receipt
    from oem_security.keyring import Keyring, KeyringKind
    from oem_security.keys import Purpose, RotationRule
    from oem_security.license import (
        CapabilityGuard,
        License,
        LicenseTerms,
        create_request,
        install_license,
        issue_license,
        verify_license,
    )
    from oem_security.manifest.manifest import (
        Manifest,
        make_manifest,
        read_manifest,
        verify_tree,
    )
    from oem_security.manifest.versions import ManifestVersions
    from oem_security.mtls import CertificateAuthority
    from oem_security.mtls_peer import (
        PeerCheck,
        PeerIdentity,
        client_context,
        grpc_server_credentials,
        require_tls13_for_grpc,
        server_context,
    )
    from oem_security.one_time import accept_totp, hotp, totp
    from oem_security.policy import PayloadType
    from oem_security.revocations import RevokedTokens, revoke_token
    from oem_security.rotation import (
        KeyStatus,
        Rotation,
        RotationPlan,
        Standing,
        key_status,
        plan_rotation,
        revoke_key,
        rotate_keys,
        set_rule,
    )
    from oem_security.seal import SealedFile, seal_file, seal_path, verify_file
    from oem_security.tokens import Principal, TokenVerifier, inspect_token, issue_token
    from oem_security.vault.kdf import KdfParameters
    from oem_security.vault.legacy import read_fernet, read_plain
    from oem_security.vault.vault import Vault

_EXPORTS = {
    name: module
    for module, names in {
        ".anchor_chain": "AnchorSet add_signature first_anchors follow next_anchors open_first",
        ".anchor_install": "install_anchors trusted_anchors",
        ".audit": "AuditReport Finding audit_site",
        ".clock": "Clock SystemClock",
        ".envelope": "open_envelope open_payload seal_payload",
        ".errors": "Category CertificateError FingerprintError InputError JournalError "
        "JournalLockedError JournalStorageError KeyringError LicenseError MalformedError OemError "
        "OemSecurityError SealError StateError StorageError TokenError VaultError ManifestError",
        ".fingerprint": "Fingerprint FingerprintVerdict Match compare load_fingerprint "
        "probe_device save_fingerprint",
        ".journal.handover": "EntryServer JournalClient checkpoint_journal hand_over",
        ".journal.proof": "InclusionProof check_inclusion prove",
        ".journal.recover": "Recovery begin_anew recover",
        ".journal.witness": "Witness check_succession check_witness export_witness witness_png",
        ".journal.reader": "JournalReport read_journal verify_journal",
        ".journal.record": "Record",
        ".journal.writer": "Journal Receipt",
        ".keyring": "Keyring KeyringKind",
        ".keys": "Purpose RotationRule",
        ".license": "CapabilityGuard License LicenseTerms create_request install_license "
        "issue_license verify_license",
        ".mtls": "CertificateAuthority",
        ".mtls_peer": "PeerCheck PeerIdentity client_context grpc_server_credentials "
        "require_tls13_for_grpc server_context",
        ".policy": "PayloadType",
        ".rotation": "KeyStatus Rotation RotationPlan Standing key_status plan_rotation "
        "revoke_key rotate_keys set_rule",
        ".seal": "SealedFile seal_file seal_path verify_file",
        ".tokens": "Principal TokenVerifier inspect_token issue_token",
        ".manifest.manifest": "Manifest make_manifest read_manifest verify_tree",
        ".manifest.versions": "ManifestVersions",
        ".revocations": "RevokedTokens revoke_token",
        ".one_time": "accept_totp hotp totp",
        ".vault.kdf": "KdfParameters",
        ".vault.legacy": "read_fernet read_plain",
        ".vault.vault": "Vault",
    }.items()
    for name in names.split()
}

__all__ = [
    "AnchorSet",
    "AuditReport",
    "CapabilityGuard",
    "Category",
    "CertificateAuthority",
    "CertificateError",
    "Clock",
    "EntryServer",
    "Finding",
    "Fingerprint",
    "FingerprintError",
    "FingerprintVerdict",
    "InclusionProof",
    "InputError",
    "Journal",
    "JournalClient",
    "JournalError",
    "JournalLockedError",
    "JournalReport",
    "JournalStorageError",
    "KdfParameters",
    "KeyStatus",
    "Keyring",
    "KeyringError",
    "KeyringKind",
    "License",
    "LicenseError",
    "LicenseTerms",
    "MalformedError",
    "Manifest",
    "ManifestError",
    "ManifestVersions",
    "Match",
    "OemError",
    "OemSecurityError",
    "PayloadType",
    "PeerCheck",
    "PeerIdentity",
    "Principal",
    "Purpose",
    "Receipt",
    "Record",
    "Recovery",
    "RevokedTokens",
    "Rotation",
    "RotationPlan",
    "RotationRule",
    "SealError",
    "SealedFile",
    "Standing",
    "StateError",
    "StorageError",
    "SystemClock",
    "TokenError",
    "TokenVerifier",
    "Vault",
    "VaultError",
    "Witness",
    "accept_totp",
    "add_signature",
    "audit_site",
    "begin_anew",
    "check_inclusion",
    "check_succession",
    "check_witness",
    "checkpoint_journal",
    "client_context",
    "compare",
    "create_request",
    "export_witness",
    "first_anchors",
    "follow",
    "grpc_server_credentials",
    "hand_over",
    "hotp",
    "inspect_token",
    "install_anchors",
    "install_license",
    "issue_license",
    "issue_token",
    "key_status",
    "load_fingerprint",
    "make_manifest",
    "next_anchors",
    "open_envelope",
    "open_first",
    "open_payload",
    "plan_rotation",
    "probe_device",
    "prove",
    "read_fernet",
    "read_journal",
    "read_manifest",
    "read_plain",
    "recover",
    "require_tls13_for_grpc",
    "revoke_key",
    "revoke_token",
    "rotate_keys",
    "save_fingerprint",
    "seal_file",
    "seal_path",
    "seal_payload",
    "server_context",
    "set_rule",
    "totp",
    "trusted_anchors",
    "verify_file",
    "verify_journal",
    "verify_license",
    "verify_tree",
    "witness_png",
]

__getattr__, __dir__ = lazy_exports(__name__, _EXPORTS)
