"""Importance weights: counts and scores against plain Python, and what they tell apart on real text."""

from __future__ import annotations

import gzip
import json
import math
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from shared_data import DATA

from curation_dagster import tokens
from curation_dagster.cli import main
from curation_dagster.errors import RecipeError
from curation_dagster.recipe import ImportanceSignal, Score
from curation_dagster.recipe_file import sha256
from curation_dagster.score import importance, stage
from curation_dagster.section import File
from curation_dagster.words import FNV_PRIME, MASK, mix_oracle, term_hash_oracle

NEWS = DATA / "domain/ag-news-test.jsonl.gz"


def slow_counts(text: str, buckets: int) -> tuple[Counter[int], int]:
    """Count features by `re` and a dictionary; also the tokens."""
    hashes = [term_hash_oracle(token) for token in re.findall(r"\w+|[^\w\s]+", text)]
    pairs = [mix_oracle((a * FNV_PRIME & MASK) ^ b) for a, b in pairwise(hashes)]
    return Counter(h % buckets for h in [*hashes, *pairs]), len(hashes)


def slow_fit(texts: list[str], buckets: int) -> tuple[Counter[int], float]:
    each = [slow_counts(text, buckets) for text in texts if text]
    return sum((c for c, _ in each), Counter()), sum(n for _, n in each) / len(each)


def slow_score(
    text: str, fits: list[tuple[Counter[int], float]], buckets: int
) -> dict[bool, float]:
    """Score by the definition: without and with the correction for length."""
    (p, p_mean), (q, q_mean) = fits
    p_total, q_total = p.total(), q.total()
    counts, n = slow_counts(text, buckets)
    score = sum(
        times * (math.log(p[b] / p_total + 1e-8) - math.log(q[b] / q_total + 1e-8))
        for b, times in counts.items()
    )
    fall = math.lgamma(n + 1)
    odds = [math.exp(n * math.log(mean) - mean - fall) + 1e-8 for mean in (p_mean, q_mean)]
    return {False: score, True: score + math.log(odds[0]) - math.log(odds[1])}


def fitted(target: list[str], source: list[str], buckets: int = 500) -> importance.Model:
    sides = (("target", target), ("source", source))
    return importance.Model(
        *(importance.tally(name, [pl.Series(texts)], buckets) for name, texts in sides)
    )


def scored(texts: list[str | None], model: importance.Model, **how: bool) -> list[float | None]:
    return importance.score(pl.Series(texts, dtype=pl.String), model, **how).to_list()


ODD = [
    "x",
    "word",
    "word word",
    "a_b c-d 1.5 don\u2019t",
    " \n\t",
    "...!?...",
    "\x1c\x85 \u2028 a",
    "\u65e5\u672c\u8a9e\u306e \U00020000\U000323af \U000e0100",
    "\U0001f600\U0001f600 \u0301e\u0301 \xb2",
    "x" * 5000 + " " + "! " * 3000,
]


def test_counts_of_real_and_odd_text(real_texts) -> None:
    texts = [*real_texts[:60], *ODD]
    found = importance.tally("all", [pl.Series(texts[:30]), pl.Series([*texts[30:], "", None])])
    counts, mean = slow_fit(texts, importance.BUCKETS)
    assert {b: n for b, n in enumerate(found.counts.tolist()) if n} == dict(counts)
    assert found.docs == len(texts)
    assert found.mean_tokens == mean
    assert counts.total() > 50_000


@pytest.mark.parametrize("buckets", [2, 500, 10_000])
@pytest.mark.parametrize("corrected", [False, True])
def test_scores_of_real_and_odd_text(real_texts, buckets, corrected) -> None:
    target, source = real_texts[:15], real_texts[15:40]
    model = fitted(target, source, buckets)
    texts = [*(text[:2000] for text in real_texts[40:60]), *ODD]
    found = scored(texts, model, length_corrected=corrected)
    fits = [slow_fit(side, buckets) for side in (target, source)]
    expected = [slow_score(text, fits, buckets)[corrected] for text in texts]
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-6)
    assert max(map(abs, found)) > 1


@given(texts=st.lists(st.text(max_size=30), min_size=1, max_size=6))
@settings(deadline=None)
def test_any_text_alone_or_in_a_batch(texts) -> None:
    target, source = ["one two three", "two two"], ["three, four. five"]
    model = fitted(target, source, 20)
    fits = [slow_fit(side, 20) for side in (target, source)]
    for corrected in (False, True):
        found = scored(texts, model, length_corrected=corrected)
        assert found == [scored([text], model, length_corrected=corrected)[0] for text in texts]
        for text, value in zip(texts, found, strict=True):
            if not text:
                assert value is None
            else:
                want = slow_score(text, fits, 20)[corrected]
                assert value == pytest.approx(want, rel=1e-9, abs=1e-9)


def test_no_text_is_null_and_white_space_has_no_evidence() -> None:
    model = fitted(["good words"], ["other words"])
    assert scored([None, "", " \n"], model) == [None, None, 0.0]
    assert importance.score(pl.Series([], dtype=pl.String), model).len() == 0


def test_order_of_a_pair_matters() -> None:
    model = fitted(["north south"] * 9, ["south north"] * 9, 100_000)
    ahead, back = scored(["north south", "south north"], model)
    assert ahead == pytest.approx(-back)
    assert ahead > 1


def auc(good: list[float], other: list[float]) -> float:
    ranks = pl.Series([*good, *other]).rank("average").head(len(good)).sum()
    return (ranks - len(good) * (len(good) + 1) / 2) / (len(good) * len(other))


