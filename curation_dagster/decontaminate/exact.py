"""The step `exact`: a part of an item stands in a document, term for term.

What is looked for is a *form* of an item: a part alone; a question that tells too little alone,
with its choices, bare or lettered A, B, C. Case, punctuation and white space do not count (`words`).

A form must tell enough to be no chance hit, an answer alone three times as much: it may be a phrase
that everybody quotes. Each of its distinct terms tells log2(N / n) bits: it is n of the N terms of
all benchmarks together. Of the six benchmarks in docs/decontamination.md, "What is it?" tells 23
bits, a question of ten different words about 100. Forms that tell less are not looked for.
"""

from __future__ import annotations

import string
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from curation_dagster.decontaminate.found import FOUND, ORDER, nothing
from curation_dagster.decontaminate.index import Grams, build_grams, every_hash, hashes
from curation_dagster.recipe_decontaminate import REPLIES
from curation_dagster.words import buffers, tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from curation_dagster.recipe_decontaminate import Decontaminate

METHOD: Final = "exact"
SEED: Final = 5  # terms of the n-gram by which a form is found


@dataclass(frozen=True)
class ExactScan:
    """The forms: unit, benchmark, item, part, length (terms), run (their hash), place of its seed."""

    forms: pl.DataFrame
    table: Grams
    powers: NDArray[np.uint64]

    @property
    def detectable(self) -> pl.DataFrame:
        """Parts with a form that tells enough."""
        return self.forms.select("benchmark", "item", "part").unique(maintain_order=True)

    @property
    def figures(self) -> dict[str, int]:
        """How many forms there are."""
        return {"forms": self.forms.height}

    def find(self, texts: pl.Series) -> pl.DataFrame:
        """Return FOUND; none for a null text. The score is 1."""
        from curation_dagster.decontaminate import exact_kernel

        matches = self.table.matches(texts)
        if matches.is_empty():
            return nothing()
        found = (
            matches.select("doc", "gram", "place")
            .join(self.table.owners, on="gram")
            .join(self.forms, on="unit")
            .with_columns(first=pl.col("place") - pl.col("seed_place"))
            .sort("doc", "first", "unit")
        )
        data, offsets, owner = buffers(texts)
        spans = np.empty((found.height, 2), np.int64)
        doc, first, length, run = (
            found[name].to_numpy() for name in ("doc", "first", "length", "run")
        )
        exact_kernel.verify(data, offsets, *tables(), doc, first, length, run, self.powers, spans)
        del owner  # the views into it are done with
        return (
            found.with_columns(
                start=spans[:, 0],
                end=spans[:, 1],
                score=pl.lit(1.0),
                method=pl.lit(METHOD),
            )
            .filter(pl.col("start") >= 0)
            .select(pl.col(name).cast(kind) for name, kind in FOUND.items())
            .unique(maintain_order=True)
            .sort(ORDER)
        )


def build(items: pl.DataFrame, config: Decontaminate) -> ExactScan:
    """Index the forms of ITEMS that tell enough."""
    from curation_dagster.decontaminate import exact_kernel, ngram_kernel

    section = config.exact
    bits = _bits(items["text"])
    alone = items.with_columns(_telling(items["text"], bits))
    reply = pl.col("part").is_in(REPLIES)
    least = pl.when(reply).then(section.min_answer_bits).otherwise(section.min_bits)
    enough = (pl.col("bits") >= least) & (pl.col("distinct") >= section.min_terms)
    joined = with_choices(alone.filter(~enough).select(items.columns), items)
    joined = joined.with_columns(_telling(joined["text"], bits))
    forms = pl.concat([alone.filter(enough), joined.filter(enough)])
    data, offsets, owner = buffers(forms["text"])
    lengths, runs = np.empty(forms.height, np.int64), np.empty(forms.height, np.uint64)
    exact_kernel.whole_hashes(data, offsets, *tables(), lengths, runs)
    del owner  # the views into it are done with
    forms = forms.with_row_index("unit").cast({"unit": pl.Int64})
    forms = forms.with_columns(length=lengths, run=runs)
    seeds = _seeds(forms)
    table = build_grams(seeds.select("hash", "unit"), SEED)
    forms = forms.join(seeds.select("unit", "seed_place"), on="unit", maintain_order="left")
    powers = np.ones(int(lengths.max(initial=0)) + 1, np.uint64)
    powers[1:] = ngram_kernel.R
    wanted = ("unit", "benchmark", "item", "part", "length", "run", "seed_place", "bits")
    return ExactScan(forms.select(wanted), table, np.multiply.accumulate(powers))


def with_choices(questions: pl.DataFrame, items: pl.DataFrame) -> pl.DataFrame:
    """Return ITEMS of questions followed by their choices, bare and lettered."""
    choices = items.filter(part="choices").select("benchmark", "item", choices="text")
    both = questions.filter(part="question").join(
        choices, on=["benchmark", "item"], maintain_order="left"
    )
    lettered = pl.Series([_lettered(text) for text in both["choices"]], dtype=pl.String)
    forms = [
        both.select(
            "benchmark", "item", "part", text=pl.concat_str([both["text"], with_], separator="\n")
        )
        for with_ in (both["choices"], lettered)
    ]
    return pl.concat(forms)


def _lettered(choices: str) -> str:
    """Put a letter before each line: A. , B. ..."""
    lines = choices.split("\n")
    if len(lines) > len(string.ascii_uppercase):
        return choices
    return "\n".join(f"{a}. {line}" for a, line in zip(string.ascii_uppercase, lines, strict=False))


def _bits(texts: pl.Series) -> pl.DataFrame:
    """Return what each term of the texts tells (hash, bits), by how often it occurs in them."""
    occurrences, _ = every_hash(texts, [1] * len(texts))
    share = occurrences.height / pl.len()
    return occurrences.group_by("hash").agg(bits=share.log(2.0))


def _telling(texts: pl.Series, bits: pl.DataFrame) -> list[pl.Series]:
    """Return how many distinct terms each text has (distinct), and what they tell (bits)."""
    terms, _ = hashes(texts, [1] * len(texts))
    told = (
        terms.join(bits, on="hash")
        .group_by("unit")
        .agg(bits=pl.sum("bits"), distinct=pl.len().cast(pl.Int64))
    )
    every = pl.DataFrame({"unit": np.arange(len(texts))})
    found = every.join(told, on="unit", how="left", maintain_order="left")
    return [found["bits"].fill_null(0.0), found["distinct"].fill_null(0)]


def _seeds(forms: pl.DataFrame) -> pl.DataFrame:
    """Choose the n-gram of each form that fewest forms have, the first of those (unit, hash, seed_place)."""
    every = _grams(forms["text"], SEED)
    owners = every.group_by("hash").agg(forms=pl.col("unit").n_unique())
    chosen = every.join(owners, on="hash", maintain_order="left").sort(
        "unit", "forms", "place", maintain_order=True
    )
    return chosen.unique("unit", keep="first", maintain_order=True).select(
        "unit", "hash", seed_place="place"
    )


def _grams(texts: pl.Series, size: int) -> pl.DataFrame:
    """List every n-gram: unit, place (of its first term), hash."""
    rows, _ = every_hash(texts, [size] * len(texts))
    return rows.with_columns(place=pl.int_range(pl.len()).over("unit"))
