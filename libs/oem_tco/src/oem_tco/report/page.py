"""Pages: fonts, styles, tables that wrap, and a document that has the same bytes each time.

Every text that comes from data is escaped: a strategy's name is not markup.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from xml.sax import saxutils

import matplotlib
from reportlab import rl_config
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    CondPageBreak,
    Flowable,
    Image,
    KeepTogether,
    Paragraph,
    SimpleDocTemplate,
    Spacer,
    Table,
    TableStyle,
)

from oem_tco.report.sheet import DIGEST_MARK, visible

# streams as bytes, not as ASCII; every library that makes reports says the same
rl_config.useA85 = 0

INK, PALE, FAINT = "#1f2933", "#52606d", "#d5dbe1"
WIDTH_MM = 174.0
_HEADING_ROOM = 45 * mm
_PADDING = 2
_MOST_KEPT, _LEAST_KEPT = 8, 3  # lines of a block that stand on one page
_FONT, _BOLD = "OemSans", "OemSans-Bold"


class Page:
    """Collects the parts of one report and turns them into PDF bytes.

    Args:
        title: Title of the document.
        csv_sha384: Digest of the CSV it belongs to; it stands on the last page and in the
            document's own metadata.
        subtitle: One line for the foot of each page.
    """

    def __init__(self, title: str, *, csv_sha384: str, subtitle: str) -> None:
        _register()
        self._title = title
        self._digest = csv_sha384
        self._subtitle = subtitle
        self._body = ParagraphStyle(
            "body", fontName=_FONT, fontSize=8.5, leading=11.5, textColor=colors.HexColor(INK)
        )
        self._strong = ParagraphStyle("strong", self._body, fontName=_BOLD)
        self._heading = ParagraphStyle(
            "heading", self._body, fontName=_BOLD, fontSize=11, leading=14, spaceBefore=9,
            spaceAfter=3, keepWithNext=1,
        )  # fmt: skip
        self._small = ParagraphStyle(
            "small", self._body, fontSize=7, leading=9, textColor=colors.HexColor(PALE)
        )
        title_style = ParagraphStyle(
            "title", self._body, fontName=_BOLD, fontSize=17, leading=21, spaceAfter=4
        )
        self._story: list[Flowable] = [Paragraph(escape(title), title_style)]

    def text(self, words: str) -> None:
        """Add a paragraph of plain words."""
        self._story += [Paragraph(escape(words), self._body), Spacer(1, 1.5 * mm)]

    def heading(self, words: str) -> None:
        """Add a heading that stays with what follows."""
        # a kept block moves to the next page as a whole and would leave the heading behind
        self._story += [CondPageBreak(_HEADING_ROOM), Paragraph(escape(words), self._heading)]

    def lines(self, lines: Iterable[str], *, title: str = "") -> None:
        """Add a block of lines, kept on one page if it is short; `title` in bold before them."""
        block: list[Flowable] = [Paragraph(escape(title), self._strong)] if title else []
        block += [Paragraph(escape(line), self._body) for line in lines]
        kept = len(block) if len(block) <= _MOST_KEPT else _LEAST_KEPT
        self._story += [KeepTogether(block[:kept]), *block[kept:], Spacer(1, 2 * mm)]

    def small(self, words: str) -> None:
        """Add a small note."""
        self._story += [Paragraph(escape(words), self._small), Spacer(1, 1 * mm)]

    def figure(self, png: bytes, *, ratio: float) -> None:
        """Add a figure over the whole width; `ratio` is its height over its width."""
        width = WIDTH_MM * mm
        self._story += [Image(io.BytesIO(png), width=width, height=width * ratio), Spacer(1, mm)]

    def table(
        self,
        header: Sequence[str],
        rows: Iterable[Sequence[object]],
        *,
        texts: int = 1,
        widths: Sequence[float] | None = None,
        size: float = 7.0,
    ) -> None:
        """Add a table over the whole width; the header is repeated on each page.

        Args:
            header: Column names.
            rows: Cells; they are shown as text and wrap.
            texts: How many columns from the left are texts; the others align to the right.
            widths: Relative widths; None gives texts twice the room of figures.
            size: Font size, points.
        """
        cell = ParagraphStyle("cell", self._body, fontSize=size, leading=size * 1.22)
        head = ParagraphStyle("head", cell, fontName=_BOLD)
        styles = [cell if i < texts else _right(cell) for i in range(len(header))]
        heads = [head if i < texts else _right(head) for i in range(len(header))]
        shares = list(widths or (2.0 if i < texts else 1.0 for i in range(len(header))))
        unit = WIDTH_MM * mm / math.fsum(shares)
        columns = [unit * share for share in shares]
        room = [width - 2 * _PADDING for width in columns]
        body: list[list[Paragraph | str]] = [_shown(header, heads, [0.0] * len(header))]
        body += [_shown(row, styles, room) for row in rows]
        figures: list[Any] = [
            ("FONT", (0, 1), (-1, -1), _FONT, size, cell.leading),
            ("TEXTCOLOR", (0, 1), (-1, -1), cell.textColor),
            ("ALIGN", (texts, 1), (-1, -1), "RIGHT"),
        ]
        self._story += [
            Table(
                body, colWidths=columns, repeatRows=1, style=TableStyle(figures, _RULES),
                hAlign="LEFT",
            ),
            Spacer(1, 2 * mm),
        ]  # fmt: skip

    def pdf(self) -> bytes:
        """Return the document; the same parts give the same bytes."""
        self.small(f"Table in CSV, SHA-384 {self._digest}")
        buffer = io.BytesIO()
        document = SimpleDocTemplate(
            buffer, pagesize=A4, invariant=1, title=self._title, author="", leftMargin=18 * mm,
            rightMargin=18 * mm, topMargin=15 * mm, bottomMargin=17 * mm,
            keywords=[f"{DIGEST_MARK}{self._digest}"],
        )  # fmt: skip
        foot = partial(_foot, words=f"{self._title} · {self._subtitle}")
        document.build(self._story, onFirstPage=foot, onLaterPages=foot)
        return buffer.getvalue()


_RULES = TableStyle(
    [
        ("LINEBELOW", (0, 0), (-1, 0), 0.6, colors.HexColor(INK)),
        ("LINEBELOW", (0, 1), (-1, -1), 0.25, colors.HexColor(FAINT)),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LEFTPADDING", (0, 0), (-1, -1), _PADDING),
        ("RIGHTPADDING", (0, 0), (-1, -1), _PADDING),
        ("TOPPADDING", (0, 0), (-1, -1), 1.5),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 2.5),
    ]
)


def escape(text: str) -> str:
    """Return text that is no markup and holds no control character."""
    return saxutils.escape(visible(text))


def _right(style: ParagraphStyle) -> ParagraphStyle:
    return ParagraphStyle(f"{style.name}-right", style, alignment=2)


def _shown(
    cells: Sequence[object], styles: Sequence[ParagraphStyle], room: Sequence[float]
) -> list[Paragraph | str]:
    """Return cells as text where they fit on one line of their room, else as what wraps."""
    shown: list[Paragraph | str] = []
    for cell, style, width in zip(cells, styles, room, strict=True):
        text = visible(str(cell))
        fits = width > 0 and pdfmetrics.stringWidth(text, _FONT, style.fontSize) <= width
        shown.append(text if fits and "\n" not in text else Paragraph(escape(text), style))
    return shown


def _foot(canvas: Canvas, document: Any, *, words: str) -> None:
    canvas.saveState()
    canvas.setFont(_FONT, 7)
    canvas.setFillColor(colors.HexColor(PALE))
    canvas.drawString(18 * mm, 10 * mm, words)
    canvas.drawRightString(A4[0] - 18 * mm, 10 * mm, f"page {document.page}")
    canvas.restoreState()


def _register() -> None:
    """Make the fonts known; they come with matplotlib and know more letters than PDF's own."""
    if _FONT not in pdfmetrics.getRegisteredFontNames():
        folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
        pdfmetrics.registerFont(TTFont(_FONT, str(folder / "DejaVuSans.ttf")))
        pdfmetrics.registerFont(TTFont(_BOLD, str(folder / "DejaVuSans-Bold.ttf")))
        pdfmetrics.registerFontFamily(_FONT, normal=_FONT, bold=_BOLD, italic=_FONT)