@pytest.mark.skipif(not NEWS.is_file(), reason=f"{NEWS} is not on this machine")
@pytest.mark.parametrize(
    ("target", "source", "least"),
    [
        pytest.param("Sports", "World", 0.9, id="far"),
        pytest.param("Business", "Sci/Tech", 0.75, id="near"),
    ],
)
def test_news_of_two_topics_are_told_apart(capsys, target, source, least) -> None:
    """Fitted on every other article of each (about 40 words long), asked about the rest."""
    with gzip.open(NEWS, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    good, other = ([r["text"] for r in rows if r["label"] == label] for label in (target, source))
    model = fitted(good[::2], other[::2], importance.BUCKETS)
    for corrected in (False, True):
        halves = (scored(h, model, length_corrected=corrected) for h in (good[1::2], other[1::2]))
        found = auc(*halves)
        with capsys.disabled():
            print(f"\n{target}, {source}, corrected for length {corrected}: AUC {found:.3f}")  # noqa: T201
        assert found > least
    same = fitted(good[::4], good[2::4], importance.BUCKETS)
    chance = auc(scored(good[1::4], same), scored(good[3::4], same))
    assert 0.4 < chance < 0.6, "two parts of one topic are not told apart"


def test_a_model_is_written_and_read_whole(tmp_path) -> None:
    model = fitted(["one two", "three"], ["four"])
    for name in ("a.npz", "b.npz"):
        importance.save(model, tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.npz", "b.npz"]
    read = importance.load(tmp_path / "a.npz")
    assert np.array_equal(read.weights, model.weights)
    for old, new in zip(model, read, strict=True):
        assert (old.name, old.docs, old.tokens) == (new.name, new.docs, new.tokens)
        assert np.array_equal(old.counts, new.counts)


def test_other_files_are_refused(tmp_path, monkeypatch) -> None:
    path = tmp_path / "m.npz"
    for other in (b"", b"no zip", b"PK\x03\x04" * 9):
        path.write_bytes(other)
        with pytest.raises(
            RecipeError, match=r"m\.npz: expected a model of `curate fit importance`"
        ):
            importance.load(path)
    np.savez(path, weights=np.ones(3))
    with pytest.raises(RecipeError, match="expected a model"):
        importance.load(path)
    importance.save(fitted(["a"], ["b"]), path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(RecipeError, match="expected a model"):
        importance.load(path)
    monkeypatch.setattr(importance, "HASH", "another")
    importance.save(fitted(["a"], ["b"]), path)
    monkeypatch.undo()
    with pytest.raises(RecipeError, match=r"expected hash fnv1a64-mixed .* found another"):
        importance.load(path)


def test_nothing_to_fit_is_an_error() -> None:
    with pytest.raises(RecipeError, match="blank: 1 documents without a token"):
        importance.tally("blank", [pl.Series([" ", "", None])])


def test_fit_writes_what_a_recipe_names(tmp_path) -> None:
    target, source, out = (tmp_path / n for n in ("Good-texts.jsonl.gz", "all.parquet", "good.npz"))
    lines = [json.dumps({"text": f"a fine sentence {i}", "id": i}) for i in range(30)]
    target.write_bytes(gzip.compress("\n".join(lines).encode()))
    pl.DataFrame({"text": ["click here now", None, "buy this"]}).write_parquet(source)
    call = ["fit", "importance", *map(str, (target, source, out)), "--buckets", "64"]
    found = CliRunner().invoke(main, [*call, "--max-docs", "20"])
    assert found.exit_code == 0, found.output
    assert (
        "# target: 20 documents of Good-texts.jsonl.gz, 80 tokens, 4.0 a document" in found.output
    )
    assert "# source: 2 documents of all.parquet, 5 tokens" in found.output
    assert 'name = "good_texts_importance"' in found.output
    assert f'sha256 = "{sha256(out)}"' in found.output
    good, bad = scored(["a fine sentence 31", "click here"], importance.load(out))
    assert good > 0 > bad


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        pytest.param("t.jsonl", b'{"text": "a"}\nnot json\n', "line 2: expected JSON objects", id="line"),
        pytest.param("t.jsonl", b'{"body": "a"}\n', "found KeyError", id="no field"),
        pytest.param("t.jsonl.gz", b"plain", "found BadGzipFile", id="no gzip"),
        pytest.param("t.parquet", b"plain", "not a Parquet file", id="no parquet"),
    ],
)  # fmt: skip
def test_fit_says_what_is_wrong_with_a_file(tmp_path, name, content, says) -> None:
    (tmp_path / name).write_bytes(content)
    out = tmp_path / "m.npz"
    found = CliRunner().invoke(main, ["fit", "importance", *[str(tmp_path / name)] * 2, str(out)])
    assert found.exit_code == 1
    assert says in found.output
    assert not out.exists()


def test_the_stage_scores_by_a_model_file(tmp_path) -> None:
    path = tmp_path / "m.npz"
    model = fitted(["good words here"], ["other bad words"])
    importance.save(model, path)
    signals = tuple(
        ImportanceSignal(kind="importance", name=name, model=File(path=path), length_corrected=c)
        for name, c in (("books_importance", False), ("books_importance_corrected", True))
    )
    config = Score(signals=signals)
    texts = pl.Series("text", ["good words", "bad words", None])
    tokenizer = tokens.tokenizer("cl100k_base")
    found = stage.score(texts, config, None, tokenizer, stage.scorers(config))
    assert found["books_importance"].to_list() == scored(texts.to_list(), model)
    corrected = scored(texts.to_list(), model, length_corrected=True)
    assert found["books_importance_corrected"].to_list() == corrected
    assert list(stage.columns(config))[-2:] == found.columns[-2:]
    Path(path).write_bytes(b"")
    with pytest.raises(RecipeError, match="expected a model"):
        stage.scorers(config)
