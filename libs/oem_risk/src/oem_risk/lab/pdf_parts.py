"""What the pages of the report share: styles, numbers in words, tables, pictures."""

from __future__ import annotations

import io

from reportlab import rl_config
from reportlab.graphics.shapes import Drawing, Line, Rect
from reportlab.lib import colors
from reportlab.lib.styles import ParagraphStyle, getSampleStyleSheet
from reportlab.lib.units import mm
from reportlab.platypus import Image, Paragraph, Table, TableStyle

from oem_risk.lab.verdict import Verdict

# streams as bytes: in ASCII a report is a quarter longer, and every byte of it made in Python
rl_config.useA85 = 0

COLOURS = {Verdict.PASS: "#1a7f4b", Verdict.FAIL: "#b42318", Verdict.INCONCLUSIVE: "#9a6700"}
RED = COLOURS[Verdict.FAIL]
WIDTH = 172 * mm
BODY = ParagraphStyle("body", parent=getSampleStyleSheet()["BodyText"], fontSize=8.5, leading=11.5)
SMALL = ParagraphStyle(
    "small", parent=BODY, fontSize=7, leading=9, textColor=colors.HexColor("#52606d")
)
HEADING = ParagraphStyle("heading", parent=BODY, fontSize=11, leading=14, spaceBefore=8)
_RIGHT = ParagraphStyle("right", fontSize=8, leading=9.6, alignment=2)
_LEFT = ParagraphStyle("left", fontSize=8, leading=9.6)
_RULES = TableStyle(
    [
        ("FONTSIZE", (0, 0), (-1, -1), 8),
        ("LINEBELOW", (0, 0), (-1, 0), 0.6, colors.HexColor("#1f2933")),
        ("LINEBELOW", (0, 1), (-1, -1), 0.25, colors.HexColor("#d5dbe1")),
        ("ALIGN", (1, 0), (-1, -1), "RIGHT"),
        ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
        ("VALIGN", (0, 0), (-1, 0), "BOTTOM"),
        ("TOPPADDING", (0, 0), (-1, -1), 2),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
        ("LEFTPADDING", (0, 0), (-1, -1), 3),
        ("RIGHTPADDING", (0, 0), (-1, -1), 3),
    ]
)


def pct(share: float, digits: int = 2, *, sign: bool = False) -> str:
    """Return a share in per cent; what rounds to nothing has no sign.

    Example:
        >>> pct(0.12345), pct(-1e-9, 1), pct(0.02, 0, sign=True)
        ('12.35 %', '0.0 %', '+2 %')
    """
    number = round(share * 100, digits) + 0.0
    return f"{number:{'+' if sign else ''}.{digits}f} %"


def coloured(words: str, colour: str, *, left: bool = False) -> Paragraph:
    """Return bold words of a colour, for a cell."""
    return Paragraph(f'<font color="{colour}"><b>{words}</b></font>', _LEFT if left else _RIGHT)


def verdict_cell(verdict: Verdict) -> Paragraph:
    """Return a verdict in its colour, for a cell."""
    return coloured(verdict.value, COLOURS[verdict])


def words_cell(words: str) -> Paragraph:
    """Return words that may break over lines, for a first column."""
    return Paragraph(words, _LEFT)


def ruled(rows: list[list[object]], widths_mm: list[float], *, names: int = 1) -> Table:
    """Return a table whose first row is its head and whose first columns are names."""
    style = TableStyle([("ALIGN", (0, 0), (names - 1, -1), "LEFT")], parent=_RULES)
    return Table(
        rows, style=style, hAlign="LEFT", colWidths=[w * mm for w in widths_mm], repeatRows=1
    )


def bar_cell(share: float, *, beyond: bool) -> Drawing:
    """Return a bar whose frame is the limit; red where something went beyond it."""
    full, height = 28 * mm, 2.6 * mm
    drawing = Drawing(full * 1.2, height)
    parts = ((full, "#eef1f4"), (full * min(share, 1.2), RED if beyond else "#2563a8"))
    for width, ink in parts:
        rectangle = Rect(0, 0, width, height)
        rectangle.fillColor, rectangle.strokeColor = colors.HexColor(ink), None
        drawing.add(rectangle)
    drawing.add(Line(full, -1, full, height + 1))
    return drawing


def picture(png: bytes, height_in: float) -> Image:
    """Return a figure as wide as the text; figures are 7.2 in wide."""
    return Image(io.BytesIO(png), width=WIDTH, height=WIDTH * height_in / 7.2)
