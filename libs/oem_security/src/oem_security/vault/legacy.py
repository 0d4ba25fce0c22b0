"""Secrets as they were kept before: plain YAML, JSON, `.env`, or a Fernet file with its salt."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path

from oem_security.errors import InputError, MalformedError, VaultError
from oem_security.files import read_bounded
from oem_security.strict_json import loads

MAX_BYTES = 4 << 20
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
        return dict(_flat(loads(data, what="file of secrets", max_bytes=MAX_BYTES), where))
    if ending in (".yaml", ".yml"):
        return dict(_flat(_yaml(data, where), where))
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
    key = base64.urlsafe_b64encode(kdf.derive(passphrase.encode("utf-8")))
    try:
        data = Fernet(key).decrypt(read_bounded(path, MAX_BYTES, what="file of secrets").strip())
    except InvalidToken:
        raise VaultError(
            "the old file cannot be opened: passphrase, salt or iterations are wrong",
            where=str(path),
            remedy="check the three, and that the file is whole",
        ) from None
    return parse_plain(data, ending, str(path))


def _flat(value: object, where: str, prefix: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _flat(inner, where, f"{prefix}/{name}" if prefix else str(name))
    elif isinstance(value, str) and prefix:
        yield prefix, value
    elif isinstance(value, (int, float)) and not isinstance(value, bool) and prefix:
        yield prefix, str(value)
    else:
        raise MalformedError(
            f"{prefix or 'the file'} is neither text nor a group of names",
            where=where,
            remedy="write each secret as name and text",
        )


def _yaml(data: bytes, where: str) -> object:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return YAML(typ="safe", pure=True).load(data.decode("utf-8"))
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
