"""The TPM as part of the device: the endorsement key that belongs to this one chip.

The key is made anew from the chip's endorsement seed by the standard template; the seed never
leaves the chip, and no other chip gives the same key. Two commands are spoken, so no TPM library
is needed.

Sources: TCG TPM 2.0 Library part 3 (CreatePrimary, FlushContext); TCG EK Credential Profile,
template L-2 (ECC NIST P-256).
"""

from __future__ import annotations

import hashlib
import os
import socket
import stat
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_PLAIN, _WITH_SESSIONS = 0x8001, 0x8002
_CREATE_PRIMARY, _FLUSH_CONTEXT = 0x131, 0x165
_ENDORSEMENT, _PASSWORD = 0x4000000B, 0x40000009
_POLICY = bytes.fromhex("837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa")
_HEADER = struct.Struct(">HII")
_MAX_RESPONSE = 4096
_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class TpmProbe:
    """The probe `tpm`.

    Attributes:
        device: The TPM's character device, or the Unix socket of a software TPM.
    """

    device: Path = Path("/dev/tpmrm0")

    @property
    def component(self) -> str:
        return "tpm"

    def read(self) -> str:
        """Return what identifies the TPM; empty when there is none or it refuses."""
        try:
            answer = self._ask(_create_primary())
        except (OSError, struct.error):
            return ""
        if answer is None:
            return ""
        handle, public = answer
        return f"ek-p256:{hashlib.sha384(public).hexdigest()}" if handle else ""

    def _ask(self, command: bytes) -> tuple[int, bytes] | None:
        with _Channel(self.device) as channel:
            body = channel.exchange(command)
            if body is None:
                return None
            handle, _, size = struct.unpack_from(">IIH", body)
            public = body[10 : 10 + size]
            # the chip has few slots: give this one back
            channel.exchange(_command(_PLAIN, _FLUSH_CONTEXT, struct.pack(">I", handle)))
            return (handle, public) if len(public) == size > 0 else None


class _Channel:
    """Sends whole commands and reads whole responses, over a device or a socket."""

    def __init__(self, device: Path) -> None:
        self._device = device
        self._socket: socket.socket | None = None
        self._handle = -1

    def __enter__(self) -> Self:
        if stat.S_ISSOCK(self._device.stat().st_mode):
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.settimeout(_TIMEOUT_S)
            self._socket.connect(str(self._device))
        else:
            self._handle = os.open(self._device, os.O_RDWR | os.O_CLOEXEC)
        return self

    def __exit__(self, *ended: object) -> None:
        if self._socket is not None:
            self._socket.close()
        if self._handle >= 0:
            os.close(self._handle)

    def exchange(self, command: bytes) -> bytes | None:
        """Return what follows the header of the response, or None if the TPM refuses."""
        if self._socket is not None:
            self._socket.sendall(command)
            data = self._receive(self._socket)
        else:
            os.write(self._handle, command)
            data = os.read(self._handle, _MAX_RESPONSE)
        _, size, code = _HEADER.unpack_from(data)
        return data[_HEADER.size :] if code == 0 and size == len(data) else None

    @staticmethod
    def _receive(peer: socket.socket) -> bytes:
        data = b""
        size = _HEADER.size
        while len(data) < size <= _MAX_RESPONSE:
            more = peer.recv(_MAX_RESPONSE)
            if not more:
                break
            data += more
            if len(data) >= _HEADER.size:
                size = _HEADER.unpack_from(data)[1]
        return data


def _create_primary() -> bytes:
    nobody = struct.pack(">IHBH", _PASSWORD, 0, 0, 0)
    sensitive = struct.pack(">HHH", 4, 0, 0)
    attributes = 0x000300B2  # fixedTPM, fixedParent, origin, adminWithPolicy, restricted, decrypt
    public = struct.pack(">HHIH", 0x0023, 0x000B, attributes, len(_POLICY)) + _POLICY
    public += struct.pack(">HHH", 0x0006, 128, 0x0043)  # AES-128 in CFB mode
    public += struct.pack(">HHH", 0x0010, 0x0003, 0x0010)  # no scheme, NIST P-256, no KDF
    public += struct.pack(">H32xH32x", 32, 32)
    body = struct.pack(">II", _ENDORSEMENT, len(nobody)) + nobody + sensitive
    body += struct.pack(">H", len(public)) + public + struct.pack(">HI", 0, 0)
    return _command(_WITH_SESSIONS, _CREATE_PRIMARY, body)


def _command(tag: int, code: int, body: bytes) -> bytes:
    return _HEADER.pack(tag, _HEADER.size + len(body), code) + body
