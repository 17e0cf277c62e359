"""Parquet files: what the footer says of one, and its rows in the text form that a CSV file would have."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from orchestration.take_in.landing import LandedTable
from orchestration.take_in.layout import (
    BYTES_A_BATCH,
    HAS_NUL,
    NOT_UTF8,
    RECORDS_A_BATCH,
    Layout,
    Scan,
    bare,
    judge_header,
    measure_note,
    printable,
    scratch_schema,
)

_ROWS_MEASURED = 16


def scan_parquet(landed: LandedTable, layout: Layout, sha256: str | None) -> Scan:
    """What the file's footer says of it; `sha256`: of its bytes."""
    found = Scan(sha256=sha256)
    if landed.size_bytes == 0:
        found.fault = "is empty (0 bytes); land the file again"
        return found
    try:
        with pq.ParquetFile(landed.files[0]) as file:
            schema, found.rows = file.schema_arrow, file.metadata.num_rows
            in_groups = sum(file.metadata.row_group(group).num_rows for group in range(file.num_row_groups))
            names = [printable(bare(name)) for name in schema.names]
    except (pa.ArrowException, OSError, ValueError):
        found.fault = "is no readable Parquet file (damaged, encrypted or cut short); land the whole file again"
        return found
    if in_groups != found.rows:
        found.fault = (
            f"is damaged (its footer says {found.rows:,} rows, and {in_groups:,} of their groups); land the whole file again"
        )
        return found
    judge_header(names, found, layout)
    if found.column_fault is None:
        for name, place in found.positions.items():
            if pa.types.is_nested(schema.field(place).type):
                found.column_fault = (
                    name,
                    f"column {name} holds nested values; write plain ones and land the file again",
                )
                break
    return found


def parquet_batches(path: Path, found: Scan, layout: Layout) -> Iterator[pa.RecordBatch]:
    """The rows of a Parquet file as batches of `scratch_schema`; its first row has line number 2. Raises
    pa.ArrowException, OSError."""
    schema = scratch_schema(layout)
    names = [name for name in layout.names if name in found.positions]
    dates = layout.dates
    line = 2
    with pq.ParquetFile(path) as file:
        # The file's own names: there may be blanks around them.
        own = {name: file.schema_arrow.names[found.positions[name]] for name in names}
        for batch in _parquet_parts(file, list(own.values())):
            size = batch.num_rows
            bad = pa.repeat(pa.scalar(None, pa.string()), size)
            texts: dict[str, pa.Array] = {}
            not_utf8 = pa.repeat(False, size)
            for name in names:
                texts[name], wrong = _as_text(batch.column(own[name]), name in dates)
                if wrong is not None:
                    not_utf8 = pc.or_(not_utf8, wrong)
            nul = pa.repeat(False, size)
            for name in names:
                has_nul = pc.fill_null(pc.match_substring(texts[name], "\x00"), False)
                if pc.any(has_nul).as_py():
                    nul = pc.or_(nul, has_nul)
                    texts[name] = pc.if_else(has_nul, None, texts[name])
            bad = pc.if_else(not_utf8, NOT_UTF8, pc.if_else(nul, HAS_NUL, bad))
            columns: list[pa.Array] = [pa.array(range(line, line + size), pa.int64()), bad.cast(pa.string())]
            for name in layout.names:
                text = texts.get(name, pa.nulls(size, pa.string()))
                if name == "patient_id":
                    text = pc.if_else(not_utf8, None, text)  # not readable there
                if name == layout.note:
                    measured = [measure_note(value) for value in text.to_pylist()]
                    columns.append(pa.array([length for length, _ in measured], pa.int64()))
                    columns.append(pa.array([sha for _, sha in measured], pa.string()))
                else:
                    columns.append(text.cast(pa.string()))
            line += size
            yield pa.RecordBatch.from_arrays(columns, schema=schema)


def _parquet_parts(file: pq.ParquetFile, names: list[str]) -> Iterator[pa.RecordBatch]:
    """The rows, in batches that hold about BYTES_A_BATCH: a row group's size on disk says too little where a long value repeats, so that
    its first rows are measured."""
    for group in range(file.num_row_groups):
        told = file.metadata.row_group(group)
        if not told.num_rows:
            continue
        first = next(file.iter_batches(batch_size=_ROWS_MEASURED, columns=names, row_groups=[group]))
        bytes_a_row = max(told.total_byte_size / told.num_rows, first.nbytes / max(first.num_rows, 1), 1)
        batch_size = int(min(RECORDS_A_BATCH, max(1, BYTES_A_BATCH / bytes_a_row)))
        yield from file.iter_batches(batch_size=batch_size, columns=names, row_groups=[group])


def _as_text(values: pa.Array, is_date: bool) -> tuple[pa.Array, pa.Array | None]:
    """Plain values in the text form that a CSV file would have; and which of them are not UTF-8 (null then),
    if any is not."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        return _as_text(values.dictionary_decode(), is_date)
    if _is_string(kind) or _is_binary(kind):
        return _utf8(values)
    if pa.types.is_floating(kind):
        values = values.cast(pa.float64())
        values = pc.if_else(pc.is_nan(values), None, values)
        whole = pc.and_(pc.equal(values, pc.floor(values)), pc.less(pc.abs(values), 2.0**63))
        digits = pc.if_else(whole, values, None).cast(pa.int64(), safe=False).cast(pa.string())
        return pc.if_else(whole, digits, values.cast(pa.string())), None
    if pa.types.is_decimal(kind):
        return pc.replace_substring_regex(values.cast(pa.string()), r"\.0+$", ""), None
    if pa.types.is_timestamp(kind):
        # The numbers are UTC where there is a zone, and the wall clock where there is none.
        wall = pc.floor_temporal(values.cast(pa.int64()).cast(pa.timestamp(kind.unit)), unit="second")
        text = wall.cast(pa.timestamp("s"), safe=False).cast(pa.string())
        if kind.tz is not None:
            return pc.binary_join_element_wise(text, "Z", ""), None
        # pandas has no plain date: midnight is how it writes one
        return (pc.replace_substring_regex(text, r" 00:00:00$", "") if is_date else text), None
    if pa.types.is_date64(kind):
        values = values.cast(pa.date32())
    return values.cast(pa.string()), None


def _is_string(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def _is_binary(kind: pa.DataType) -> bool:
    return any(
        check(kind)
        for check in (
            pa.types.is_binary,
            pa.types.is_large_binary,
            pa.types.is_fixed_size_binary,
            pa.types.is_binary_view,
        )
    )


def _utf8(values: pa.Array) -> tuple[pa.Array, pa.Array | None]:
    try:
        if _is_string(values.type):
            values.validate(full=True)
        text = values.cast(pa.string())
        text.validate(full=True)
        return text, None
    except pa.ArrowInvalid:
        pass
    texts: list[str | None] = []
    wrong: list[bool] = []
    for value in values.cast(pa.large_binary()).to_pylist():
        try:
            texts.append(None if value is None else value.decode("utf-8"))
            wrong.append(False)
        except UnicodeDecodeError:
            texts.append(None)
            wrong.append(True)
    return pa.array(texts, pa.string()), pa.array(wrong)
