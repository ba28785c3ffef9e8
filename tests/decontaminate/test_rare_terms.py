"""Rephrased items are found where they lie; the score is the oracle's; threads and order change nothing."""

import gzip
import json
import math
import random
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import stems_oracle as oracle
from shared_data import DATA

from curation_dagster.decontaminate import background, calibrate, rare_terms, rerank
from curation_dagster.decontaminate.found import FOUND
from curation_dagster.errors import RecipeError
from curation_dagster.recipe_decontaminate import Decontaminate
from curation_dagster.words import tables

GSM8K = DATA / "benchmarks/gsm8k-test.jsonl.gz"
HUMANEVAL = DATA / "benchmarks/humaneval.jsonl.gz"
STATIC = DATA / "models/static-embedding"
needs_data = pytest.mark.skipif(not GSM8K.exists(), reason="no shared data")


def rows(path):
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]


def texts_of(name):
    return [row["text"] for row in rows(DATA / f"decontamination/lmsys-{name}.jsonl.gz")]


def config(kinds, **settings):
    benchmarks = [{"name": n, "kind": k, "file": {"path": "items"}} for n, k in kinds.items()]
    settings = {"steps": ["rare_terms"], "benchmarks": benchmarks} | settings
    return Decontaminate.model_validate(settings)


def items_of(path, name, question, answer, count=None):
    found = [
        (name, str(i), part, row[field])
        for i, row in enumerate(rows(path)[:count])
        for part, field in (("question", question), ("answer", answer))
    ]
    return pl.DataFrame(found, ["benchmark", "item", "part", "text"], orient="row")


@pytest.fixture(scope="module")
def gsm8k():
    return items_of(GSM8K, "gsm8k", "question", "answer") if GSM8K.exists() else None


@pytest.fixture(scope="module")
def index(gsm8k):
    return rare_terms.build(gsm8k, config({"gsm8k": "math"}))


def bags(text, code):
    """Return the grams of a text by kind."""
    said = text
    if code and (lines := oracle.documentation(text)):
        said = "\n".join(lines) + "\n"
    words = [word for word, *_ in oracle.stems(said)]
    found = [words, oracle.pairs(said), oracle.char_grams(said), []]
    tokens = oracle.skeleton(text)
    if code:
        found[3] = [
            tuple(tokens[i : i + n])
            for i in range(len(tokens))
            for n in (2, 3, 4, 5)
            if i + n <= len(tokens)
        ]
    return found


def likeness_oracle(window, views, frequencies, counts, code):
    """Mean of the cosines of each kind; the best view."""

    def idf(kind):
        def weigh(gram):
            seen = frequencies[kind][gram]
            return math.log((counts[kind] + 1) / (seen + 0.5 if seen >= 4 else 2))

        return weigh

    shares = [1, 1, 1, 3] if code else [1, 1, 1, 0]
    scores = []
    for view in views:
        grams = [[gram for part in view for gram in bags(part, code)[kind]] for kind in range(4)]
        of_window = bags(window, code)
        each = [oracle.cosine(of_window[k], grams[k], idf(k)) for k in range(4)]
        scores.append(sum(s * c for s, c in zip(shares, each, strict=True)) / sum(shares))
    return max(scores)


@needs_data
@pytest.mark.parametrize(
    ("path", "question", "answer", "kind"),
    [
        (GSM8K, "question", "answer", "math"),
        (HUMANEVAL, "prompt", "canonical_solution", "code"),
    ],
)
def test_likeness_is_the_oracles(path, question, answer, kind):
    from curation_dagster.decontaminate import rare_terms_kernel as kernel

    source = rows(path)[:60]
    items = items_of(path, "some", question, answer, 60)
    built = rare_terms.build(items, config({"some": kind}))
    code = kind == "code"
    frequencies = [Counter() for _ in range(4)]
    for row in source:
        both = [bags(row[part], code) for part in (answer, question)]
        for k in range(4):
            frequencies[k].update(set(both[0][k]) | set(both[1][k]))
    outside = [Counter() for _ in range(4)]
    for text in background.texts():
        for k, bag in enumerate(bags(text, False)[:3]):
            outside[k].update(set(bag))
    for known, more in zip(frequencies, outside, strict=True):
        known.update({gram: n for gram, n in more.items() if n >= background.SEEN})
    counts = [60 + background.TEXTS] * 3 + [60 if code else 0]
    texts = [row[question] for row in source[1:20]]
    data = np.frombuffer("".join(texts).encode(), np.uint8)
    offsets = np.append(0, np.cumsum([len(t.encode()) for t in texts]))
    found = np.array(
        [(d, t, offsets[d], offsets[d + 1]) for d in range(19) for t in (d, d + 1, 40)]
    )
    scores, spans = np.empty(len(found), np.float32), np.empty((len(found), 2), np.int64)
    kernel.look(
        data, offsets, found, False, *tables(), built.items.data, built.items.bounds,
        built.items.is_code, built.valid, built.gram_keys, built.gram_idf, built.fallbacks,
        scores, spans,
    )  # fmt: skip
    for (d, t, *_), score in zip(found.tolist(), scores, strict=True):
        q, a = source[t][question], source[t][answer]
        views = [v for bit, v in ((1, [q]), (2, [a, q]), (4, [q])) if built.valid[t] & bit]
        assert score == pytest.approx(
            likeness_oracle(texts[d], views, frequencies, counts, code), abs=2e-4
        )


