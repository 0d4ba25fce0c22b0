"""A site follows the vendor's keys from version to version, and its licence stays valid."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from oem_security import (
    InputError,
    JournalError,
    LicenseError,
    OemSecurityError,
    Purpose,
    SealError,
    first_anchors,
    install_anchors,
    next_anchors,
    open_first,
    trusted_anchors,
)
from oem_security.anchors.install import anchor_log
from oem_security.license.opening import load_anchors
from security_licenses import Trade


@pytest.fixture
def trade(tmp_path: Path) -> Trade:
    return Trade.begin(tmp_path)


def install(trade: Trade, data: bytes, sha384: str = "") -> int:
    made = install_anchors(trade.paths, data, trade.site, sha384=sha384, clock=trade.clock)
    return made.version


def begun(trade: Trade) -> bytes:
    first = first_anchors(trade.vendor, clock=trade.clock)
    assert install(trade, first, open_first(first).sha384) == 1
    return first


def rolled(trade: Trade, previous: bytes, *purposes: Purpose) -> tuple[Trade, bytes]:
    vendor = trade.vendor
    for purpose in purposes:
        vendor = vendor.rotate(purpose, trade.clock)
    return replace(trade, vendor=vendor), next_anchors(previous, vendor, clock=trade.clock)


def test_a_licence_of_before_a_roll_over_stays_valid(trade: Trade) -> None:
    held = trade.licensed()
    trade.take_list(trade.publish())
    first = begun(trade)
    later, second = rolled(trade, first, Purpose.VENDOR, Purpose.TRANSPORT)
    assert install(later, second) == 2
    assert later.verify().license.license_id == held.license_id
    renewed = later.install(later.renew(held))
    assert later.verify().license.revision == renewed.revision == 2
    assert load_anchors(later.paths, later.site).older
    last, third = rolled(later, second, Purpose.ROOT)
    assert install(last, third) == 3
    assert last.verify().license.license_id == held.license_id


def test_what_a_revoked_vendor_key_signed_is_void(trade: Trade) -> None:
    trade.licensed()
    later, _ = rolled(trade, begun(trade), Purpose.VENDOR)
    clean = replace(later, vendor=later.vendor.revoke(Purpose.VENDOR, 1))
    second = next_anchors(first_anchors(trade.vendor, clock=trade.clock), clean.vendor)
    assert install(clean, second) == 2
    with pytest.raises(SealError):
        clean.verify()


def test_a_first_version_is_compared_by_a_person(trade: Trade, tmp_path: Path) -> None:
    first = first_anchors(trade.vendor)
    for said in ("", "0" * 96):
        with pytest.raises(InputError, match="SHA-384") as caught:
            install(trade, first, said)
        assert open_first(first).sha384 in str(caught.value)
    stranger = Trade.begin(tmp_path / "stranger")
    theirs = first_anchors(stranger.vendor)
    with pytest.raises(LicenseError, match="do not name"):
        install(trade, theirs, open_first(theirs).sha384)
    assert trusted_anchors(trade.paths, trade.site) is None


def test_installing_again_finishes_what_a_crash_cut_off(trade: Trade) -> None:
    first = begun(trade)
    later, second = rolled(trade, first, Purpose.VENDOR)
    install(later, second)
    later.paths.anchors.unlink()
    assert install(later, second) == 2
    assert load_anchors(later.paths, later.site).vendor.raw


# attacks


def test_trust_anchor_swapped_by_the_user(trade: Trade, tmp_path: Path) -> None:
    begun(trade)
    stranger = Trade.begin(tmp_path / "stranger")
    theirs = first_anchors(stranger.vendor)
    with pytest.raises(SealError):
        install(trade, theirs, open_first(theirs).sha384)
    with pytest.raises(SealError):
        install(trade, next_anchors(theirs, stranger.vendor))
    trade.paths.anchors.write_bytes(stranger.paths.anchors.read_bytes())
    with pytest.raises(OemSecurityError):
        trade.verify()


def test_trust_anchor_rolled_back(trade: Trade) -> None:
    first = begun(trade)
    later, second = rolled(trade, first, Purpose.VENDOR)
    install(later, second)
    with pytest.raises(SealError, match="does not follow version 2"):
        install(later, first, open_first(first).sha384)
    log = anchor_log(trade.paths)
    for part in log.parent.glob("anchors.jsonl*"):
        part.unlink()
    with pytest.raises(JournalError, match="deleted"):
        install(later, first, open_first(first).sha384)
