"""`curate warmup`: compile kernels once and load every model, so that the first run does not pay for it.

What is compiled is kept in the package's `__pycache__` (or under NUMBA_CACHE_DIR), for this processor; see `compiled`.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import polars as pl
from pydantic import TypeAdapter

from curation_dagster.annotate import pii
from curation_dagster.annotate.families import EDITS, FAMILIES
from curation_dagster.annotate.family import measure, rewrite
from curation_dagster.annotate.mask import mask
from curation_dagster.annotate.stage import annotate
from curation_dagster.chance import keyed
from curation_dagster.decontaminate import cascade
from curation_dagster.dedup.cluster import clusters
from curation_dagster.dedup.minhash import fingerprint
from curation_dagster.dedup.parts import Corpus, Part
from curation_dagster.dedup.pieces import pieces
from curation_dagster.dedup.repeats import repeats
from curation_dagster.dedup.scratch import Scratch
from curation_dagster.dedup.urls import url_hash
from curation_dagster.documents import without_cuts
from curation_dagster.ingest.page import page
from curation_dagster.recipe import Dedup
from curation_dagster.recipe_decontaminate import Benchmark, Decontaminate, Exact
from curation_dagster.recipe_edits import PiiKind
from curation_dagster.recipe_repeats import Lines, Paragraphs, Substrings
from curation_dagster.recipe_steps import Step
from curation_dagster.scaffold import default_recipe
from curation_dagster.score import importance
from curation_dagster.section import File

if TYPE_CHECKING:
    from pathlib import Path

_TEXT = (
    "Write to someone@harbour.org or 8.8.4.4 about the lamp that the keeper of the light has to mend. "
    * 5
)
_PAGE = f"<html><body><article><h1>Light</h1><p>{_TEXT}</p></article></body></html>".encode()


def warmup(folder: Path, *, every: bool = False) -> float:
    """Run the kernels on a few words; return the seconds it took. Writes a small file into `folder`."""
    began = time.monotonic()
    recipe = default_recipe()
    page(_PAGE, None, None, recipe.ingest)
    texts = pl.Series("text", [_TEXT, _TEXT.upper(), _TEXT + " And so on.", "短い文", ""])
    annotate(texts, recipe.steps)
    if every:
        _published_sets(texts)
    keyed(texts, "warmup")
    url_hash(texts)
    _clusters(fingerprint(texts, recipe.dedup), folder)
    _repeats(texts, folder)
    item = folder / "item.jsonl"
    item.write_text('{"id": "x", "question": "' + _TEXT + '"}\n', "utf-8")
    benchmark = Benchmark(name="warmup", file=File(path=item))
    every_item = Exact(min_bits=0)
    cascade.build(Decontaminate(exact=every_item, benchmarks=(benchmark,))).find(texts)
    docs = pl.DataFrame({"row": [0], "text": [_TEXT]}, schema_overrides={"row": pl.UInt32})
    spans = pl.DataFrame(
        {"row": [0], "cuts": [[{"start": 0, "end": 5}]]}, schema_overrides={"row": pl.UInt32}
    )
    without_cuts(docs, [spans])
    return time.monotonic() - began


def _published_sets(texts: pl.Series) -> None:
    """Measure every family, apply every edit."""
    step: TypeAdapter[Any] = TypeAdapter(Step)
    for name, edit in EDITS.items():
        rewrite(texts, edit, step.validate_python({"edit": name}))
    measure(texts, [(f, step.validate_python({"judge": name})) for name, f in FAMILIES.items()])
    pii.measure(texts)
    side = importance.tally("warmup", [texts])
    importance.score(texts, importance.Model(side, side))
    mask(texts, get_args(PiiKind))


def _repeats(texts: pl.Series, folder: Path) -> None:
    config = Dedup(
        lines=Lines(), paragraphs=Paragraphs(ngram=2), substrings=Substrings(window_terms=2)
    )
    prints = fingerprint(texts, config).hstack(pieces(texts, config)).with_row_index("row")
    kept = prints.with_columns(
        doc_id=pl.col("row").cast(pl.String),
        quality=pl.lit(None, dtype=pl.Float64),
        date=pl.lit(None, dtype=pl.Datetime),
    )
    corpus = Corpus([Part.of_frame(kept, "a", "a", 0)])
    found = repeats(corpus, np.zeros(kept.height, np.bool_), config, Scratch(folder, 1 << 30))
    list(found.frames())


def _clusters(prints: pl.DataFrame, folder: Path) -> None:
    kept = prints.with_row_index("row").with_columns(
        doc_id=pl.col("row").cast(pl.String),
        quality=pl.lit(None, dtype=pl.Float64),
        date=pl.lit(None, dtype=pl.Datetime),
    )
    part = Part.of_frame(kept, "a", "a", 0)
    clusters(Corpus([part, part]), default_recipe().dedup, Scratch(folder, 1 << 30))
