"""`oem journal`: write, verify, prove and mend signed logs."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from oem_cli.exit_codes import ExitCode
from oem_cli.output import Output, table
from oem_cli.parser import Verbs

if TYPE_CHECKING:
    from oem_security import Keyring, Witness


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verbs of `oem journal`."""
    verbs = Verbs(parser)
    append = verbs.add("append", run_append, "write an entry, or hand it to the running writer")
    append.add_argument("log", type=Path, metavar="LOG", help="the journal")
    append.add_argument("--kind", required=True, help="kind of the entry, such as operator.note")
    append.add_argument("--body", default="-", help="the entry, a JSON object; - reads it")
    verify = verbs.add("verify", run_verify, "check every record, link, MAC, seal and checkpoint")
    verify.add_argument("log", type=Path, metavar="LOG", help="the journal")
    verify.add_argument(
        "--strict", action="store_true", help="also refuse an unfinished or uncovered end"
    )
    verify.add_argument(
        "--witness", metavar="FILE", help="also hold it against a witness line kept elsewhere"
    )
    verify.add_argument(
        "--processes", type=int, default=1, metavar="N", help="check a large log with N processes"
    )
    summary = verbs.add("summary", run_summary, "count the records of a journal by kind")
    summary.add_argument("log", type=Path, metavar="LOG", help="the journal")
    checkpoint = verbs.add("checkpoint", run_checkpoint, "sign size and Merkle root of a journal")
    checkpoint.add_argument("log", type=Path, metavar="LOG", help="the journal")
    written_by = [append, verify, summary, checkpoint, *_configure_proofs(verbs)]
    recover = verbs.add("recover", run_recover, "mend what a crash left, or begin a log anew")
    recover.add_argument("log", type=Path, metavar="LOG", help="the journal")
    recover.add_argument(
        "--begin-anew",
        action="store_true",
        help="set a damaged log aside as evidence and begin a new one that says so",
    )
    recover.add_argument("--reason", default="", help="with --begin-anew: why; it is written down")
    for verb in (*written_by, recover):
        verb.add_argument("--vendor", type=Path, metavar="DIR", help="a log of the vendor's")


def _configure_proofs(verbs: Verbs) -> tuple[argparse.ArgumentParser, ...]:
    prove = verbs.add("prove", run_prove, "show that a record is in a journal; check such a proof")
    prove.add_argument("log", type=Path, metavar="LOG", nargs="?", help="the journal")
    prove.add_argument("--seq", type=int, help="number of the record")
    prove.add_argument("--output", type=Path, metavar="FILE", help="where to write the proof")
    prove.add_argument("--check", type=Path, metavar="FILE", help="check this proof instead")
    prove.add_argument(
        "--witness", metavar="FILE", help="a witness kept elsewhere, whose checkpoint it is to be"
    )
    export = verbs.add("export-witness", run_export, "a line to keep elsewhere, as text and QR")
    export.add_argument("log", type=Path, metavar="LOG", help="the journal")
    export.add_argument("--since", metavar="FILE", help="the witness handed out before")
    export.add_argument("--output", type=Path, metavar="FILE", help="write the line to a file")
    export.add_argument("--qr", type=Path, metavar="FILE", help="write it as a QR code (PNG)")
    check = verbs.add("check-witness", run_check_witness, "hold a later witness against an earlier")
    check.add_argument("earlier", metavar="EARLIER", help="file of the earlier witness line")
    check.add_argument("later", metavar="LATER", help="file of the later one")
    return prove, export


def run_append(args: argparse.Namespace, out: Output) -> ExitCode:
    """Write one entry through whichever process writes the journal."""
    from oem_security import hand_over
    from oem_security.strict_json import loads_object

    text = sys.stdin.buffer.read(2 << 20) if args.body == "-" else os.fsencode(args.body)
    body = loads_object(text, what="entry", max_bytes=1 << 20)
    receipt = hand_over(args.log, _keyring(args), args.kind, body)
    out.report({"seq": receipt.seq, "leaf": receipt.leaf}, f"record {receipt.seq} is on disk")
    return ExitCode.OK


def run_verify(args: argparse.Namespace, out: Output) -> ExitCode:
    """Verify a journal; a log that does not hold ends in the error that names the line."""
    from oem_security import check_witness, verify_journal

    keyring = _keyring(args)
    report = verify_journal(
        args.log, keyring, strict=args.strict, processes=max(1, min(args.processes, 64))
    )
    lines = [f"{args.log}: {report.records} records hold, {report.checkpointed} under a checkpoint"]
    seen = 0
    if args.witness:
        witness = _witness(args.witness)
        check_witness(args.log, keyring, witness)
        seen = witness.size
        lines.append(f"its first {seen} records are those the witness saw")
    out.report(
        {
            "ok": True,
            "records": report.records,
            "checkpointed": report.checkpointed,
            "epochs": report.epochs,
            "recoveries": report.recoveries,
            "torn_bytes": report.torn_bytes,
            "root": report.root,
            "witnessed": seen,
        },
        lines,
    )
    return ExitCode.OK