@needs_data
def test_rephrased_questions_are_found_in_long_documents_at_their_place(index):
    filler = pl.read_parquet(DATA / "bench/text-8000.parquet")["text"].sample(30, seed=5).to_list()
    rephrased = [
        text.split("\nAnswer")[0].removeprefix("Question: ") for text in texts_of("rephrase_gsm8k")
    ]
    hits, places = 0, 0
    for i in range(0, 600, 20):
        before, after = "\n\n".join(filler[: i % 30]) + "\n\n", "\n\n" + filler[i % 30]
        found = index.find(pl.Series([before + rephrased[i] + after]))
        assert found.schema == FOUND
        mine = found.filter(item=str(i))
        hits += mine.height > 0
        if mine.height:
            start, end = mine.select("start", "end").row(0)
            first, last = len(before.encode()), len((before + rephrased[i]).encode())
            overlap = min(end, last) - max(start, first)
            places += overlap > 0.6 * (last - first) and overlap > 0.6 * (end - start)
    assert hits >= 20
    assert places >= 0.9 * hits


@needs_data
def test_the_same_is_found_on_any_number_of_threads_and_in_any_batch(index, monkeypatch):
    from curation_dagster import threads

    texts = pl.Series([*texts_of("rephrase_gsm8k")[:200], None, ""])
    monkeypatch.setattr(rare_terms, "RUN_BYTES", 4096)
    found = []
    for count in (1, 2, 4):
        monkeypatch.setattr(threads.pl, "thread_pool_size", lambda count=count: count)
        found.append(index.find(texts))
    assert found[0].height > 100
    assert found[0].equals(found[1])
    assert found[0].equals(found[2])
    alone = [index.find(texts[i : i + 1]).with_columns(doc=pl.lit(i, pl.UInt32)) for i in range(40)]
    assert pl.concat(alone).equals(found[0].filter(pl.col("doc") < 40))


@needs_data
def test_a_text_longer_than_a_segment_is_searched_to_its_end(index):
    question = rows(GSM8K)[7]["question"]
    text = "lorem ipsum dolor " * 20_000 + question
    assert len(text) > rare_terms.SEGMENT_BYTES
    found = index.find(pl.Series([text]))
    assert found["item"].to_list() == ["7"]
    assert found["start"][0] >= len(text.encode()) - len(question.encode()) - 40


def replaced(text, share, chance):
    letters = "abcdefghijklmnopqrstuvwxyz"
    return "".join(chance.choice(letters) if chance.random() < share else c for c in text)


@needs_data
def test_noise_mode_finds_questions_with_a_tenth_of_their_characters_wrong(gsm8k):
    some = gsm8k.filter(pl.col("item").cast(pl.Int64) < 300)
    index = rare_terms.build(some, config({"gsm8k": "math"}, rare_terms={"character_noise": True}))
    chance = random.Random(4)
    texts = [replaced(row["question"], 0.1, chance) for row in rows(GSM8K)[:300]]
    found = index.find(pl.Series(texts))
    own = found.filter(pl.col("doc").cast(pl.String) == pl.col("item"))["doc"].n_unique()
    assert own >= 0.9 * 300, own
    assert found.filter(pl.col("doc").cast(pl.String) != pl.col("item"))["doc"].n_unique() <= 6


