"""What lies near by meaning does not depend on what else is in a batch; calibration covers the step rerank."""

import gzip
import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shared_data import DATA

from curation_dagster.decontaminate import calibrate, dense, embed, rare_terms, rerank
from curation_dagster.recipe_decontaminate import WITH_MINILM, Decontaminate, Rerank

GSM8K = DATA / "benchmarks/gsm8k-test.jsonl.gz"
STATIC = DATA / "models/static-embedding"
REPHRASED = DATA / "decontamination/lmsys-rephrase_gsm8k.jsonl.gz"
CLEAN = DATA / "bench/text-8000.parquet"
needs_data = pytest.mark.skipif(
    not all(path.exists() for path in (GSM8K, STATIC, REPHRASED, CLEAN)), reason="no shared data"
)
ITEMS = 300


def rows(path, count):
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for _, line in zip(range(count), lines, strict=False)]


def config(**settings):
    names = {"weights": "model.safetensors", "tokenizer": "tokenizer.json"}
    model = {name: {"path": STATIC / file} for name, file in names.items()}
    benchmarks = [{"name": "gsm8k", "kind": "math", "file": {"path": "items"}}]
    return Decontaminate.model_validate(
        {"steps": ["rare_terms", "rerank"], "benchmarks": benchmarks}
        | {"rerank": {"static_model": model} | settings}
    )


@pytest.fixture(scope="module")
def items():
    found = [
        ("gsm8k", str(i), part, row[part])
        for i, row in enumerate(rows(GSM8K, ITEMS))
        for part in ("question", "answer")
    ]
    return pl.DataFrame(found, ["benchmark", "item", "part", "text"], orient="row")


@pytest.fixture(scope="module")
def texts():
    clean = pl.read_parquet(CLEAN)["text"][:30].str.slice(0, 3000).to_list()
    rephrased = [row["text"] for row in rows(REPHRASED, 60)]
    return pl.Series([*clean, None, "", *rephrased])


@needs_data
@pytest.mark.parametrize("batch", [5, 64, 10_000])
def test_what_lies_near_does_not_depend_on_the_batch(items, texts, monkeypatch, batch):
    asked = config(dense=True)
    index = rare_terms.build(items, asked)
    whole = rerank.build(items, asked, index)
    found = whole.candidates(texts, index.find(texts))
    scores = whole.scores(texts, found)
    assert found.filter(method="dense").height > 100
    monkeypatch.setattr(dense, "BATCH", batch)
    for first in (0, 31, 71):
        part = rerank.build(items, asked, index)
        some = texts[first : first + 7]
        mine = part.candidates(some, index.find(some))
        inside = found.with_columns(score=scores).filter(pl.col("doc").is_between(first, first + 6))
        assert mine.with_columns(doc=pl.col("doc") + first, score=part.scores(some, mine)).equals(
            inside
        )


def units(count, width, seed):
    made = np.random.default_rng(seed).normal(size=(count, width))
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.sampled_from([-1.0, 0.0, 0.1, 0.4]))
def test_the_nearest_are_those_of_the_exact_cosines_whatever_a_product_errs(seed, count, least):
    vectors, vector = units(count, 24, seed), units(1, 24, seed + 1)[0]
    exact = [round(float(v @ vector.astype(float)), embed.DECIMALS) for v in vectors.astype(float)]
    best = sorted(range(count), key=lambda row: (-exact[row], row))[: dense.NEAREST]
    chance = np.random.default_rng(seed + 2)
    near = vectors @ vector + chance.uniform(-1e-5, 1e-5, count).astype(np.float32)
    assert dense._best(vector, vectors, near, least) == sorted(
        row for row in best if exact[row] >= least
    )


