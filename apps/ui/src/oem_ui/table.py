"""A table of rows as QML reads it: newest first, each key once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, Qt, Slot

from oem_ui.rows import Column, Row

MAX_ROWS = 500
CELLS_ROLE = int(Qt.ItemDataRole.UserRole) + 1
TONE_ROLE = CELLS_ROLE + 1
_Index = QModelIndex | QPersistentModelIndex


class TableModel(QAbstractListModel):
    """Rows of one kind; a row with a known key replaces the one held."""

    def __init__(self, columns: tuple[Column, ...]) -> None:
        super().__init__()
        self._columns = columns
        self._rows: list[Row] = []

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008, N802
        return 0 if parent.isValid() else len(self._rows)

    def data(self, index: _Index, role: int = 0) -> Any:
        row = self._rows[index.row()]
        if role == CELLS_ROLE:
            return list(row.cells)
        return row.tone if role == TONE_ROLE else ", ".join(row.cells)

    def roleNames(self) -> dict[int, Any]:  # noqa: N802
        return {CELLS_ROLE: b"cells", TONE_ROLE: b"tone"}

    @Slot(result="QVariantList")
    def columns(self) -> list[dict[str, object]]:
        """Return the columns for the header."""
        return [{"title": c.title, "share": c.share, "number": c.number} for c in self._columns]

    def replace(self, rows: Iterable[Row]) -> None:
        """Show these rows and no others."""
        self.beginResetModel()
        self._rows = list(rows)[:MAX_ROWS]
        self.endResetModel()

    def upsert(self, row: Row) -> None:
        """Change the row of the same key in place, or put a new one on top."""
        for position, held in enumerate(self._rows):
            if held.key == row.key:
                self._rows[position] = row
                index = self.index(position)
                self.dataChanged.emit(index, index)
                return
        self.beginInsertRows(QModelIndex(), 0, 0)
        self._rows.insert(0, row)
        self.endInsertRows()
        if len(self._rows) > MAX_ROWS:
            self.beginRemoveRows(QModelIndex(), MAX_ROWS, MAX_ROWS)
            self._rows.pop()
            self.endRemoveRows()
