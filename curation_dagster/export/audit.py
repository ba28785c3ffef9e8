"""An independent look at what ships: exact duplicates and benchmark n-grams left in the exported text.

It shares no code with the stages that removed them: words come from Polars' Unicode regexes,
duplicates from normalised strings, n-grams from an Aho-Corasick search. Both counts must be zero, unless the recipe
keeps exact duplicates; where it compares documents within a source only, so does this. Cost: one pass over the text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import fsspec
import polars as pl
import pyarrow.parquet as pq

from curation_dagster.recipe_decontaminate import PARTS, REPLIES

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from curation_dagster.recipe_decontaminate import Benchmark, Decontaminate, NGrams

_BREAK: Final = r"[^\p{L}\p{M}\p{N}]+"
_NO_WORDS: Final = 2  # bytes of a normalised text without words
_VARIANTS: Final = {"ς": "σ", "\u0307": ""}
_PATTERNS_AT_ONCE: Final = 50_000
_ROUNDING: Final = 1e-9
_SHORT: Final = 2  # characters of words that make an enumeration, if all are


@dataclass(frozen=True)
class Audit:
    """What is left; examples are doc_ids."""

    documents: int
    duplicates: int
    duplicate_examples: tuple[str, ...]
    contaminated: int
    contaminated_examples: tuple[str, ...]
    ngrams_searched: int
    duplicates_allowed: bool = False
    within_source: bool = False
    erased: int = 0
    erased_examples: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether nothing was found that the recipe does not allow."""
        allowed = self.duplicates_allowed or not self.duplicates
        return allowed and not self.contaminated and not self.erased


def audit(
    paths: Sequence[Path],
    config: Decontaminate,
    *,
    duplicates_allowed: bool = False,
    within_source: bool = False,
    erased: Collection[str] = (),
) -> Audit:
    """Search exported files; copies of one document are no duplicates, nor, `within_source`, texts of two sources.

    Documents of `erased` must not be there at all.
    """
    grams = benchmark_ngrams(config)
    patterns = grams["gram"].unique(maintain_order=True)
    seen: list[pl.DataFrame] = []
    for path in paths:
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                read = file.read_row_group(group, columns=["doc_id", "fragment", "source", "text"])
                rows = pl.DataFrame(pl.from_arrow(read))
                plain = normalised(rows["text"])
                seen.append(
                    pl.DataFrame(
                        {
                            "doc_id": rows["doc_id"],
                            "fragment": rows["fragment"],
                            "source": rows["source"],
                            "hash": plain.hash(),
                            "length": plain.str.len_bytes(),
                            "hit": _hits(plain, patterns, grams),
                        }
                    )
                )
    key = ["doc_id", "fragment"]
    docs = pl.concat(seen).unique(key, maintain_order=True) if seen else pl.DataFrame()
    if not docs.height:
        return Audit(0, 0, (), 0, (), len(patterns), duplicates_allowed, within_source)
    same = ["hash", "length", *(["source"] if within_source else [])]
    worded = docs.filter(
        pl.col("length") > _NO_WORDS
    )  # texts of symbols alone are compared by nobody
    twins = worded.filter(pl.struct(same).is_duplicated())
    hits = docs.filter("hit")
    taken_down = docs.filter(
        pl.col("doc_id").is_in(pl.Series(sorted(erased), dtype=pl.String).implode())
    )
    removable = twins.height - twins.select(same).n_unique()
    return Audit(
        documents=docs["doc_id"].n_unique(),
        duplicates=removable,
        duplicate_examples=tuple(twins["doc_id"].head(5)),
        contaminated=hits["doc_id"].n_unique(),
        contaminated_examples=tuple(hits["doc_id"].unique(maintain_order=True).head(5)),
        ngrams_searched=len(patterns),
        duplicates_allowed=duplicates_allowed,
        within_source=within_source,
        erased=taken_down.height,
        erased_examples=tuple(taken_down["doc_id"].head(5)),
    )


def normalised(texts: pl.Series) -> pl.Series:
    """Lower-case, everything that is no letter, mark or number one space, a space at either end."""
    lowered = texts.fill_null("").str.to_lowercase()
    for variant, plain in _VARIANTS.items():  # what lower-casing one character at a time gives
        lowered = lowered.str.replace_all(variant, plain, literal=True)
    return pl.Series(" " + lowered.str.replace_all(_BREAK, " ").str.strip_chars() + " ")


