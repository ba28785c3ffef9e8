"""The benchmarks' files as one table: a row for every item and part that has text.

JSONL and CSV (plain, .gz, .zst) and Parquet are read whole: benchmarks are small. A field is named
by its column, or by a dotted path into objects, also those in a list: `choices.text`. What a list
holds is joined by line breaks. Items without any text have no row; `Registry.ids` has them.
"""

from __future__ import annotations

import gzip
import io
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl

from curation_dagster.errors import RecipeError
from curation_dagster.recipe_decontaminate import PARTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from curation_dagster.recipe_decontaminate import Benchmark

ITEMS: Final = {"benchmark": pl.String, "item": pl.String, "part": pl.String, "text": pl.String}
IDS: Final = {"benchmark": pl.String, "item": pl.String}
_SHOWN: Final = 3


@dataclass(frozen=True)
class Registry:
    """Every item (`ids`: benchmark, item), and the text of their parts (`items`: ITEMS)."""

    ids: pl.DataFrame
    items: pl.DataFrame


def read(benchmarks: Sequence[Benchmark], root: Path = Path()) -> Registry:
    """Read every benchmark (paths relative to `root`), by recipe order, record and part.

    Raises:
        RecipeError: if a file cannot be read, a field is missing or no text, or an id is missing or
        occurs twice; names the benchmark, the file, the field and what was found.
    """
    read_ = [_File(benchmark, root / benchmark.file.path).read() for benchmark in benchmarks]
    ids = pl.concat([pl.DataFrame(schema=IDS), *(one.ids for one in read_)])
    return Registry(ids, pl.concat([pl.DataFrame(schema=ITEMS), *(one.items for one in read_)]))


def read_items(benchmarks: Sequence[Benchmark], root: Path = Path()) -> pl.DataFrame:
    """Read the text of every benchmark; ITEMS. See `read`."""
    return read(benchmarks, root).items


