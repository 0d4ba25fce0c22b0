"""Secrets as they were kept before: plain YAML, JSON, `.env`, or a Fernet file with its salt."""

from __future__ import annotations

import base64
import re
from pathlib import Path

from oem_security.errors import InputError, MalformedError, VaultError
from oem_security.files import read_bounded
from oem_security.strict_json import loads

MAX_BYTES = 4 << 20
MAX_NODES = 50_000
MAX_DEPTH = 16
FERNET_ITERATIONS = 390_000
_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_.]*)\s*=\s*(.*)")


def read_plain(path: Path) -> dict[str, str]:
    """Return the secrets of a YAML, JSON or `.env` file; nested names are joined by slashes.

    Raises:
        MalformedError: The file is not what its ending says.
        InputError: The ending is none of .yaml, .yml, .json, .env.
    """
    data = read_bounded(path, MAX_BYTES, what="file of secrets")
    return parse_plain(data, path.suffix.lower() or path.name.lower(), str(path))


def parse_plain(data: bytes, ending: str, where: str) -> dict[str, str]:
    """Return the secrets of bytes that have the form of an ending such as `.yaml`."""
    if ending == ".json":
        return _flat(loads(data, what="file of secrets", max_bytes=MAX_BYTES), where)
    if ending in (".yaml", ".yml"):
        return _flat(_yaml(data, where), where)
    if ending == ".env":
        return _env(data, where)
    raise InputError(
        f"a file ending in {ending!r} is not known",
        where=where,
        remedy="give a .yaml, .json or .env file",
    )


def read_fernet(
    path: Path, passphrase: str, salt: bytes, *, iterations: int = FERNET_ITERATIONS, ending: str
) -> dict[str, str]:
    """Return the secrets of a Fernet file whose key is PBKDF2-HMAC-SHA256 of a passphrase.

    Args:
        path: The encrypted file.
        passphrase: Of the old file.
        salt: Of the old key, at least 8 bytes.
        iterations: Of PBKDF2, 1,000 to 10 million.
        ending: Form of the content: `.json`, `.yaml` or `.env`.

    Raises:
        VaultError: Passphrase, salt or iterations are wrong, or the file was changed.
    """
    from cryptography.fernet import Fernet, InvalidToken
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

    if len(salt) < 8 or not 1_000 <= iterations <= 10_000_000:
        raise InputError(
            f"a salt of {len(salt)} bytes and {iterations} iterations",
            where=str(path),
            remedy="give the salt the file was made with, and 1,000 to 10,000,000 iterations",
        )
    kdf = PBKDF2HMAC(algorithm=SHA256(), length=32, salt=salt, iterations=iterations)
    try:
        key = base64.urlsafe_b64encode(kdf.derive(passphrase.encode("utf-8")))
        data = Fernet(key).decrypt(read_bounded(path, MAX_BYTES, what="file of secrets").strip())
    except (InvalidToken, UnicodeEncodeError):
        raise VaultError(
            "the old file cannot be opened: passphrase, salt or iterations are wrong",
            where=str(path),
            remedy="check the three, and that the file is whole",
        ) from None
    return parse_plain(data, ending, str(path))


def _flat(value: object, where: str) -> dict[str, str]:
    """Return the secrets of nested groups; aliases that multiply or turn back are refused."""
    found: dict[str, str] = {}
    waiting: list[tuple[str, object, int]] = [("", value, 0)]
    for _ in range(MAX_NODES):
        if not waiting:
            return found
        name, inner, depth = waiting.pop()
        if isinstance(inner, dict) and depth < MAX_DEPTH:
            for key in reversed(inner):
                if not isinstance(key, (str, int)):
                    break
                waiting.append((f"{name}/{key}" if name else str(key), inner[key], depth + 1))
            else:
                continue
        elif name and (isinstance(inner, str) or type(inner) is int):
            if name in found:
                raise MalformedError(
                    f"{name} is named twice", where=where, remedy="keep one of the two"
                )
            found[name] = str(inner)
            continue
        raise MalformedError(
            f"{name[:80] or 'the file'} is neither text nor a group of names",
            where=where,
            remedy="write each secret as name and text, numbers in quotes",
        )
    raise MalformedError(
        f"it holds more than {MAX_NODES} names", where=where, remedy="take the secrets in parts"
    )


def _yaml(data: bytes, where: str) -> object:
    """Return YAML with every scalar as it is written: `0123` is a passphrase, not a number."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return YAML(typ="base", pure=True).load(data.decode("utf-8"))
    except RecursionError:
        raise MalformedError(
            "it is not YAML: it is nested too deep", where=where, remedy="correct the file"
        ) from None
    except (YAMLError, ValueError) as error:
        line = str(error).splitlines()[0] if str(error) else "unreadable"
        raise MalformedError(
            f"it is not YAML: {line}", where=where, remedy="correct the file"
        ) from None


def _env(data: bytes, where: str) -> dict[str, str]:
    found: dict[str, str] = {}
    try:
        lines = data.decode("utf-8").splitlines()
    except UnicodeDecodeError:
        raise MalformedError(
            "it is not UTF-8 text", where=where, remedy="save the file as UTF-8"
        ) from None
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        match = _LINE.fullmatch(text)
        if match is None:
            raise MalformedError(
                "a line is not NAME=VALUE", where=f"{where}:{number}", remedy="correct the line"
            )
        value = match[2]
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        found[match[1]] = value
    return found
