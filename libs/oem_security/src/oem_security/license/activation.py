"""Activation: a whole licence as at most 700 characters, for a QR code, a USB volume or a mail.

The text is the licence's envelope written shorter: field names and signature encodings take no
room, and nothing is left out. What is unpacked is an envelope again and is verified like any.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from pathlib import Path
from typing import Any

from oem_security.envelope.dsse import peek_payload
from oem_security.envelope.policy import POLICIES, PayloadType
from oem_security.errors import InputError, LicenseError, MalformedError
from oem_security.fields import Fields, b64
from oem_security.files import read_bounded, write_atomic
from oem_security.keys.key import Algorithm
from oem_security.strict_json import loads_object

MAX_ACTIVATION_BYTES = 700
PREFIX = "OEM1."
USB_FOLDER = "OEM-ACTIVATION"
_MAX_IMAGE_BYTES = 32 << 20
_KINDS = (
    # algorithm, prefix of its key ids, bytes of the key id after it, bytes of a signature
    (Algorithm.HMAC_SHA384, "hmac-sha384:", 8, 48),
    (Algorithm.ED25519, "ed25519:", 16, 64),
)
_DICTIONARY = (
    b'{"bundle_version":"0.1.0","fallbacks":["dongle","totp"],"features":["paper","live","demo"],'
    b'"fingerprint":{"digests":{"cpu":"","disk":"","dongle":"","mac":"","machine_id":"","tpm":""},'
    b'"salt":""},"grace_days":,"issued":"2026-","issuer":"vendor","license_id":"lic-",'
    b'"list_max_age_days":,"list_number":,"maintenance_until":"T00:00:00Z","nonce":"",'
    b'"not_after":"2027-","profile":"paper","revision":,"seats":,"site":"",'
    b'"trial_features":[""],"trial_until":""}'
)
"""Primes the compression; it belongs to the format `OEM1` and never changes."""


def pack_activation(envelope: bytes) -> str:
    """Return a licence's envelope as activation text.

    Args:
        envelope: What the vendor issued.

    Returns:
        At most 700 characters of the URL-safe base64 alphabet after `OEM1.`.

    Raises:
        MalformedError: It is not a licence's envelope.
        LicenseError: It does not fit.
    """
    peek_payload(envelope, PayloadType.LICENSE)
    outer: dict[str, Any] = loads_object(envelope, what="licence", max_bytes=1 << 20)
    signatures = outer["signatures"]
    packed = bytes([len(signatures)])
    for entry in signatures:
        packed += _pack_signature(str(entry["keyid"]), base64.b64decode(entry["sig"]))
    squeezer = zlib.compressobj(9, zlib.DEFLATED, -15, 9, zlib.Z_DEFAULT_STRATEGY, _DICTIONARY)
    payload = base64.b64decode(outer["payload"])
    body = packed + squeezer.compress(payload) + squeezer.flush()
    check = zlib.crc32(body).to_bytes(4, "big")
    text = PREFIX + base64.urlsafe_b64encode(check + body).rstrip(b"=").decode()
    if len(text) > MAX_ACTIVATION_BYTES:
        raise LicenseError(
            f"the activation has {len(text)} characters, at most {MAX_ACTIVATION_BYTES} fit",
            where="terms",
            remedy="name fewer features, or send the licence as a file",
        )
    return text


def unpack_activation(text: str) -> bytes:
    """Return the licence's envelope that activation text stands for, not yet verified.

    Args:
        text: What was scanned, read or pasted; blanks and line breaks in it do not matter.

    Raises:
        MalformedError: It is not activation text, or a character of it is wrong.
    """
    if len(text) > 4 * MAX_ACTIVATION_BYTES:
        raise _malformed("longer than any activation")
    text = "".join(text.split())
    if not text.startswith(PREFIX) or len(text) > MAX_ACTIVATION_BYTES:
        raise _malformed(f"an activation begins with {PREFIX} and has at most 700 characters")
    encoded = text.removeprefix(PREFIX)
    try:
        raw = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise _malformed("a character does not belong to it") from None
    check, body = raw[:4], raw[4:]
    if len(body) < 2 or zlib.crc32(body).to_bytes(4, "big") != check:
        raise _malformed("a character of it is wrong or missing")
    signatures, rest = _unpack_signatures(body)
    payload = _inflate(rest)
    envelope = {
        "payloadType": PayloadType.LICENSE.value,
        "payload": b64(payload),
        "signatures": signatures,
    }
    return json.dumps(envelope, separators=(",", ":")).encode() + b"\n"


def is_activation(data: bytes) -> bool:
    """Tell whether bytes from outside claim to be activation text."""
    return data.lstrip()[: len(PREFIX)] == PREFIX.encode()


def write_qr(text: str, path: Path) -> None:
    """Write activation text as a QR code, PNG or SVG by the file's ending.

    Raises:
        InputError: Another ending, or the package for it is missing.
    """
    if path.suffix not in (".png", ".svg"):
        raise InputError(
            "a QR code is written as .png or .svg", where=str(path), remedy="correct the ending"
        )
    import io

    buffer = io.BytesIO()
    _qr(text).save(buffer, kind=path.suffix[1:], scale=6, border=4)
    write_atomic(path, buffer.getvalue())


def qr_lines(text: str) -> list[str]:
    """Return a QR code as lines for a terminal, two modules a character.

    Raises:
        InputError: The package for it is missing.
    """
    rows = [bytes(row) for row in _qr(text).matrix_iter(border=2)]
    if len(rows) % 2:
        rows.append(bytes(len(rows[0])))
    # light modules are painted: most terminals are dark
    ink = {(0, 0): "█", (0, 1): "▀", (1, 0): "▄", (1, 1): " "}
    pairs = zip(rows[::2], rows[1::2], strict=True)
    return [
        "".join(ink[bool(a), bool(b)] for a, b in zip(up, low, strict=True)) for up, low in pairs
    ]


def read_qr(path: Path) -> str:
    """Return the activation text of a picture of a QR code.

    Raises:
        InputError: There is no picture, or the packages for it are missing.
        MalformedError: The picture shows no activation.
    """
    data = read_bounded(path, _MAX_IMAGE_BYTES, what="picture", remedy="correct the path")
    try:
        import zxingcpp
        from PIL import Image, UnidentifiedImageError
    except ImportError:
        raise InputError(
            "the packages that read QR codes are missing",
            where=str(path),
            remedy="pip install 'oem-security[qr]' pillow, or paste the text of the code",
        ) from None
    import io

    try:
        with Image.open(io.BytesIO(data)) as picture:
            found = zxingcpp.read_barcodes(picture.convert("L"))
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError):
        raise _malformed("the file is no picture", str(path)) from None
    for code in found:
        if code.text.startswith(PREFIX):
            return str(code.text)
    raise _malformed("the picture shows no activation", str(path))


def write_usb(volume: Path, envelope: bytes) -> Path:
    """Write a licence's activation onto a USB volume and return the file.

    Args:
        volume: Where the volume is mounted.
        envelope: What the vendor issued; its site names the file.

    Raises:
        InputError: There is no such folder.
    """
    _require_volume(volume)
    claims = Fields(peek_payload(envelope, PayloadType.LICENSE), "licence")
    path = _usb_file(volume, claims.hex("site", 16))
    write_atomic(path, pack_activation(envelope).encode() + b"\n")
    return path


def read_usb(volume: Path, site: str) -> str:
    """Return the activation text for a site from a USB volume.

    Args:
        volume: Where the volume is mounted.
        site: Identifier of the site's keyring.

    Raises:
        InputError: There is none for this site.
        MalformedError: The file is not one.
    """
    _require_volume(volume)
    path = _usb_file(volume, site)
    if path.is_symlink() or path.parent.is_symlink():
        raise _malformed("a link instead of a file", str(path))
    remedy = f"have the vendor write the activation of site {site} onto it"
    data = read_bounded(path, 4 * MAX_ACTIVATION_BYTES, what="activation", remedy=remedy)
    try:
        return data.decode("ascii").strip()
    except UnicodeDecodeError:
        raise _malformed("a character does not belong to it", str(path)) from None


def _pack_signature(key_id: str, signature: bytes) -> bytes:
    for number, (_, prefix, length, size) in enumerate(_KINDS):
        if key_id.startswith(prefix) and len(signature) == size:
            raw = bytes.fromhex(key_id.removeprefix(prefix))
            if len(raw) == length:
                return bytes([number]) + raw + signature
    raise LicenseError(
        f"the signature by {key_id} does not fit into an activation",
        where="signatures",
        remedy="send the licence as a file",
    )


def _unpack_signatures(body: bytes) -> tuple[list[dict[str, str]], bytes]:
    count, rest = body[0], body[1:]
    signatures = []
    for _ in range(count):
        if not rest or rest[0] >= len(_KINDS):
            raise _malformed("it has a signature of another kind")
        _, prefix, length, size = _KINDS[rest[0]]
        key, signature = rest[1 : 1 + length], rest[1 + length : 1 + length + size]
        if len(signature) != size:
            raise _malformed("it ends within a signature")
        signatures.append({"keyid": prefix + key.hex(), "sig": b64(signature)})
        rest = rest[1 + length + size :]
    return signatures, rest


def _inflate(data: bytes) -> bytes:
    most = POLICIES[PayloadType.LICENSE].max_bytes
    opener = zlib.decompressobj(-15, zdict=_DICTIONARY)
    try:
        payload = opener.decompress(data, most + 1)
    except zlib.error:
        raise _malformed("its content cannot be unpacked") from None
    if len(payload) > most or not opener.eof or opener.unused_data:
        raise _malformed("its content is not one licence")
    return payload


def _qr(text: str) -> Any:
    try:
        import segno
    except ImportError:
        raise InputError(
            "the package that writes QR codes is missing",
            where="qr",
            remedy="pip install 'oem-security[qr]'",
        ) from None
    return segno.make_qr(text, error="m", mode="byte", boost_error=False)


def _require_volume(volume: Path) -> None:
    if not volume.is_dir():
        raise InputError(
            "there is no such volume", where=str(volume), remedy="name where it is mounted"
        )


def _usb_file(volume: Path, site: str) -> Path:
    return volume / USB_FOLDER / f"{site}.txt"


def _malformed(what: str, where: str = "activation") -> MalformedError:
    return MalformedError(what, where=where, remedy="scan, copy or fetch it again")
