"""`oem vault`: secrets at rest."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from oem_cli.exit_codes import ExitCode
from oem_cli.output import Output, table
from oem_cli.parser import Verbs
from oem_cli.passphrase import passphrase_options, read_passphrase

if TYPE_CHECKING:
    from oem_security.vault.kdf import KdfParameters
    from oem_security.vault.vault import Vault


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verbs of `oem vault`."""
    verbs = Verbs(parser)
    _work_factors(_opens(verbs.add("init", run_init, "make an empty vault")))
    _opens(verbs.add("list", run_list, "list the names of the secrets, never their values"))
    put = _opens(verbs.add("put", run_put, "store one secret, read from standard input"))
    put.add_argument("name", metavar="NAME", help="name, such as binance/key")
    get = _opens(verbs.add("get", run_get, "print one secret"))
    get.add_argument("name", metavar="NAME", help="name of the secret")
    remove = _opens(verbs.add("remove", run_remove, "remove one secret"))
    remove.add_argument("name", metavar="NAME", help="name of the secret")
    rotate = _work_factors(
        _opens(verbs.add("rotate", run_rotate, "change passphrase, work factors and keys"))
    )
    passphrase_options(rotate, "new-", "the new passphrase (default: the old one stays)")
    take = _opens(verbs.add("import", run_import, "take over secrets kept in another way"))
    take.add_argument("--secrets-input", type=Path, required=True, metavar="FILE",
                      help=".yaml, .json or .env file, or a Fernet file")  # fmt: skip
    take.add_argument("--include", action="append", default=[], metavar="PATTERN",
                      help="only names that match, such as binance*; repeatable")  # fmt: skip
    take.add_argument("--exclude", action="append", default=[], metavar="PATTERN",
                      help="not names that match; may be repeated")  # fmt: skip
    take.add_argument("--preview", action="store_true",
                      help="show names and lengths only, store nothing")  # fmt: skip
    take.add_argument("--fernet-salt-file", type=Path, metavar="FILE",
                      help="salt of a Fernet file, which is then expected")  # fmt: skip
    take.add_argument("--fernet-iterations", type=int, default=390_000, metavar="N",
                      help="PBKDF2 iterations of a Fernet file (default: %(default)s)")  # fmt: skip
    take.add_argument("--fernet-form", choices=(".json", ".yaml", ".env"), default=".json",
                      help="form of a Fernet file's content (default: %(default)s)")  # fmt: skip
    passphrase_options(take, "legacy-", "passphrase of a Fernet file")
    backup = _opens(verbs.add("backup", run_backup, "copy the vault, still sealed"))
    backup.add_argument("target", type=Path, metavar="FILE", help="file that is not there yet")
    recover = _opens(verbs.add("recover", run_recover, "put a verified backup in place"))
    recover.add_argument("backup", type=Path, metavar="FILE", help="the backup")


def run_init(args: argparse.Namespace, out: Output) -> ExitCode:
    """Make an empty vault."""
    from oem_security.vault.vault import Vault

    vault = Vault.create(_path(args), read_passphrase(args, "secret_passphrase", confirm=True),
                         _parameters(args))  # fmt: skip
    out.report({"vault": str(vault.path)}, str(vault.path))
    return ExitCode.OK


def run_list(args: argparse.Namespace, out: Output) -> ExitCode:
    """List names."""
    vault = _open(args, out)
    names = list(vault.names())
    out.report({"vault": str(vault.path), "version": vault.version, "names": names}, names)
    return ExitCode.OK


def run_put(args: argparse.Namespace, out: Output) -> ExitCode:
    """Store one secret."""
    from oem_security import InputError

    vault = _open(args, out)
    value = sys.stdin.readline().rstrip("\n")
    if not value:
        raise InputError(
            "no secret was given", where=args.name, remedy="write it to standard input, in one line"
        )
    vault.put(args.name, value)
    out.report({"stored": args.name, "version": vault.version}, f"stored {args.name}")
    return ExitCode.OK


def run_get(args: argparse.Namespace, out: Output) -> ExitCode:
    """Print one secret."""
    value = _open(args, out).get(args.name)
    out.report({"name": args.name, "value": value}, value)
    return ExitCode.OK


