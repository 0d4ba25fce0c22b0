"""Activation text: a whole licence in at most 700 characters, by QR code, USB volume and paste."""

from __future__ import annotations

import base64
import contextlib
import os
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oem_security import InputError, LicenseError, MalformedError, OemSecurityError
from oem_security.license.activation import (
    MAX_ACTIVATION_BYTES,
    PREFIX,
    USB_FOLDER,
    is_activation,
    pack_activation,
    qr_lines,
    read_qr,
    read_usb,
    unpack_activation,
    write_qr,
    write_usb,
)
from oem_security.license.terms import Fallback
from security_licenses import DEVICE, Trade

ALL = {**DEVICE, "tpm": "t1", "dongle": "g1"}
FULLEST = {
    "features": ("paper", "live", "demo"),
    "days": 365,
    "grace_days": 14,
    "seats": 12,
    "maintenance_days": 200,
    "trial_features": ("stress",),
    "trial_days": 30,
    "list_max_age_days": 60,
    "fallbacks": (Fallback.DONGLE, Fallback.TOTP),
}


@pytest.fixture
def trade(tmp_path: Path) -> Trade:
    return Trade.begin(tmp_path)


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    trade = Trade.begin(tmp_path_factory.mktemp("packed"))
    return pack_activation(trade.issue(trade.ask(ALL), **FULLEST))


def test_the_fullest_licence_fits_and_comes_out_whole(trade: Trade) -> None:
    envelope = trade.issue(trade.ask(ALL), **FULLEST)
    text = pack_activation(envelope)
    assert len(text.encode()) <= MAX_ACTIVATION_BYTES == 700
    assert unpack_activation(text) == envelope
    held = trade.install(unpack_activation(text))
    assert set(held.fingerprint.digests) == set(ALL)
    assert trade.verify(ALL).features == ("paper", "live", "demo", "stress")


def test_a_usual_licence_is_much_shorter(trade: Trade) -> None:
    assert len(pack_activation(trade.issue())) < 560


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_a_qr_code_is_written(text: str, tmp_path: Path, ending: str) -> None:
    write_qr(text, tmp_path / f"code.{ending}")
    assert (tmp_path / f"code.{ending}").stat().st_size > 500
    with pytest.raises(InputError, match=r"\.png or \.svg"):
        write_qr(text, tmp_path / "code.bmp")


def test_a_qr_code_is_read_back(text: str, tmp_path: Path) -> None:
    write_qr(text, tmp_path / "code.png")
    assert read_qr(tmp_path / "code.png") == text


def test_a_qr_code_is_read_from_a_turned_grey_photograph(text: str, tmp_path: Path) -> None:
    from PIL import Image, ImageFilter

    write_qr(text, tmp_path / "code.png")
    with Image.open(tmp_path / "code.png") as code:
        photo = code.convert("L").point(lambda v: 40 + v * 0.7)
        photo = photo.rotate(17, expand=True, fillcolor=218).filter(ImageFilter.GaussianBlur(1))
        photo.save(tmp_path / "photo.jpg", quality=70)
    assert read_qr(tmp_path / "photo.jpg") == text


def test_a_qr_code_on_the_terminal_is_that_of_the_file(text: str, tmp_path: Path) -> None:
    import zxingcpp
    from PIL import Image

    lines = qr_lines(text)
    ink = {"█": (255, 255), "▀": (255, 0), "▄": (0, 255), " ": (0, 0)}
    rows = [bytes(ink[c][half] for c in line) for line in lines for half in (0, 1)]
    picture = Image.frombytes("L", (len(rows[0]), len(rows)), b"".join(rows))
    big = picture.resize((picture.width * 6, picture.height * 6), Image.Resampling.NEAREST)
    assert [code.text for code in zxingcpp.read_barcodes(big)] == [text]


