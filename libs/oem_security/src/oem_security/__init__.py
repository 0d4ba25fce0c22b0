"""Offline licences, device fingerprints, signed logs, certificates and a vault."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oem_security.lazy import lazy_exports

if TYPE_CHECKING:
    from oem_security.anchors.chain import (
        AnchorSet,
        add_signature,
        first_anchors,
        follow,
        next_anchors,
        open_first,
    )
    from oem_security.anchors.install import install_anchors, trusted_anchors
    from oem_security.anchors.trusted import Anchors
    from oem_security.audit import AuditReport, Finding, audit_site
    from oem_security.clock import Clock, SystemClock
    from oem_security.envelope.dsse import open_envelope, open_payload, seal_payload
    from oem_security.envelope.policy import PayloadType, PostQuantum
    from oem_security.envelope.seal import SealedFile, seal_file, seal_path, verify_file
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
    from oem_security.fingerprint.dongle import Pkcs11Dongle
    from oem_security.fingerprint.fingerprint import (
        Basis,
        Fingerprint,
        FingerprintVerdict,
        Match,
        compare,
        load_fingerprint,
        probe_device,
        save_fingerprint,
    )
    from oem_security.fingerprint.tpm import TpmProbe
    from oem_security.journal.handover import (
        EntryServer,
        JournalClient,
        checkpoint_journal,
        hand_over,
    )
    from oem_security.journal.newest import read_newest
    from oem_security.journal.proof import InclusionProof, check_inclusion, prove
    from oem_security.journal.reader import (
        JournalReport,
        read_journal,
        verify_journal,
    )
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
    from oem_security.keys.key import Purpose, RotationRule
    from oem_security.keys.keyring import Keyring, KeyringKind
    from oem_security.keys.rotation import (
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
    from oem_security.license.activation import (
        pack_activation,
        read_qr,
        read_usb,
        unpack_activation,
        write_qr,
        write_usb,
    )
    from oem_security.license.backup import backup_license, read_backup, restore_license
    from oem_security.license.guard import CapabilityGuard, Trust
    from oem_security.license.install import (
        install_license,
        install_revocations,
        self_sign_license,
        trust_vendor,
    )
    from oem_security.license.issue import (
        issue_license,
        publish_revocations,
        rebind_license,
        renew_license,
        revoke_license,
    )
    from oem_security.license.opening import installed_license
    from oem_security.license.otp import support_code
    from oem_security.license.paths import LicensePaths
    from oem_security.license.registry import read_registry
    from oem_security.license.request import create_request, read_request
    from oem_security.license.revocations import RevocationList
    from oem_security.license.seats import take_seat
    from oem_security.license.terms import Fallback, License, LicenseTerms
    from oem_security.license.verify import verify_license
    from oem_security.manifest.manifest import (
        Manifest,
        make_manifest,
        read_manifest,
        verify_tree,
    )
    from oem_security.manifest.trust import Whitelist, judge_manifest
    from oem_security.manifest.versions import ManifestVersions
    from oem_security.mtls.authority import CertificateAuthority
    from oem_security.mtls.peer import (
        PeerCheck,
        PeerIdentity,
        client_context,
        grpc_server_credentials,
        require_tls13_for_grpc,
        server_context,
    )
    from oem_security.tokens.access import Principal, TokenVerifier, inspect_token, issue_token
    from oem_security.tokens.one_time import accept_totp, hotp, totp
    from oem_security.tokens.revocations import RevokedTokens, revoke_token
    from oem_security.vault.kdf import KdfParameters
    from oem_security.vault.legacy import read_fernet, read_plain
    from oem_security.vault.vault import Vault

_EXPORTS = {
    name: module
    for module, names in {
        ".anchors.chain": "AnchorSet add_signature first_anchors follow next_anchors open_first",
        ".anchors.install": "install_anchors trusted_anchors",
        ".audit": "AuditReport Finding audit_site",
        ".clock": "Clock SystemClock",
        ".envelope.dsse": "open_envelope open_payload seal_payload",
        ".errors": "Category CertificateError FingerprintError InputError JournalError "
        "JournalLockedError JournalStorageError KeyringError LicenseError MalformedError OemError "
        "OemSecurityError SealError StateError StorageError TokenError VaultError ManifestError",
        ".fingerprint.fingerprint": "Basis Fingerprint FingerprintVerdict Match compare "
        "load_fingerprint probe_device save_fingerprint",
        ".journal.handover": "EntryServer JournalClient checkpoint_journal hand_over",
        ".journal.proof": "InclusionProof check_inclusion prove",
        ".journal.recover": "Recovery begin_anew recover",
        ".journal.witness": "Witness check_succession check_witness export_witness witness_png",
        ".journal.newest": "read_newest",
        ".journal.reader": "JournalReport read_journal verify_journal",
        ".journal.record": "Record",
        ".journal.writer": "Journal Receipt",
        ".keys.keyring": "Keyring KeyringKind",
        ".keys.key": "Purpose RotationRule",
        ".mtls.authority": "CertificateAuthority",
        ".mtls.peer": "PeerCheck PeerIdentity client_context grpc_server_credentials "
        "require_tls13_for_grpc server_context",
        ".envelope.policy": "PayloadType PostQuantum",
        ".keys.rotation": "KeyStatus Rotation RotationPlan Standing key_status plan_rotation "
        "revoke_key rotate_keys set_rule",
        ".envelope.seal": "SealedFile seal_file seal_path verify_file",
        ".tokens.access": "Principal TokenVerifier inspect_token issue_token",
        ".manifest.manifest": "Manifest make_manifest read_manifest verify_tree",
        ".manifest.versions": "ManifestVersions",
        ".tokens.revocations": "RevokedTokens revoke_token",
        ".tokens.one_time": "accept_totp hotp totp",
        ".vault.kdf": "KdfParameters",
        ".vault.legacy": "read_fernet read_plain",
        ".vault.vault": "Vault",
        ".fingerprint.dongle": "Pkcs11Dongle",
        ".fingerprint.tpm": "TpmProbe",
        ".license.activation": "pack_activation read_qr read_usb unpack_activation write_qr "
        "write_usb",
        ".anchors.trusted": "Anchors",
        ".license.backup": "backup_license read_backup restore_license",
        ".license.install": "install_license install_revocations self_sign_license trust_vendor",
        ".license.guard": "CapabilityGuard Trust",
        ".license.opening": "installed_license",
        ".license.paths": "LicensePaths",
        ".license.verify": "verify_license",
        ".license.issue": "issue_license publish_revocations rebind_license renew_license "
        "revoke_license",
        ".license.otp": "support_code",
        ".license.registry": "read_registry",
        ".license.request": "create_request read_request",
        ".license.revocations": "RevocationList",
        ".license.seats": "take_seat",
        ".license.terms": "Fallback License LicenseTerms",
        ".manifest.trust": "Whitelist judge_manifest",
    }.items()
    for name in names.split()
}

__all__ = [
    "AnchorSet",
    "Anchors",
    "AuditReport",
    "Basis",
    "CapabilityGuard",
    "Category",
    "CertificateAuthority",
    "CertificateError",
    "Clock",
    "EntryServer",
    "Fallback",
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
    "LicensePaths",
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
    "Pkcs11Dongle",
    "PostQuantum",
    "Principal",
    "Purpose",
    "Receipt",
    "Record",
    "Recovery",
    "RevocationList",
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
    "TpmProbe",
    "Trust",
    "Vault",
    "VaultError",
    "Whitelist",
    "Witness",
    "accept_totp",
    "add_signature",
    "audit_site",
    "backup_license",
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
    "install_revocations",
    "installed_license",
    "issue_license",
    "issue_token",
    "judge_manifest",
    "key_status",
    "load_fingerprint",
    "make_manifest",
    "next_anchors",
    "open_envelope",
    "open_first",
    "open_payload",
    "pack_activation",
    "plan_rotation",
    "probe_device",
    "prove",
    "publish_revocations",
    "read_backup",
    "read_fernet",
    "read_journal",
    "read_manifest",
    "read_newest",
    "read_plain",
    "read_qr",
    "read_registry",
    "read_request",
    "read_usb",
    "rebind_license",
    "recover",
    "renew_license",
    "require_tls13_for_grpc",
    "restore_license",
    "revoke_key",
    "revoke_license",
    "revoke_token",
    "rotate_keys",
    "save_fingerprint",
    "seal_file",
    "seal_path",
    "seal_payload",
    "self_sign_license",
    "server_context",
    "set_rule",
    "support_code",
    "take_seat",
    "totp",
    "trust_vendor",
    "trusted_anchors",
    "unpack_activation",
    "verify_file",
    "verify_journal",
    "verify_license",
    "verify_tree",
    "witness_png",
    "write_qr",
    "write_usb",
]

__getattr__, __dir__ = lazy_exports(__name__, _EXPORTS)