@needs_data
def test_what_rare_terms_is_sure_of_stays_and_the_model_adds_to_it(items, texts):
    asked = config(math=0.3)
    index = rare_terms.build(items, asked)
    seen = index.find(texts)
    again = rerank.build(items, asked, index)
    found = again.rescore(texts, seen)
    sure = seen.filter(pl.col("score") >= pl.lit(asked.rare_terms.math, pl.Float32))
    where = ["doc", "item", "start", "end"]
    assert sure.height > 30
    assert sure.join(found, on=where, how="anti").is_empty()
    added = found.join(sure, on=where, how="anti")
    assert added["method"].unique().to_list() == ["rerank"]
    assert added["score"].min() >= np.float32(0.3)
    strict = rerank.build(items, config(math=1.0), index).rescore(texts, seen)
    assert strict.equals(sure)


@needs_data
def test_calibration_covers_rerank_and_counts_what_rare_terms_hits(items):
    clean = pl.read_parquet(CLEAN)["text"][:200]
    found = calibrate.calibrate(items, config(), clean)
    assert found.select("step", "benchmark", "negatives").rows() == [
        ("rare_terms", "gsm8k", ITEMS),
        ("rare_terms", None, 200),
        ("rerank", "gsm8k", 150),
        ("rerank", None, 200),
    ]
    chosen = calibrate.thresholds(found)["rerank"]["math"]
    index = rare_terms.build(items, config())
    hit = rerank.build(items, config(math=chosen), index).rescore(clean, index.find(clean))
    assert hit.filter(method="rerank").is_empty()
    spread = range(0, ITEMS, 2)
    questions = index.items.questions[list(spread)]
    wrong = rerank.build(items, config(math=chosen), index).rescore(
        questions, index.find(questions)
    )
    wrong = wrong.filter(wrong["item"] != pl.Series([str(i) for i in spread]).gather(wrong["doc"]))
    assert wrong["doc"].n_unique() <= 0.02 * len(spread)


@needs_data
def test_clean_text_stays_below_the_bar_with_the_shipped_thresholds():
    files = {
        "gsm8k": ("math", GSM8K, "question", "answer"),
        "humaneval": ("code", DATA / "benchmarks/humaneval.jsonl.gz", "prompt", "test"),
        "truthfulqa": (
            "prose",
            DATA / "benchmarks/truthfulqa.jsonl.gz",
            "Question",
            "Best Answer",
        ),
    }
    found = [
        (name, str(i), part, row[field])
        for name, (_, path, *fields) in files.items()
        for i, row in enumerate(rows(path, 2000))
        for part, field in zip(("question", "answer"), fields, strict=True)
    ]
    items = pl.DataFrame(found, ["benchmark", "item", "part", "text"], orient="row")
    benchmarks = [{"name": n, "kind": k[0], "file": {"path": "items"}} for n, k in files.items()]
    clean = pl.read_parquet(CLEAN)["text"].gather_every(16)
    for steps in (["rare_terms"], ["rare_terms", "rerank"]):
        asked = Decontaminate.model_validate(
            config().model_dump() | {"steps": steps, "benchmarks": benchmarks}
        )
        index = rare_terms.build(items, asked)
        hits = index.find(clean)
        if "rerank" in steps:
            hits = rerank.build(items, asked, index).rescore(clean, hits)
        assert hits["doc"].n_unique() <= calibrate.CLEAN_RATE * len(clean)
        assert index.find(pl.Series([items["text"][0]])).height > 0  # it does look


@pytest.mark.parametrize("minilm", [False, True])
def test_thresholds_are_those_of_the_models_named_unless_the_recipe_says_so(minilm):
    model = {"weights": {"path": "w"}, "tokenizer": {"path": "t"}}
    models = {"static_model": model} | (
        {"minilm": model | {"config": {"path": "c"}}} if minilm else {}
    )
    shipped = Rerank.model_validate(models)
    assert (shipped.prose, shipped.math, shipped.code) == (
        tuple(WITH_MINILM.values()) if minilm else (0.43, 0.37, 0.41)
    )
    assert Rerank.model_validate(models | {"math": 0.3}).math == 0.3
    assert Rerank.model_validate(models | {"math": 0.3}).prose == shipped.prose
