"""Where a command writes: data on standard output, messages and progress on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TextIO


class Output:
    """The two streams of a command and the form its data takes.

    Attributes:
        as_json: Whether `report` prints JSON instead of text.
        data: Standard output.
        messages: Standard error.
    """

    __slots__ = ("as_json", "data", "messages")

    def __init__(
        self,
        as_json: bool = False,
        data: TextIO | None = None,
        messages: TextIO | None = None,
    ) -> None:
        self.as_json = as_json
        self.data = sys.stdout if data is None else data
        self.messages = sys.stderr if messages is None else messages

    def report(self, value: Mapping[str, object], text: str | Iterable[str]) -> None:
        """Print the command's result: `value` with `--json`, else the lines of `text`."""
        if self.as_json:
            print(json.dumps(value, indent=2, default=str, ensure_ascii=False), file=self.data)
            return
        for line in [text] if isinstance(text, str) else text:
            print(harmless(line), file=self.data)

    def say(self, message: str) -> None:
        """Print one message for the person at the terminal."""
        print(harmless(message), file=self.messages, flush=True)

    def progress(self, label: str, done: int, total: int) -> None:
        """Redraw a progress line; silent where standard error is not a terminal."""
        if not self.messages.isatty():
            return
        width = 28
        filled = width * done // max(total, 1)
        end = "\n" if done >= total else ""
        bar = "█" * filled + "·" * (width - filled)
        print(f"\r  {label:<28} {bar} {done}/{total}", end=end, file=self.messages, flush=True)


def harmless(text: str) -> str:
    """Return text with the characters that command a terminal or turn its direction spelled out.

    What is printed may be of a token, a request or a log that somebody else wrote.
    """
    return text.translate(_COMMANDS)


_COMMANDS = {
    code: f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
    for code in (
        *range(9),
        *range(11, 32),
        *range(127, 160),
        *range(0x202A, 0x202F),
        *range(0x2066, 0x206A),
    )
}
"""Control characters but tab and newline, and the overrides of writing direction."""


def table(
    header: Sequence[str], rows: Iterable[Sequence[object]], *, right: Iterable[int] = ()
) -> list[str]:
    """Return aligned text lines of a table; `right` names the columns aligned to the right."""
    body = [[str(cell) for cell in row] for row in rows]
    right_columns = set(right)
    widths = [max(len(line[i]) for line in [list(header), *body]) for i in range(len(header))]

    def line(cells: Sequence[str]) -> str:
        return "  ".join(
            cell.rjust(width) if i in right_columns else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ).rstrip()

    return [line(list(header)), line(["─" * width for width in widths]), *map(line, body)]
