"""What the process says with its last number."""

from __future__ import annotations

import enum


class ExitCode(enum.IntEnum):
    """Exit codes of the `oem` command; the reference page is generated from these."""

    OK = 0
    """The command did what was asked, and every check it made holds."""
    FAILED = 1
    """The command ran to its end and the answer is no: a verdict FAIL, a broken seal."""
    USAGE = 2
    """The command line is wrong."""
    INPUT = 3
    """A file, field or value handed in is wrong."""
    TRUST = 4
    """A signature, licence, key, token, certificate or fingerprint does not hold."""
    UNAVAILABLE = 5
    """A peer, port or process cannot be reached or is taken."""
    INCONCLUSIVE = 6
    """The evidence does not decide; the message says how much more is needed."""
    STORAGE = 7
    """The disk refused: full, read-only, locked."""
    STATE = 8
    """The request is right but the moment is wrong: halted, exists already, not initialised."""
    INTERNAL = 70
    """A defect in the product; the message says where the details were written."""
    INTERRUPTED = 130
    """Interrupted from the keyboard."""