@needs_data
def test_calibration_lets_so_many_negatives_pass_and_is_the_same_again(gsm8k):
    some = gsm8k.filter(pl.col("item").cast(pl.Int64) < 400)
    asked = config({"gsm8k": "math"}, max_false_positives=0.05)
    found = calibrate.calibrate(some, asked)
    assert found.equals(calibrate.calibrate(some, asked))
    (threshold,) = calibrate.thresholds(found)["rare_terms"].values()
    index = rare_terms.build(some, config({"gsm8k": "math"}, rare_terms={"math": threshold}))
    hits = index.find(index.items.questions)
    wrong = hits.filter(pl.col("doc").cast(pl.String) != pl.col("item"))["doc"].n_unique()
    assert wrong <= 0.05 * 400
    index = rare_terms.build(some, config({"gsm8k": "math"}, rare_terms={"math": threshold - 0.02}))
    more = index.find(index.items.questions)
    assert (
        more.filter(pl.col("doc").cast(pl.String) != pl.col("item"))["doc"].n_unique() > 0.05 * 400
    )


def test_items_that_nothing_tells_apart_are_not_detectable():
    texts = [("a", str(i), "question", f"the {'x' * i} of") for i in range(3)]
    texts += [("a", "3", "question", "Zanzibar quokkas juggle tourmaline anvils before breakfast")]
    items = pl.DataFrame(texts, ["benchmark", "item", "part", "text"], orient="row")
    index = rare_terms.build(items, config({"a": "prose"}))
    assert index.detectable["item"].to_list() == ["3"]  # a word may be rare though items are few
    assert index.find(pl.Series(["the of", "", None], dtype=pl.String)).height == 0


def test_a_long_question_is_several_rows_that_hold_all_of_it():
    text = " ".join(f"word{i}" for i in range(3000))
    items = pl.DataFrame(
        [("a", "0", "passage", text)], ["benchmark", "item", "part", "text"], orient="row"
    )
    packed = rare_terms.pack(items, {"a": "prose"})
    assert packed.names["part"].unique().to_list() == ["passage"]
    assert "".join(packed.questions) == text
    assert max(len(q) for q in packed.questions) <= rare_terms.MAX_PART_BYTES["question"]


def reranking(**models):
    folder = {
        n: {"path": STATIC / f}
        for n, f in (("weights", "model.safetensors"), ("tokenizer", "tokenizer.json"))
    }
    return {"static_model": folder | models}


@pytest.mark.skipif(not STATIC.exists(), reason="no shared data")
def test_reranking_finds_more_rephrased_questions_than_it_drops(gsm8k):
    some = gsm8k.filter(pl.col("item").cast(pl.Int64) < 300)
    asked = config(
        {"gsm8k": "math"}, steps=["rare_terms", "rerank"], rerank=reranking() | {"math": 0.35}
    )
    index = rare_terms.build(some, asked)
    texts = pl.Series(texts_of("rephrase_gsm8k")[:300])
    found = rerank.build(some, asked, index).rescore(texts, index.find(texts))
    assert set(found["method"]) == {"rare_terms", "rerank"}
    own = found.filter(pl.col("doc").cast(pl.String) == pl.col("item"))["doc"].n_unique()
    assert own >= 0.85 * 300
    assert found.filter(pl.col("doc").cast(pl.String) != pl.col("item"))["doc"].n_unique() <= 15


@pytest.mark.skipif(not STATIC.exists(), reason="no shared data")
def test_before_a_judge_reranking_lets_through_what_the_judge_is_asked_about(gsm8k, tmp_path):
    some = gsm8k.filter(pl.col("item").cast(pl.Int64) < 100)
    judge = {
        "model": "m",
        "url": "http://127.0.0.1:9/v1",
        "cache": {"path": tmp_path / "a.jsonl"},
        "min_score": 0.15,
    }
    models = reranking() | {"math": 0.9}
    texts = pl.Series(texts_of("rephrase_gsm8k")[:100])
    least = []
    for steps in (["rare_terms", "rerank"], ["rare_terms", "rerank", "judge"]):
        asked = config({"gsm8k": "math"}, steps=steps, rerank=models, judge=judge)
        index = rare_terms.build(some, asked)
        found = rerank.build(some, asked, index).rescore(texts, index.find(texts))
        least.append(found.filter(method="rerank")["score"].min())
    assert least[0] is None or least[0] >= 0.9
    assert 0.15 <= least[1] < 0.9


@needs_data
def test_a_model_that_is_not_there_is_an_error_that_names_it(gsm8k, index):
    models = reranking(weights={"path": Path("nowhere/model.safetensors")})
    asked = config({"gsm8k": "math"}, steps=["rare_terms", "rerank"], rerank=models)
    with pytest.raises(RecipeError, match="nowhere"):
        rerank.build(gsm8k, asked, index)
    with pytest.raises(RecipeError, match="rare_terms"):
        rerank.build(gsm8k, asked, None)
