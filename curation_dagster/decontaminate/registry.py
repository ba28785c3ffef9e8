"""The benchmarks' files as one table: a row for every item and part that has text.

JSONL and CSV (plain, .gz, .zst) and Parquet are read whole: benchmarks are small.
"""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from curation_dagster.errors import RecipeError
from curation_dagster.recipe_decontaminate import PARTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from curation_dagster.recipe_decontaminate import Benchmark

ITEMS = {"benchmark": pl.String, "item": pl.String, "part": pl.String, "text": pl.String}


def read_items(benchmarks: Sequence[Benchmark], root: Path = Path()) -> pl.DataFrame:
    """Read every benchmark (paths relative to `root`): ITEMS, by recipe order, record and part.

    Raises:
        RecipeError: if a file or a field is missing, or a file cannot be read; names both.
    """
    return pl.concat([pl.DataFrame(schema=ITEMS), *(_items_of(b, root) for b in benchmarks)])


def _items_of(benchmark: Benchmark, root: Path) -> pl.DataFrame:
    path = root / benchmark.file.path
    table = _read_table(path, benchmark)
    ids = _ids(table, benchmark, path)
    parts = [
        pl.select(
            record=pl.int_range(table.height),
            place=pl.lit(place),
            benchmark=pl.repeat(benchmark.name, table.height, dtype=pl.String),
            item=ids,
            part=pl.repeat(part, table.height, dtype=pl.String),
            text=pl.concat_str(
                [_as_text(_field(table, name, part, benchmark, path)) for name in names],
                separator="\n",
                ignore_nulls=True,
            ),
        )
        for place, part in enumerate(PARTS)
        if (names := benchmark.fields(part))
    ]
    rows = pl.concat(parts).filter(pl.col("text").str.len_bytes() > 0)
    return rows.sort("record", "place").select(list(ITEMS))


def _ids(table: pl.DataFrame, benchmark: Benchmark, path: Path) -> pl.Series:
    if benchmark.id_field is None:
        return pl.Series("item", range(table.height), dtype=pl.Int64).cast(pl.String)
    ids = _field(table, benchmark.id_field, "id_field", benchmark, path)
    if nulls := ids.null_count():
        msg = (
            f"benchmark {benchmark.name!r}: {path} has {nulls} items without {benchmark.id_field!r}"
        )
        raise RecipeError(msg)
    return ids.cast(pl.String)


def _field(
    table: pl.DataFrame, name: str, setting: str, benchmark: Benchmark, path: Path
) -> pl.Series:
    if name in table.columns:
        return table[name]
    msg = f"benchmark {benchmark.name!r}: {path} has no field {name!r} ({setting}); found {table.columns}"
    raise RecipeError(msg)


def _as_text(field: pl.Series) -> pl.Series:
    """Turn a field into text: a list's members are joined by newlines."""
    if isinstance(field.dtype, pl.List):
        return field.cast(pl.List(pl.String)).list.join("\n", ignore_nulls=True)
    return field.cast(pl.String)


def _read_table(path: Path, benchmark: Benchmark) -> pl.DataFrame:
    """Read JSONL, CSV (plain, .gz or .zst) or Parquet; CSV fields stay text."""
    name = benchmark.name
    try:
        suffixes = path.suffixes
        if suffixes[-1:] == [".parquet"]:
            return pl.read_parquet(path)
        content = path.read_bytes()
        if suffixes[-1:] == [".gz"]:
            content = gzip.decompress(content)
        elif suffixes[-1:] == [".zst"]:
            content = _unzstd(content)
        if ".csv" in suffixes[-2:]:
            return _csv(content, has_header=benchmark.has_header)
        if ".jsonl" in suffixes[-2:] or ".ndjson" in suffixes[-2:]:
            return pl.read_ndjson(io.BytesIO(content), infer_schema_length=None)
    except (OSError, EOFError, pl.exceptions.PolarsError) as err:
        msg = f"benchmark {name!r}: cannot read {path}: {err}"
        raise RecipeError(msg) from err
    msg = f"benchmark {name!r}: {path} is neither .jsonl, .csv (plain, .gz, .zst) nor .parquet"
    raise RecipeError(msg)


def _csv(content: bytes, *, has_header: bool) -> pl.DataFrame:
    table = pl.read_csv(io.BytesIO(content), infer_schema=False, has_header=has_header)
    if has_header:
        return table
    return table.rename({name: str(i) for i, name in enumerate(table.columns, 1)})


def _unzstd(content: bytes) -> bytes:
    import zstandard

    try:
        return zstandard.ZstdDecompressor().stream_reader(content, read_across_frames=True).read()
    except zstandard.ZstdError as err:
        raise OSError(err) from err