def run_remove(args: argparse.Namespace, out: Output) -> ExitCode:
    """Remove one secret."""
    _open(args, out).remove(args.name)
    out.report({"removed": args.name}, f"removed {args.name}")
    return ExitCode.OK


def run_rotate(args: argparse.Namespace, out: Output) -> ExitCode:
    """Change passphrase, work factors and keys."""
    old = read_passphrase(args, "secret_passphrase")
    vault = _open(args, out, old)
    new = read_passphrase(args, "new_passphrase", needed=False) or old
    vault.rotate(new, _parameters(args, vault.parameters))
    chosen = vault.parameters
    out.report(
        {"version": vault.version, "memory_kib": chosen.memory_kib,
         "iterations": chosen.iterations, "lanes": chosen.lanes},
        f"version {vault.version}: Argon2id {chosen.memory_kib} KiB, {chosen.iterations} passes, "
        f"{chosen.lanes} lanes",
    )  # fmt: skip
    return ExitCode.OK


def run_import(args: argparse.Namespace, out: Output) -> ExitCode:
    """Take over secrets from another file."""
    from oem_security.files import read_bounded
    from oem_security.vault.legacy import read_fernet, read_plain
    from oem_security.vault.vault import chosen, preview

    if args.fernet_salt_file:
        values = read_fernet(
            args.secrets_input,
            read_passphrase(args, "legacy_passphrase"),
            read_bounded(args.fernet_salt_file, 4096, what="file of the salt").strip(),
            iterations=args.fernet_iterations,
            ending=args.fernet_form,
        )
    else:
        values = read_plain(args.secrets_input)
    shown = preview(values, args.include, args.exclude)
    if not args.preview:
        _open(args, out).put_all(chosen(values, args.include, args.exclude))
    rows = [(name, str(length)) for name, length in shown]
    word = "would be stored" if args.preview else "stored"
    out.report(
        {"stored": not args.preview, "names": [name for name, _ in shown]},
        [*table(("name", "characters"), rows, right=(1,)), f"{len(shown)} {word}"],
    )
    return ExitCode.OK


def run_backup(args: argparse.Namespace, out: Output) -> ExitCode:
    """Copy the vault."""
    vault = _open(args, out)
    vault.backup(args.target)
    out.report({"backup": str(args.target), "version": vault.version}, str(args.target))
    return ExitCode.OK


def run_recover(args: argparse.Namespace, out: Output) -> ExitCode:
    """Put a backup in place."""
    from oem_security.vault.vault import Vault

    secret = read_passphrase(args, "secret_passphrase")
    vault = Vault.recover(_path(args), args.backup, secret)
    out.report(
        {"vault": str(vault.path), "version": vault.version, "names": len(vault.names())},
        f"{vault.path}: {len(vault.names())} secrets, version {vault.version}",
    )
    return ExitCode.OK


def _opens(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("--vault", type=Path, metavar="FILE",
                        help="the vault (default: secrets/api_keys.vault of the site)")  # fmt: skip
    passphrase_options(parser, "secret-", "passphrase of the vault (default: asked for)")
    return parser


def _work_factors(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("--memory-kib", type=int, metavar="N", help="Argon2id memory (65536)")
    parser.add_argument("--iterations", type=int, metavar="N", help="Argon2id passes (3)")
    parser.add_argument("--lanes", type=int, metavar="N", help="Argon2id lanes (4)")
    return parser


def _parameters(args: argparse.Namespace, base: KdfParameters | None = None) -> KdfParameters:
    from oem_security.vault.kdf import KdfParameters

    base = base or KdfParameters()
    return KdfParameters(
        args.memory_kib or base.memory_kib,
        args.iterations or base.iterations,
        args.lanes or base.lanes,
    )


def _path(args: argparse.Namespace) -> Path:
    from oem_daemon.site import Site

    chosen: Path = args.vault or Site(args.site).vault
    return chosen


def _open(args: argparse.Namespace, out: Output, secret: str | None = None) -> Vault:
    from oem_security.vault.vault import Vault

    vault = Vault.open(_path(args), secret or read_passphrase(args, "secret_passphrase"))
    if vault.floor_missing:
        out.say("the counter beside the vault is missing: an older copy would not be noticed")
    return vault
