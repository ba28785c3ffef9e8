"""A fastText classifier's score is what RedPajama-V2's code makes of the library's answer."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import polars as pl
import pytest

from curation_dagster import tokens
from curation_dagster.errors import RecipeError
from curation_dagster.recipe import FastTextSignal, Score
from curation_dagster.score import labelled, stage
from curation_dagster.section import File

if TYPE_CHECKING:
    from pathlib import Path

CC = "__label__cc"
ODD = ["x", " lead and trail \n", "a\r\nb\x0bc\x1cd\x85e\u2028f", "__label__cc __label__wiki", "</s> b",
       "\x1f edge \x1f", "\u65e5\u672c\u8a9e", "\U0001f600", "CASE case", "word " * 3000]  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory, real_texts) -> Path:
    """Train as RedPajama-V2 does, with the library's defaults: on every other text."""
    import fasttext

    folder = tmp_path_factory.mktemp("labelled")
    lines = [
        f"{'__label__wiki' if i % 2 else CC} {' '.join(text.splitlines()).strip()}"
        for i, text in enumerate(real_texts)
    ]
    (folder / "train.txt").write_text("\n".join(lines) + "\n", "utf-8")
    model = fasttext.train_supervised(
        str(folder / "train.txt"), thread=1, epoch=50, lr=1.0, bucket=10, verbose=0
    )
    model.save_model(str(folder / "wikiref.bin"))
    return folder / "wikiref.bin"


def slow_score(text: str, model) -> float:
    """Do what the published code does for one document."""
    line = " ".join(text.splitlines()).strip()
    labels, probs = model.predict(line)
    return round(float(1 - probs[0] if labels[0] == CC else probs[0]), 8)


def test_scores_are_the_published_codes(trained, real_texts) -> None:
    import fasttext

    library = fasttext.load_model(str(trained))
    texts = [*real_texts, *ODD]
    found = labelled.score(pl.Series(texts), labelled.load(trained, CC), CC).to_list()
    assert found == [slow_score(text, library) for text in texts]
    assert min(found) < 0.3
    assert max(found) > 0.7, "both labels are the best of some"


def test_null_blank_and_alone(trained) -> None:
    model = labelled.load(trained, CC)
    texts = [None, "", " \n\x1f", "some words"]
    found = labelled.score(pl.Series(texts), model, CC)
    assert found.is_null().to_list() == [True, True, True, False]
    assert labelled.score(pl.Series(["some words"]), model, CC)[0] == found[3]
    assert labelled.score(pl.Series([None], dtype=pl.String), model, CC).to_list() == [None]
    assert labelled.score(pl.Series([], dtype=pl.String), model, CC).dtype == pl.Float64


def test_the_other_label_is_the_rest_of_one(trained, real_texts) -> None:
    texts = pl.Series(real_texts[:20])
    ours, theirs = (
        labelled.score(texts, labelled.load(trained, label), label)
        for label in (CC, "__label__wiki")
    )
    assert (ours + theirs).to_list() == pytest.approx([1.0] * 20, abs=1e-7)


def test_what_is_no_such_model_is_refused(trained, tmp_path) -> None:
    with pytest.raises(
        RecipeError, match=re.escape("expected a label '__label__hq' (`ordinary`), found")
    ):
        labelled.load(trained, "__label__hq")
    (tmp_path / "m.bin").write_bytes(b"no model at all" * 9)
    with pytest.raises(RecipeError, match=r"m\.bin: expected a supervised fastText model"):
        labelled.load(tmp_path / "m.bin", CC)


def test_the_stage_writes_the_published_name(trained) -> None:
    signal = FastTextSignal(
        kind="fasttext", name="rps_doc_ml_wikiref_score", model=File(path=trained)
    )
    config = Score(signals=(signal,))
    texts = pl.Series("text", ["some words\nmore", None])
    found = stage.score(texts, config, None, tokens.tokenizer("cl100k_base"), stage.scorers(config))
    assert found.columns == ["token_count", "quality", "rps_doc_ml_wikiref_score"]
    assert found["rps_doc_ml_wikiref_score"].is_null().to_list() == [False, True]
