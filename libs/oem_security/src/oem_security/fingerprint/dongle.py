"""A dongle as part of the device: a PKCS#11 token that proves it holds a private key.

Reading a serial number proves nothing, since it can be copied. The dongle signs a fresh random
number with a key that never leaves it; what identifies it is that key's public half.

Source: PKCS #11 v2.40 base specification (OASIS).
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oem_security.errors import FingerprintError, InputError
from oem_security.fields import Fields
from oem_security.files import read_bounded, require_private, write_atomic
from oem_security.strict_json import canonical, loads

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurve

_MAX_BYTES = 4096
_P256 = bytes.fromhex("06082a8648ce3d030107")
_P384 = bytes.fromhex("06052b81040022")


@dataclass(frozen=True, slots=True)
class Pkcs11Dongle:
    """The probe `dongle`.

    Attributes:
        module: The token's PKCS#11 library, as its maker ships it.
        token: Label of the token.
        key: Label of the key pair on it, EC P-256 or P-384, or RSA.
        pin: The user PIN.
    """

    module: Path
    token: str
    key: str
    pin: str = field(repr=False)

    @property
    def component(self) -> str:
        return "dongle"

    def read(self) -> str:
        """Return what identifies the dongle once it has proven itself; empty when it is away.

        Raises:
            FingerprintError: Its library cannot be loaded, the PIN is refused, there is no such
                key, or the signature does not hold.
        """
        try:
            import pkcs11
        except ImportError:
            raise _failed(
                "the package python-pkcs11 is missing", "pip install 'oem-security[pkcs11]'"
            ) from None
        try:
            found = next(
                iter(pkcs11.lib(str(self.module)).get_tokens(token_label=self.token)), None
            )
        except (RuntimeError, pkcs11.PKCS11Error) as error:
            raise _failed(
                f"the library of the dongle refuses: {error}", f"correct the path {self.module}"
            ) from None
        if found is None:
            return ""
        try:
            with found.open(user_pin=self.pin) as session:
                return self._prove(session, pkcs11)
        except (pkcs11.PinIncorrect, pkcs11.PinLocked, pkcs11.PinLenRange):
            raise _failed("the PIN of the dongle is refused", "correct the PIN's file") from None
        except pkcs11.NoSuchKey:
            raise _failed(f"the dongle has no key {self.key!r}", "correct the label") from None
        except pkcs11.PKCS11Error as error:
            raise _failed(f"the dongle fails: {error!r}", "plug it in again") from None

    def _prove(self, session: Any, pkcs11: Any) -> str:
        public = session.get_key(object_class=pkcs11.ObjectClass.PUBLIC_KEY, label=self.key)
        private = session.get_key(object_class=pkcs11.ObjectClass.PRIVATE_KEY, label=self.key)
        challenge = secrets.token_bytes(48)
        if public.key_type is pkcs11.KeyType.RSA:
            modulus, exponent = (
                bytes(public[a])
                for a in (pkcs11.Attribute.MODULUS, pkcs11.Attribute.PUBLIC_EXPONENT)
            )
            signature = private.sign(challenge, mechanism=pkcs11.Mechanism.SHA384_RSA_PKCS)
            identity, holds = (
                modulus + exponent,
                _rsa_holds(modulus, exponent, signature, challenge),
            )
        else:
            curve = bytes(public[pkcs11.Attribute.EC_PARAMS])
            identity = bytes(public[pkcs11.Attribute.EC_POINT])
            signature = private.sign(challenge, mechanism=pkcs11.Mechanism.ECDSA)
            holds = _ec_holds(curve, identity, signature, challenge)
        if not holds:
            raise _failed("the dongle's signature does not hold", "it is not genuine: replace it")
        return f"pkcs11:{hashlib.sha384(identity).hexdigest()}"


def save_dongle(path: Path, *, module: Path, token: str, key: str, pin_file: Path) -> Pkcs11Dongle:
    """Write down which dongle belongs to a site; the PIN stays in its own private file.

    Raises:
        InputError: A name is empty.
    """
    if not token or not key:
        raise InputError("a dongle needs labels", where="dongle", remedy="give --token and --key")
    value = {"module": str(module), "token": token, "key": key, "pin_file": str(pin_file)}
    write_atomic(path, canonical(value) + b"\n")
    return read_dongle(path)


def read_dongle(path: Path) -> Pkcs11Dongle:
    """Return the dongle a site names.

    Raises:
        InputError: The file or the PIN's file is missing or malformed.
        StorageError: Others can read the PIN.
    """
    data = read_bounded(path, _MAX_BYTES, what="dongle", remedy="name one: oem fingerprint dongle")
    fields = Fields(loads(data, what="dongle", max_bytes=_MAX_BYTES), str(path))
    module, token, key = (fields.text(name) for name in ("module", "token", "key"))
    pin_file = path.parent / fields.text("pin_file")
    fields.done()
    pin = read_bounded(pin_file, 256, what="PIN of the dongle", remedy="write it there, mode 600")
    require_private(pin_file)
    try:
        return Pkcs11Dongle(Path(module), token, key, pin.decode().strip())
    except UnicodeDecodeError:
        raise InputError("the PIN is not text", where=str(pin_file), remedy="correct it") from None


def _ec_holds(curve: bytes, point: bytes, signature: bytes, challenge: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import ec, utils
    from cryptography.hazmat.primitives.hashes import SHA384

    known: dict[bytes, EllipticCurve] = {_P256: ec.SECP256R1(), _P384: ec.SECP384R1()}
    if curve not in known:
        raise _failed("the dongle's key is on a curve that is not supported", "use P-256 or P-384")
    # CKA_EC_POINT is the point in a DER octet string
    raw = point[2:] if point[:1] == b"\x04" and len(point) == point[1] + 2 else point
    half = len(signature) // 2
    r, s = (int.from_bytes(part, "big") for part in (signature[:half], signature[half:]))
    try:
        key = ec.EllipticCurvePublicKey.from_encoded_point(known[curve], raw)
        hashed = ec.ECDSA(utils.Prehashed(SHA384()))
        key.verify(utils.encode_dss_signature(r, s), challenge, hashed)
    except (InvalidSignature, ValueError):
        return False
    return True


def _rsa_holds(modulus: bytes, exponent: bytes, signature: bytes, challenge: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import padding, rsa
    from cryptography.hazmat.primitives.hashes import SHA384

    try:
        numbers = rsa.RSAPublicNumbers(
            int.from_bytes(exponent, "big"), int.from_bytes(modulus, "big")
        )
        numbers.public_key().verify(signature, challenge, padding.PKCS1v15(), SHA384())
    except (InvalidSignature, ValueError):
        return False
    return True


def _failed(what: str, remedy: str) -> FingerprintError:
    return FingerprintError(what, where="dongle", remedy=remedy)