def run_summary(args: argparse.Namespace, out: Output) -> ExitCode:
    """Count a journal's records by kind."""
    from oem_security import verify_journal

    report = verify_journal(args.log, _keyring(args))
    kinds = dict(sorted(report.kinds.items()))
    out.report({"kinds": kinds}, table(("kind", "records"), kinds.items(), right=(1,)))
    return ExitCode.OK


def run_checkpoint(args: argparse.Namespace, out: Output) -> ExitCode:
    """Sign a checkpoint, through the running writer where there is one."""
    from oem_security import InputError, checkpoint_journal

    if not args.log.exists():
        raise InputError("there is no such journal", where=str(args.log), remedy="correct the path")
    receipt = checkpoint_journal(args.log, _keyring(args))
    out.report({"size": receipt.seq}, f"{receipt.seq} records are under a checkpoint")
    return ExitCode.OK


def run_prove(args: argparse.Namespace, out: Output) -> ExitCode:
    """Make a proof of inclusion, or check one."""
    from oem_security import InclusionProof, InputError, check_inclusion, prove

    witness = _witness(args.witness) if args.witness else None
    if args.check is not None:
        proof = InclusionProof.from_json(_read(args.check))
        record = check_inclusion(proof, witness)
        out.report(
            {"ok": True, "seq": record.seq, "time": record.time, "kind": record.kind,
             "body": dict(record.body), "size": proof.size, "public": proof.public.hex()},
            f"record {record.seq} ({record.kind}, {record.time}) is one of the {proof.size} that "
            f"the key {proof.public.hex()[:16]}… signed",
        )  # fmt: skip
        return ExitCode.OK
    if args.log is None or args.seq is None:
        raise InputError("nothing to prove", remedy="name LOG and --seq, or a proof with --check")
    proof = prove(args.log, _keyring(args), args.seq, witness)
    where = args.output or Path(f"{args.log.name}.{args.seq}.proof.json")
    _write(where, proof.to_json())
    out.report(
        {"proof": str(where), "seq": proof.seq, "size": proof.size, "hashes": len(proof.path)},
        f"{where} shows record {proof.seq} among {proof.size}, with {len(proof.path)} hashes",
    )
    return ExitCode.OK


def run_export(args: argparse.Namespace, out: Output) -> ExitCode:
    """Write a witness line."""
    from oem_security import export_witness, witness_png

    since = _witness(args.since) if args.since else None
    witness = export_witness(args.log, _keyring(args), since)
    line = witness.line()
    if args.output is not None:
        _write(args.output, line.encode() + b"\n")
    if args.qr is not None:
        _write(args.qr, witness_png(witness))
    out.report(
        {"witness": line, "size": witness.size, "epoch": witness.epoch, "since": witness.since,
         "root": witness.root.hex()},
        line,
    )  # fmt: skip
    return ExitCode.OK


def run_check_witness(args: argparse.Namespace, out: Output) -> ExitCode:
    """Hold two witness lines against one another."""
    from oem_security import check_succession

    earlier, later = _witness(args.earlier), _witness(args.later)
    check_succession(earlier, later)
    out.report(
        {"ok": True, "earlier": earlier.size, "later": later.size},
        f"the log of {later.size} records begins with that of {earlier.size}",
    )
    return ExitCode.OK


def run_recover(args: argparse.Namespace, out: Output) -> ExitCode:
    """Mend a journal."""
    from oem_security import begin_anew, recover

    keyring = _keyring(args)
    if args.begin_anew:
        done = begin_anew(args.log, keyring, reason=args.reason)
        words = f"a new log is begun; {done.held} records held, the rest is kept in {done.kept}"
    else:
        done = recover(args.log, keyring)
        words = f"{done.report.records} records hold, {done.report.recoveries} recoveries on record"
    out.report(
        {"records": done.report.records, "recoveries": done.report.recoveries, "kept": done.kept,
         "held": done.held, "fault": done.fault},
        words,
    )  # fmt: skip
    return ExitCode.OK


def _keyring(args: argparse.Namespace) -> Keyring:
    from oem_daemon.provision import Vendor
    from oem_daemon.site import Site
    from oem_security import Keyring

    return Keyring.open(Vendor(args.vendor).keys if args.vendor else Site(args.site).keys)


def _witness(file: str) -> Witness:
    from oem_security import Witness

    text = sys.stdin.buffer.read(1 << 16) if file == "-" else _read(Path(file))
    return Witness.parse(text.decode("ascii", "replace"))


def _read(path: Path) -> bytes:
    from oem_security.files import read_bounded

    return read_bounded(path, 4 << 20, what="file")


def _write(path: Path, data: bytes) -> None:
    from oem_security.files import write_atomic

    write_atomic(path, data)