@dataclass(frozen=True)
class _File:
    """One benchmark's file; every error names both."""

    benchmark: Benchmark
    path: Path

    def error(self, message: str) -> RecipeError:
        return RecipeError(f"benchmark {self.benchmark.name!r}: {self.path} {message}")

    def read(self) -> Registry:
        table = self.table()
        if not table.height:
            raise self.error("holds no items")
        ids = self.ids(table)
        parts = [
            pl.select(
                record=pl.int_range(table.height),
                place=pl.lit(place),
                benchmark=pl.repeat(self.benchmark.name, table.height, dtype=pl.String),
                item=ids,
                part=pl.repeat(part, table.height, dtype=pl.String),
                text=pl.concat_str(
                    [self.text(table, name, part) for name in names],
                    separator="\n",
                    ignore_nulls=True,
                ),
            )
            for place, part in enumerate(PARTS)
            if (names := self.benchmark.fields(part))
        ]
        rows = pl.concat(parts).filter(pl.col("text").str.strip_chars().str.len_bytes() > 0)
        if not rows.height:
            raise self.error("has no text in any field that the recipe names")
        named = pl.repeat(self.benchmark.name, table.height, dtype=pl.String, eager=True)
        every = pl.DataFrame({"benchmark": named, "item": ids})
        return Registry(every, rows.sort("record", "place").select(list(ITEMS)))

    def ids(self, table: pl.DataFrame) -> pl.Series:
        name = self.benchmark.id_field
        if name is None:
            return pl.Series("item", range(table.height), dtype=pl.Int64).cast(pl.String)
        ids = self.field(table, name, "id_field")
        if ids.dtype.is_nested():
            raise self.error(f"has {ids.dtype} in {name!r} (id_field); expected text or numbers")
        if nulls := ids.null_count():
            raise self.error(f"has {nulls} items without {name!r} (id_field)")
        texts = ids.cast(pl.String)
        if twice := texts.filter(texts.is_duplicated()).unique(maintain_order=True).to_list():
            shown = ", ".join(repr(value) for value in twice[:_SHOWN]) + " …" * (
                len(twice) > _SHOWN
            )
            raise self.error(f"has ids in {name!r} (id_field) more than once: {shown}")
        return texts

    def text(self, table: pl.DataFrame, name: str, part: str) -> pl.Series:
        """Turn a field into text: what a list holds, and a list in it, is joined by line breaks."""
        field = self.field(table, name, part)
        while isinstance(field.dtype, pl.List) and isinstance(field.dtype.inner, pl.List):
            field = field.list.eval(pl.element().explode())
        inner = field.dtype.inner if isinstance(field.dtype, pl.List) else field.dtype
        if isinstance(inner, pl.Struct):
            keys = [key.name for key in inner.fields]
            raise self.error(
                f"has objects in {name!r} ({part}); name one of their fields, "
                f"such as '{name}.{keys[0]}'; found {keys}"
            )
        if isinstance(field.dtype, pl.List):
            return field.cast(pl.List(pl.String)).list.join("\n", ignore_nulls=True)
        return field.cast(pl.String)

    def field(self, table: pl.DataFrame, name: str, setting: str) -> pl.Series:
        """Find a column, or what a dotted path leads to."""
        if name in table.columns:
            return table[name]
        head, *rest = name.split(".")
        if head not in table.columns:
            raise self.missing(name, setting, table.columns)
        field = table[head]
        for i, key in enumerate(rest):
            inside = ".".join([head, *rest[:i]])
            kind = field.dtype.inner if isinstance(field.dtype, pl.List) else field.dtype
            if not isinstance(kind, pl.Struct):
                raise self.error(
                    f"has no objects in {inside!r}, but {field.dtype}: {name!r} ({setting})"
                )
            keys = [inner.name for inner in kind.fields]
            if key not in keys:
                raise self.missing(name, setting, [f"{inside}.{k}" for k in keys])
            if isinstance(field.dtype, pl.List):
                field = field.list.eval(pl.element().struct.field(key))
            else:
                field = field.struct.field(key)
        return field

    def missing(self, name: str, setting: str, found: list[str]) -> RecipeError:
        return self.error(f"has no field {name!r} ({setting}); found {found}")

    def table(self) -> pl.DataFrame:
        """Read JSONL, CSV (plain, .gz or .zst) or Parquet; CSV fields stay text."""
        suffixes = self.path.suffixes
        try:
            if suffixes[-1:] == [".parquet"]:
                return pl.read_parquet(self.path)
            content = _unpacked(self.path.read_bytes(), suffixes[-1:])
            if ".csv" in suffixes[-2:]:
                return _csv(content, has_header=self.benchmark.has_header)
            if ".jsonl" in suffixes[-2:] or ".ndjson" in suffixes[-2:]:
                return pl.read_ndjson(io.BytesIO(content), infer_schema_length=None)
        except (OSError, EOFError, zlib.error, pl.exceptions.PolarsError) as err:
            msg = f"benchmark {self.benchmark.name!r}: cannot read {self.path}: {err}"
            raise RecipeError(msg) from err
        raise self.error("is neither .jsonl, .csv (plain, .gz, .zst) nor .parquet")


def _unpacked(content: bytes, suffix: list[str]) -> bytes:
    if suffix == [".gz"]:
        return gzip.decompress(content)
    if suffix != [".zst"]:
        return content
    import zstandard

    try:
        return zstandard.ZstdDecompressor().stream_reader(content, read_across_frames=True).read()
    except zstandard.ZstdError as err:
        raise OSError(err) from err


def _csv(content: bytes, *, has_header: bool) -> pl.DataFrame:
    table = pl.read_csv(io.BytesIO(content), infer_schema=False, has_header=has_header)
    if has_header:
        return table
    return table.rename({name: str(i) for i, name in enumerate(table.columns, 1)})
