"""The quality classifier: it learns, it repeats itself, and its metrics are right."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from curation_dagster import tokens
from curation_dagster.chance import share
from curation_dagster.errors import RecipeError
from curation_dagster.recipe import Classifier, Score, TrainingText
from curation_dagster.score import classifier, stage
from curation_dagster.section import File

GOOD_WORDS = ["theorem", "lemma", "proof", "measure", "compact", "integral", "set"]
POOR_WORDS = ["buy", "cheap", "click", "offer", "deal", "now", "sale"]


def config(**more: object) -> Classifier:
    named = TrainingText(files=(File(path=Path("unused")),))
    small = {"dim": 8, "epochs": 10, "lr": 0.5, "buckets": 1000, "held_out_share": 0.3}
    return Classifier(good=named, ordinary=named, **(small | more))


def docs(words: list[str], count: int, seed: int, mark: str = "d") -> pl.DataFrame:
    draw = random.Random(seed)
    texts = [" ".join(draw.choices(words, k=30)) for _ in range(count)]
    return pl.DataFrame({"key": [f"{mark}{i}" for i in range(count)], "text": texts})


def toy() -> tuple[pl.DataFrame, pl.DataFrame]:
    return docs(GOOD_WORDS, 60, 1, "g"), docs(POOR_WORDS, 60, 2, "o")


def overlapping() -> tuple[pl.DataFrame, pl.DataFrame]:
    shared = [f"w{i}" for i in range(40)]
    return docs(GOOD_WORDS[:1] + shared, 150, 3, "g"), docs(shared, 170, 4, "o")


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_separable_classes(tmp_path) -> None:
    path, metrics = classifier.train(*toy(), config(), tmp_path)
    assert metrics.auc == 1.0
    assert (metrics.false_good, metrics.false_ordinary) == (0, 0)
    assert metrics.train_good + metrics.true_good == 60
    assert metrics.train_ordinary + metrics.true_ordinary == 60
    assert 5 < metrics.true_good < 35
    model = classifier.load(path)
    lines = pl.Series(["theorem proof lemma", "cheap offer click"])
    good, poor = classifier.prob_good(lines, model)
    assert poor < 0.2
    assert good > 0.8
    assert [p.name for p in tmp_path.iterdir()] == ["model.bin"], "training text does not stay"


def test_same_text_same_bytes(tmp_path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
    first, metrics = classifier.train(*toy(), config(), tmp_path / "a")
    again, same = classifier.train(*toy(), config(), tmp_path / "b")
    assert digest(first) == digest(again)
    assert metrics == same
    other, _ = classifier.train(*toy(), config(seed=1), tmp_path / "c")
    assert digest(first) != digest(other)


def test_same_bytes_under_another_hash_seed(tmp_path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    here, _ = classifier.train(*toy(), config(), tmp_path / "here")
    for name, frame in zip(("good", "ordinary"), toy(), strict=True):
        frame.write_ndjson(tmp_path / name)
    code = """
