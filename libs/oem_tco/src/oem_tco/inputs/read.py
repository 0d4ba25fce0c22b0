"""Tables from Parquet, CSV, Arrow, pandas and the site's ledger, with the columns of a schema."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from oem_tco.errors import InputError
from oem_tco.inputs.schema import SCHEMAS, Column, Kind, Presence, TableName

if TYPE_CHECKING:
    import pandas as pd

    Source: TypeAlias = Path | str | pa.Table | pd.DataFrame

_TEXT = (Kind.ID, Kind.NAME, Kind.WORD)


@dataclass(frozen=True, slots=True)
class InputTable:
    """A table whose columns are there and of a type that can be read; cells are not checked yet.

    Attributes:
        name: Which table.
        rows: How many rows.
        arrays: The schema's columns that it has, one array each.
        positions: Position of each row in the table as it was given; None where it is all of it.
    """

    name: TableName
    rows: int
    arrays: Mapping[str, pa.Array] = field(repr=False)
    positions: npt.NDArray[np.int64] | None = field(default=None, repr=False)

    def take(self, rows: npt.NDArray[np.int64]) -> InputTable:
        """Return some rows, which still know where they stood."""
        chosen = pa.array(rows)
        taken = {name: array.take(chosen) for name, array in self.arrays.items()}
        known = rows if self.positions is None else self.positions[rows]
        return InputTable(self.name, len(rows), taken, known)

    def arrow(self) -> pa.Table:
        """Return the table as Arrow, columns in the schema's order."""
        return pa.table(dict(self.arrays))


def read_table(
    name: TableName | str,
    source: Source,
    *,
    columns: Mapping[str, str] | None = None,
    constants: Mapping[str, str] | None = None,
) -> InputTable:
    """Read one table and check that it has the columns of its schema.

    Args:
        name: Which table; decides the schema.
        source: A Parquet file, a folder of them, a CSV file with a header, an Arrow table or a
            pandas frame. CSV cells are kept as text until they are read exactly.
        columns: The schema's name to the source's name, for columns that are called otherwise.
        constants: Text for a column that the source does not have, such as the symbol of a file
            that holds one symbol.

    Raises:
        InputError: A file cannot be read, a column is missing or of a type that has no such
            meaning; the error names table and column.

    Example:
        >>> table = pa.table({"ts": [1], "bid": [1.5], "ask": [1.6]})
        >>> read_table("quotes", table, columns={"time_ns": "ts"}, constants={"symbol": "X"}).rows
        1
    """
    schema = SCHEMAS[TableName(name)]
    renamed, fixed = dict(columns or {}), dict(constants or {})
    for word in (*renamed, *fixed):
        if all(column.name != word for column in schema.columns):
            raise InputError(
                f"{schema.name.value} has no column {word!r}",
                where=word,
                remedy=f"name one of {', '.join(c.name for c in schema.columns)}",
            )
    wanted = {column.name: renamed.get(column.name, column.name) for column in schema.columns}
    table, where = _load(source, set(wanted.values()))
    arrays: dict[str, pa.Array] = {}
    missing = []
    for column in schema.columns:
        theirs = wanted[column.name]
        if theirs in table.column_names:
            arrays[column.name] = _checked(column, table.column(theirs), schema.name, where)
        elif column.name in fixed:
            arrays[column.name] = pa.DictionaryArray.from_arrays(
                pa.array([0] * table.num_rows, pa.int32()), pa.array([fixed[column.name]])
            )
        elif column.presence is not Presence.OPTIONAL:
            missing.append(column.name)
    if missing:
        raise InputError(
            f"{schema.name.value} lacks {', '.join(missing)}; it has "
            f"{', '.join(table.column_names) or 'no column'}",
            where=where,
            remedy="add the columns, or say what they are called there",
        )
    return InputTable(schema.name, table.num_rows, arrays)


def _load(source: Source, wanted: set[str]) -> tuple[pa.Table, str]:
    if isinstance(source, pa.Table):
        return source, "Arrow table"
    if isinstance(source, (str, Path)):
        path = Path(source)
        try:
            return _from_file(path, wanted), str(path)
        except (pa.ArrowException, UnicodeDecodeError) as error:
            raise InputError(
                f"it cannot be read: {str(error).splitlines()[0]}",
                where=str(path),
                remedy="give a Parquet file, a folder of them, or a CSV file with a header",
            ) from None
    try:
        return pa.Table.from_pandas(source, preserve_index=False), "pandas frame"
    except (pa.ArrowException, TypeError, AttributeError) as error:
        raise InputError(
            f"no table: {str(error).splitlines()[0]}",
            where=type(source).__name__,
            remedy="give a path, an Arrow table or a pandas frame whose columns have one type each",
        ) from None


def _from_file(path: Path, wanted: set[str]) -> pa.Table:
    import pyarrow.csv as pacsv
    import pyarrow.dataset as ds

    if not path.exists():
        raise InputError("there is no such file", where=str(path), remedy="correct the path")
    if path.suffix.lower() == ".csv":
        with path.open("rb") as stream:
            header = stream.readline().decode("utf-8-sig")
        names = pacsv.read_csv(pa.BufferReader(header.encode())).column_names if header else []
        convert = pacsv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True
        )
        return pacsv.read_csv(path, convert_options=convert)
    found = ds.dataset(path, format="parquet", partitioning="hive")
    return found.to_table(columns=[name for name in found.schema.names if name in wanted])


def _checked(column: Column, chunked: pa.ChunkedArray, name: TableName, where: str) -> pa.Array:
    if chunked.num_chunks == 1:
        array = chunked.chunk(0)
    else:
        if pa.types.is_dictionary(chunked.type):
            chunked = chunked.unify_dictionaries()
        array = chunked.combine_chunks()
    kind = array.type.value_type if pa.types.is_dictionary(array.type) else array.type
    if not _readable(column.kind, kind):
        hint = _HINTS.get(column.kind, "cast the column")
        raise InputError(
            f"{name.value}.{column.name} is of type {array.type}, wanted is {column.kind.value}",
            where=where,
            remedy=hint,
        )
    return array


_HINTS = {
    Kind.TIME: "give int64 UTC nanoseconds or a timestamp with a time zone, so that it is certain",
    Kind.DECIMAL: "give decimals, text or numbers",
}


def _readable(kind: Kind, found: Any) -> bool:
    t = pa.types
    text = t.is_string(found) or t.is_large_string(found)
    if t.is_null(found) or text:
        return True
    if kind is Kind.ID:
        return bool(t.is_integer(found))
    if kind in _TEXT:
        return False
    if kind is Kind.TIME:
        return bool(t.is_integer(found) or (t.is_timestamp(found) and found.tz is not None))
    if kind is Kind.COUNT:
        return bool(t.is_integer(found))
    return bool(t.is_integer(found) or t.is_floating(found) or t.is_decimal(found))
