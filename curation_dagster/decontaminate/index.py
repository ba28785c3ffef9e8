"""The n-grams of all benchmark items, as arrays to probe (Brown et al., 2020, appendix C).

An n-gram is `ngram_terms` consecutive terms, hashed to 64 bits: at 10^12 corpus terms and 10^6
n-grams, one false match is expected once in 18 corpora. Items too short for one n-gram are listed
in `undetectable`. The compiled loops are in `ngram_kernel`. Not here: what a hit is; see `scan`.
"""

from __future__ import annotations

import gzip
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from curation_dagster.errors import RecipeError
from curation_dagster.words import buffers, tables

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from curation_dagster.recipe import Benchmark

ITEMS = {"benchmark": pl.String, "item": pl.String, "text": pl.String}
BLOOM_BITS_PER_SLOT = 4


@dataclass(frozen=True)
class Index:
    """An open-addressing table of n-gram hashes, a bloom filter, and the items of each n-gram.

    `items` has benchmark, item, term_count and ngram_count (distinct), sorted by benchmark and
    item. The n-gram in slot s has number `grams[s]` (-1: empty) and the items
    `gram_items[gram_offsets[g]:gram_offsets[g + 1]]`.
    """

    ngram_terms: int
    items: pl.DataFrame
    ngram_counts: NDArray[np.uint32]
    keys: NDArray[np.uint64]
    grams: NDArray[np.int32]
    bloom: NDArray[np.uint64]
    gram_offsets: NDArray[np.int64]
    gram_items: NDArray[np.int32]

    @property
    def undetectable(self) -> pl.DataFrame:
        """Items with fewer than `ngram_terms` terms, which no scan can find."""
        return self.items.filter(pl.col("ngram_count") == 0)


def build_index(benchmarks: Sequence[Benchmark], root: Path, ngram_terms: int) -> Index:
    """Read the benchmarks' files (paths relative to `root`) and index their n-grams.

    Raises:
        RecipeError: if a file or a field is missing, or a file cannot be read; names both.
    """
    from curation_dagster.decontaminate import ngram_kernel

    parts = [pl.DataFrame(schema=ITEMS), *(_read_items(b, root) for b in benchmarks)]
    items = pl.concat(parts).sort("benchmark", "item", maintain_order=True)
    data, offsets, owner = buffers(items["text"])
    term_counts = np.empty(items.height, np.uint32)
    room = max(len(data), 1)  # an item has at most one n-gram per byte
    hashes, item_of = np.empty(room, np.uint64), np.empty(room, np.int32)
    n = ngram_kernel.item_ngrams(
        data, offsets, *tables(), ngram_terms, term_counts, hashes, item_of
    )
    del owner  # the views into it are done with
    pairs = pl.DataFrame({"hash": hashes[:n], "item": item_of[:n]}).unique().sort("hash", "item")
    distinct, first = np.unique(pairs["hash"].to_numpy(), return_index=True)
    counts = np.bincount(pairs["item"].to_numpy(), minlength=items.height).astype(np.uint32)
    slots = 1 << max(6, (2 * len(distinct)).bit_length())
    keys, grams = np.zeros(slots, np.uint64), np.full(slots, -1, np.int32)
    bloom = np.zeros(slots * BLOOM_BITS_PER_SLOT // 64, np.uint64)
    ngram_kernel.fill_table(distinct, keys, grams, bloom)
    return Index(
        ngram_terms=ngram_terms,
        items=items.select("benchmark", "item", term_count=term_counts, ngram_count=counts),
        ngram_counts=counts,
        keys=keys,
        grams=grams,
        bloom=bloom,
        gram_offsets=np.append(first, len(pairs)).astype(np.int64),
        gram_items=pairs["item"].to_numpy().copy(),
    )


def _read_items(benchmark: Benchmark, root: Path) -> pl.DataFrame:
    path = root / benchmark.file.path
    table = _read_table(path, benchmark.name)
    wanted = {"id_field": benchmark.id_field} | {
        f"text_fields[{i}]": field for i, field in enumerate(benchmark.text_fields)
    }
    for setting, field in wanted.items():
        if field not in table.columns:
            msg = (
                f"benchmark {benchmark.name!r}: {path} has no field {field!r} ({setting}); "
                f"found {table.columns}"
            )
            raise RecipeError(msg)
    if nulls := table[benchmark.id_field].null_count():
        msg = (
            f"benchmark {benchmark.name!r}: {path} has {nulls} items without {benchmark.id_field!r}"
        )
        raise RecipeError(msg)
    fields = [_as_text(table[field]) for field in benchmark.text_fields]
    return pl.select(
        benchmark=pl.repeat(benchmark.name, table.height, dtype=pl.String),
        item=table[benchmark.id_field].cast(pl.String),
        text=pl.concat_str(fields, separator="\n", ignore_nulls=True),
    )


def _as_text(field: pl.Series) -> pl.Series:
    """Turn a field into text: a list's members are joined by newlines."""
    if isinstance(field.dtype, pl.List):
        return field.cast(pl.List(pl.String)).list.join("\n", ignore_nulls=True)
    return field.cast(pl.String)


def _read_table(path: Path, name: str) -> pl.DataFrame:
    """Read JSONL, CSV (plain, .gz or .zst) or Parquet; CSV fields stay text."""
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
            return pl.read_csv(io.BytesIO(content), infer_schema=False)
        if ".jsonl" in suffixes[-2:] or ".ndjson" in suffixes[-2:]:
            return pl.read_ndjson(io.BytesIO(content), infer_schema_length=None)
    except (OSError, EOFError, pl.exceptions.PolarsError) as err:
        msg = f"benchmark {name!r}: cannot read {path}: {err}"
        raise RecipeError(msg) from err
    msg = f"benchmark {name!r}: {path} is neither .jsonl, .csv (plain, .gz, .zst) nor .parquet"
    raise RecipeError(msg)


def _unzstd(content: bytes) -> bytes:
    import zstandard

    try:
        return zstandard.ZstdDecompressor().stream_reader(content, read_across_frames=True).read()
    except zstandard.ZstdError as err:
        raise OSError(err) from err