def benchmark_ngrams(config: Decontaminate) -> pl.DataFrame:
    """List every n-gram of words (gram, item, needed) of the items that must not ship.

    Only n-grams that are counted are searched for (`steps`, `policy`): of a document that another rule
    lets pass, they say nothing.
    """
    section = config.ngrams
    schema = {"gram": pl.String, "item": pl.String, "needed": pl.Int64, "drops": pl.Boolean}
    rows: set[tuple[str, str, int, bool]] = set()
    ignored = _ignored(section)
    if config.runs("ngrams") and section.policy == "count":
        for benchmark in config.benchmarks:
            for part, texts in _parts(benchmark):
                drops = benchmark.action_on(part) != "flag"  # cut out, it must be gone too
                reply = section.min_answer_ngrams if part in REPLIES else 1
                least = max(reply, section.min_ngrams)
                for number, text in enumerate(normalised(texts)):
                    item = f"{benchmark.name}/{number}/{part}"
                    found = _grams(text.split(), section) - ignored
                    rows |= {(gram, item, least, drops) for gram in found}
    frame = pl.DataFrame(sorted(rows), schema=schema, orient="row")
    told_apart = frame.filter(pl.len().over("gram") <= section.max_items)
    enough = told_apart.filter(pl.len().over("item") >= pl.col("needed"))
    share = (pl.len().over("item") * section.min_share - _ROUNDING).ceil().cast(pl.Int64)
    whole = pl.when(pl.col("item").str.ends_with("/passage")).then(0).otherwise(share)
    needed = enough.with_columns(needed=pl.max_horizontal("needed", whole))
    return needed.filter("drops").drop("drops")


def _ignored(section: NGrams) -> set[str]:
    """Return the n-grams of the recipe's file of those that do not count; a line is a text."""
    if section.ignore is None:
        return set()
    with fsspec.open(str(section.ignore.path), "rb", compression="infer") as stream:
        lines = pl.Series(stream.read().decode("utf-8").splitlines(), dtype=pl.String)
    every = section.model_copy(update={"enumerations": True})
    return {gram for line in normalised(lines) for gram in _grams(line.split(), every)}


def _grams(words: list[str], section: NGrams) -> set[str]:
    """Return the n-grams of words that count."""
    found = set()
    for i in range(len(words) - section.terms + 1):
        some = words[i : i + section.terms]
        if section.enumerations or any(len(w) > _SHORT or not w.isascii() for w in some):
            found.add(" " + " ".join(some) + " ")
    return found


def _parts(benchmark: Benchmark) -> list[tuple[str, pl.Series]]:
    """Return the text of every part."""
    path = benchmark.file.path
    if path.suffix == ".parquet":
        frame = pl.read_parquet(path)
    else:
        with fsspec.open(str(path), "rb", compression="infer") as stream:
            content = stream.read()
        if ".csv" in path.suffixes:
            frame = pl.read_csv(content, infer_schema=False, has_header=benchmark.has_header)
            if not benchmark.has_header:
                frame.columns = [str(i + 1) for i in range(frame.width)]
        else:
            frame = pl.read_ndjson(content, infer_schema_length=None)
    return [
        (part, frame.select(pl.concat_str(fields, separator="\n")).to_series())
        for part in PARTS
        if (fields := [_as_text(frame, name) for name in benchmark.fields(part)])
    ]


def _as_text(frame: pl.DataFrame, field: str) -> pl.Expr:
    whole = field in frame.columns
    head, *inside = [field] if whole else field.split(".")
    column, kind = pl.col(head), frame.schema[head]
    for key in inside:
        if isinstance(kind, pl.List):
            column = column.list.eval(pl.element().struct.field(key))
        else:
            column = column.struct.field(key)
        kind = frame.select(column).dtypes[0]
    while isinstance(kind, pl.List) and isinstance(kind.inner, pl.List):
        column = column.list.eval(pl.element().explode())
        kind = kind.inner
    if isinstance(kind, pl.List):
        column = column.cast(pl.List(pl.String)).list.join("\n", ignore_nulls=True)
    return column.cast(pl.String).fill_null("")


def _hits(plain: pl.Series, patterns: pl.Series, grams: pl.DataFrame) -> pl.Series:
    """Say which texts hold as many distinct n-grams of one item as it takes."""
    frame = plain.to_frame("text").with_row_index("nth")
    found = []
    for start in range(0, patterns.len(), _PATTERNS_AT_ONCE):
        some = patterns.slice(start, _PATTERNS_AT_ONCE).to_list()
        near = frame.filter(pl.col("text").str.contains_any(some))
        every = near.select("nth", gram=pl.col("text").str.extract_many(some, overlapping=True))
        found.append(every.explode("gram").unique())
    if not found:
        return pl.Series([False] * plain.len(), dtype=pl.Boolean)
    per_item = pl.concat(found).join(grams, on="gram").group_by("nth", "item", "needed").len()
    hit = per_item.filter(pl.col("len") >= pl.col("needed"))["nth"].unique()
    return frame["nth"].is_in(hit.implode())
