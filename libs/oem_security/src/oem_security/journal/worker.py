"""One of several processes that verify a log: it checks the blocks it is asked for.

Starting it is what a verification cannot share out, so it imports little.
"""

from __future__ import annotations

import os
import pickle
import signal
import struct
import sys
from pathlib import Path

from oem_security.journal.block import Block, check_block
from oem_security.journal.record import FastMac

LENGTH = struct.Struct(">I")
"""How long a question or an answer is, in front of each."""


def serve() -> None:
    """Check blocks that are asked for on standard input until it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    while len(head := source.read(LENGTH.size)) == LENGTH.size:
        message = source.read(LENGTH.unpack(head)[0])
        name, inode, mac, key_id, begin, end = pickle.loads(message)  # noqa: S301 - the parent's
        block = _check_named(Path(name), inode, begin, end, mac, key_id)
        answer = pickle.dumps(block)
        sink.write(LENGTH.pack(len(answer)) + answer)
        sink.flush()


def _check_named(
    name: Path, inode: int, begin: int, end: int, mac: FastMac, key_id: str
) -> Block | None:
    """Check a block of a file that its writer may have renamed meanwhile."""
    number = int(key_id.rpartition(".")[2])
    for path in (name, name.with_name(f"{name.name}.{number:05d}")):
        try:
            with path.open("rb") as stream:
                if os.fstat(stream.fileno()).st_ino == inode:
                    block = check_block(os.pread(stream.fileno(), end - begin, begin), mac, key_id)
                    block.leaves = []
                    return block
        except FileNotFoundError:
            continue
    return None
