"""What a mapping that is tried does not know of a file: `ccm map try`."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa

from orchestration.mapping import plain
from orchestration.mapping import sql as mapping_sql
from orchestration.take_in import scan
from orchestration.take_in.csv_rows import csv_batches
from orchestration.take_in.landing import LandedTable
from orchestration.take_in.layout import scratch_schema
from orchestration.take_in.parquet_files import parquet_batches
from orchestration.take_in.scratch import scratch_engine


def unknown_words(landed: LandedTable) -> list[dict[str, Any]]:
    """column, word, lines of every word in a file that its mapping's words do not know: values of the file, the most frequent first."""
    assert landed.mapped is not None
    with tempfile.TemporaryDirectory(prefix="ccm-words-") as folder:  # 0700
        scratch = Path(folder) / ".words.tmp"
        path = Path(folder) / "plain.csv" if plain.wants_copy(landed, landed.mapped) else None
        if path is not None and plain.copy(landed, landed.mapped, path) is not None:
            return []
        layout = plain.layout(landed.mapped, path)
        found = scan.scan(landed, layout, path)
        asked = mapping_sql.unknown_words(landed.mapped.variants, "held")
        if found.fault or found.column_fault or asked is None:
            return []
        is_parquet = landed.format == "parquet"
        batches = parquet_batches(landed.files[0], found, layout) if is_parquet else csv_batches(landed, found, layout, path)
        with scratch_engine(scratch) as engine:
            engine.register("rows_of_one", pa.RecordBatchReader.from_batches(scratch_schema(layout), batches))
            engine.execute(f"create table held as select {asked[0]} from rows_of_one")
            return [{"column": column, "word": word, "lines": lines} for column, word, lines in engine.execute(asked[1]).fetchall()]
