"""Verdicts against datatrove 0.10.1's on real documents: with its own words all the same, with ours nearly all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import datatrove_oracle as oracle
import polars as pl
import pytest
from shared_data import DATA

from curation_dagster.annotate.families import EDITS, FAMILIES
from curation_dagster.annotate.family import rewrite
from curation_dagster.annotate.stage import annotate
from curation_dagster.clean.rules import rules_of
from curation_dagster.clean.stage import clean
from curation_dagster.recipe_edits import C4Lines
from curation_dagster.recipe_judges import C4, FineWeb, GopherQuality, GopherRepetition

if TYPE_CHECKING:
    from collections.abc import Callable

DOCS = 600
QUALITY, REPETITION = (
    GopherQuality(judge="gopher_quality"),
    GopherRepetition(judge="gopher_repetition"),
)
LINES, MORE_LINES = (
    C4Lines(edit="c4_lines", terminal_punctuation=terminal) for terminal in (True, False)
)
FILTERS: dict[str, list[Any]] = {
    "gopher_quality": [QUALITY],
    "gopher_repetition": [REPETITION],
    "c4": [LINES, C4(judge="c4")],
    "c4_fineweb": [MORE_LINES, C4(judge="c4")],
    "fineweb": [FineWeb(judge="fineweb")],
}


@pytest.fixture(scope="module")
def peers() -> pl.DataFrame:
    path = DATA / "bench/parity-datatrove-3000.parquet"
    if not path.is_file():
        pytest.skip(f"{path} is not on this machine")
    texts = pl.read_parquet(path.with_name("text-8000.parquet"), columns=["text"]).head(3000)
    return pl.read_parquet(path).hstack(texts).gather_every(5).head(DOCS)


@pytest.fixture(scope="module")
def spacy_words() -> Callable[[str], list[str]]:
    import spacy

    model = spacy.blank("en")

    def split(text: str) -> list[str]:
        model.max_length = len(text) + 1
        return [word for token in model(text) if (word := token.text.strip())]

    return split


@pytest.mark.parametrize("name", FILTERS)
def test_fed_its_words_every_verdict_is_datatroves(
    name: str, peers: pl.DataFrame, spacy_words: Callable[[str], list[str]]
) -> None:
    *edits, judge = FILTERS[name]
    texts, signals = peers["text"], pl.DataFrame()
    for edit in edits:
        edited = rewrite(texts, EDITS[edit.edit], edit)
        texts, signals = edited["text"], edited.drop("text")
    listed = texts.to_list()
    words = [spacy_words(text) for text in listed]
    found = pl.DataFrame(
        oracle.measured(FAMILIES[judge.judge], judge, listed, words), infer_schema_length=None
    )
    judged = clean(found.hstack(signals), rules_of([judge]))
    ours = judged["rejected_by"].is_null()
    assert peers.filter(ours != peers[name])["id"].to_list() == []
    assert 0.1 < ours.mean() < 0.95, "the sample decides something"


@pytest.mark.parametrize("name", FILTERS)
def test_with_our_words_verdicts_agree(name: str, peers: pl.DataFrame) -> None:
    steps = FILTERS[name]
    ours = clean(annotate(peers["text"], steps), rules_of(steps))["rejected_by"].is_null()
    theirs = peers[name]
    agreement = (ours == theirs).mean()
    by_chance = ours.mean() * theirs.mean() + (1 - ours.mean()) * (1 - theirs.mean())
    assert agreement > 0.98
    assert (agreement - by_chance) / (1 - by_chance) > 0.94