def test_a_picture_without_an_activation_is_refused(tmp_path: Path) -> None:
    import segno

    segno.make_qr("https://example.org").save(str(tmp_path / "other.png"), scale=4)
    (tmp_path / "noise.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40))
    for name, error in (("other.png", MalformedError), ("noise.png", MalformedError),
                        ("none.png", InputError)):  # fmt: skip
        with pytest.raises(error):
            read_qr(tmp_path / name)


def test_a_usb_volume_carries_activations_of_several_sites(trade: Trade, tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    with pytest.raises(InputError, match="no such volume"):
        write_usb(stick, trade.issue())
    stick.mkdir()
    other = trade.elsewhere(tmp_path / "b")
    for one in (trade, other):
        assert write_usb(stick, one.issue()).parent.name == USB_FOLDER
    for one in (trade, other):
        one.install(unpack_activation(read_usb(stick, one.site.id)))
        one.verify().require("paper")
    with pytest.raises(InputError, match="0000000000000000"):
        read_usb(stick, "0" * 16)


def test_a_usb_volume_that_plays_tricks_is_refused(trade: Trade, tmp_path: Path) -> None:
    folder = tmp_path / USB_FOLDER
    folder.mkdir()
    file = folder / f"{trade.site.id}.txt"
    file.symlink_to("/etc/hostname")
    with pytest.raises(MalformedError, match="link"):
        read_usb(tmp_path, trade.site.id)
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(OemSecurityError):
        read_usb(tmp_path, trade.site.id)
    file.unlink()
    file.write_bytes(b"x" * 100_000)
    with pytest.raises(MalformedError, match="larger"):
        read_usb(tmp_path, trade.site.id)
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(MalformedError):
        read_usb(tmp_path, trade.site.id)


def test_blanks_of_a_mail_do_not_matter(text: str) -> None:
    broken = "\n  ".join(text[i : i + 60] for i in range(0, len(text), 60))
    assert unpack_activation(broken) == unpack_activation(text)
    assert is_activation(broken.encode())


def test_a_wrong_character_is_noticed_at_once(text: str) -> None:
    for position in range(0, len(text), 7):
        other = "A" if text[position] != "A" else "B"
        with pytest.raises(MalformedError):
            unpack_activation(text[:position] + other + text[position + 1 :])
        with pytest.raises(MalformedError):
            unpack_activation(text[:position])


def test_what_does_not_fit_is_said(trade: Trade) -> None:
    many = tuple(f"feature-{os.urandom(12).hex()}" for _ in range(30))
    with pytest.raises(LicenseError, match="at most 700 fit"):
        pack_activation(trade.issue(features=many))
    with pytest.raises(OemSecurityError):
        pack_activation(trade.ask())


def packed(body: bytes) -> str:
    raw = zlib.crc32(body).to_bytes(4, "big") + body
    return PREFIX + base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def squeezed(data: bytes) -> bytes:
    squeezer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return squeezer.compress(data) + squeezer.flush()


def test_a_bomb_is_not_unpacked() -> None:
    bomb = squeezed(bytes(400_000))
    with pytest.raises(MalformedError, match="not one licence"):
        unpack_activation(packed(b"\0" + bomb))
    whole = squeezed(b"x" * 100)
    for odd in (whole[:-1], whole + b"more"):
        with pytest.raises(MalformedError, match="not one licence"):
            unpack_activation(packed(b"\0" + odd))


@given(st.binary(max_size=500))
def test_fuzz_of_what_a_qr_code_may_hold(body: bytes) -> None:
    # with a right checksum, so that everything behind it is met as well
    with contextlib.suppress(OemSecurityError):
        unpack_activation(packed(body))


@given(st.text(max_size=900))
def test_fuzz_of_what_may_be_pasted(typed: str) -> None:
    for one in (typed, PREFIX + typed):
        with pytest.raises(OemSecurityError):
            unpack_activation(one)


def test_what_is_unpacked_is_verified_like_any_licence(trade: Trade, text: str) -> None:
    with pytest.raises(OemSecurityError):  # of another site and vendor
        trade.install(unpack_activation(text))