import sys, polars as pl
from pathlib import Path
from curation_dagster.recipe import Classifier
from curation_dagster.score import classifier
folder = Path(sys.argv[1])
good, ordinary = (pl.read_ndjson(folder / name) for name in ("good", "ordinary"))
config = Classifier.model_validate_json(sys.argv[2])
classifier.train(good, ordinary, config, folder / "there")
"""
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path), config().model_dump_json()],
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "4242"},
    )
    assert digest(tmp_path / "there" / "model.bin") == digest(here)


def slow_metrics(good: pl.DataFrame, ordinary: pl.DataFrame, chosen: Classifier, model) -> dict:
    """Count pairs one by one."""
    scores: dict[str, list[float]] = {}
    trained: dict[str, int] = {}
    for name, frame in (("good", good), ("ordinary", ordinary)):
        held = share(frame["key"], f"held out {chosen.seed}") < chosen.held_out_share
        lines = classifier.one_line(frame["text"], chosen.max_doc_chars)
        pairs = [(ln, h) for ln, h in zip(lines, held, strict=True) if ln]
        trained[name] = sum(not h for _, h in pairs)
        scores[name] = [classifier.prob_good(pl.Series([ln]), model)[0] for ln, h in pairs if h]
    wins = sum((g > o) + (g == o) / 2 for g in scores["good"] for o in scores["ordinary"])
    return {
        "auc": wins / len(scores["good"]) / len(scores["ordinary"]),
        "train_good": trained["good"],
        "train_ordinary": trained["ordinary"],
        "true_good": sum(s >= 0.5 for s in scores["good"]),
        "false_ordinary": sum(s < 0.5 for s in scores["good"]),
        "false_good": sum(s >= 0.5 for s in scores["ordinary"]),
        "true_ordinary": sum(s < 0.5 for s in scores["ordinary"]),
    }


@pytest.mark.parametrize(
    ("frames", "options"),
    [
        pytest.param(overlapping, {"epochs": 3}, id="overlapping"),
        pytest.param(toy, {}, id="separable"),
        pytest.param(lambda: tuple(reversed(overlapping())), {"epochs": 1, "lr": 0.01}, id="ties"),
        pytest.param(
            lambda: tuple(
                f.with_columns(text=pl.when(pl.int_range(pl.len()) % 5 > 0).then("text"))
                for f in overlapping()
            ),
            {},
            id="some without text",
        ),
    ],
)
def test_metrics_against_a_slow_oracle(tmp_path, frames, options) -> None:
    good, ordinary = frames()
    chosen = config(**options)
    path, metrics = classifier.train(good, ordinary, chosen, tmp_path)
    expected = slow_metrics(good, ordinary, chosen, classifier.load(path))
    assert metrics.auc == pytest.approx(expected.pop("auc"), abs=1e-6)
    found = metrics.as_dict()
    assert {k: v for k, v in found.items() if k != "auc"} == expected


@pytest.mark.parametrize(
    ("good", "ordinary", "options", "said"),
    [
        pytest.param(0, 60, {}, r"good: 0 documents to train on, 0 held out", id="none good"),
        pytest.param(60, 0, {}, r"ordinary: 0 documents", id="none ordinary"),
        pytest.param(3, 60, {"held_out_share": 0.01}, r"good: \d documents.* 0 held out", id="few"),
        pytest.param(60, 60, {"held_out_share": 0.0}, r"good: 60 .*, 0 held out", id="no share"),
        pytest.param(60, 60, {"held_out_share": 1.0}, r"good: 0 .*, 60 held out", id="all of it"),
    ],
)
def test_too_few_documents(tmp_path, good, ordinary, options, said) -> None:
    frames = docs(GOOD_WORDS, good, 1, "g"), docs(POOR_WORDS, ordinary, 2, "o")
    frames = [f.cast({"key": pl.String, "text": pl.String}) for f in frames]
    with pytest.raises(RecipeError, match=rf"score\.classifier\.{said}"):
        classifier.train(*frames, config(**options), tmp_path)


MARKERS = ["__label__good", "__LABEL__good", "__label____label__good", "__la__label__bel__good"]


@pytest.mark.parametrize("marker", MARKERS)
def test_label_markers_in_text_are_harmless(tmp_path, marker) -> None:
    good, ordinary = toy()
    marked = ordinary.with_columns(text=pl.lit(f"{marker} ") + pl.col("text"))
    path, metrics = classifier.train(good, marked, config(), tmp_path)
    assert set(classifier.load(path).get_labels()) == {"__label__good", "__label__ordinary"}
    assert metrics.auc == 1.0
    assert metrics.false_good == 0


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param(None, "", id="null"),
        pytest.param("", "", id="empty"),
        pytest.param(" \n\t\u3000", "", id="blank"),
        pytest.param("Two\r\nLines\u2028here\x0b", "two lines here", id="one line, lower case"),
        pytest.param("__label__", "", id="nothing but a marker"),
        pytest.param("日本 😀", "日本 😀", id="cjk and emoji"),
        pytest.param("ab" * 3000, "ab" * 2000, id="only the beginning"),
    ],
)
def test_one_line(text, line) -> None:
    found = classifier.one_line(pl.Series([text], dtype=pl.String), 4000)
    assert found.to_list() == [line]


def test_quality_is_null_without_text_and_never_outside_zero_and_one(tmp_path) -> None:
    path, _ = classifier.train(*toy(), config(), tmp_path)
    model, tokenizer = classifier.load(path), tokens.tokenizer("cl100k_base")
    texts = [None, "", " \n ", "theorem " * 50, "cheap " * 50, "日本", "😀", "x" * 10_000, "\x00"]
    found = stage.score(
        pl.Series("text", texts, dtype=pl.String), Score(classifier=config()), model, tokenizer
    )
    quality = found["quality"].to_list()
    assert quality[:3] == [None] * 3
    assert all(0 <= q <= 1 for q in quality[3:])
    assert quality[3] > 0.9
    assert quality[4] < 0.1
    assert found["token_count"].to_list()[:3] == [0, 0, 2]
    alone = [
        stage.score(pl.Series([t], dtype=pl.String), Score(classifier=config()), model, tokenizer)
        for t in texts
    ]
    assert pl.concat(alone).equals(found), "a score depends on its own document only"
    without = stage.score(pl.Series(["theorem"]), Score(), None, tokenizer)
    assert without.to_dicts() == [{"token_count": 1, "quality": None}]
    none = stage.score(pl.Series([], dtype=pl.String), Score(classifier=config()), model, tokenizer)
    assert none.schema == {"token_count": pl.UInt32, "quality": pl.Float32}
