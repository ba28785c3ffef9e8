"""Boosted trees and the cut: against LightGBM, a walk in plain Python, and every prefix."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation_dagster.ingest.blocks import forest_kernel, model
from curation_dagster.ingest.blocks.model import Forest

LEAF_LEFT = Forest(  # x0 <= .5 ? -1 : (x1 <= 2 ? 1 : 3), and a tree that is a leaf
    np.array([0, 2, 2], np.int32),
    np.array([0, 1], np.int32),
    np.array([0.5, 2], np.float32),
    np.array([~1 & 0xFFFFFFFF, ~2 & 0xFFFFFFFF], np.uint32),
    np.array([[-1, 1, 3] + [0] * 29, [0.25] + [0] * 31], np.float32),
)


def predict(rows: np.ndarray, forest: Forest, selected: np.ndarray | None = None) -> np.ndarray:
    out = np.full(len(rows), -7, np.float32)
    chosen = np.arange(len(rows), dtype=np.int32) if selected is None else selected
    forest_kernel.predict(rows, chosen, forest_kernel.ROWS, *forest, out)
    return out


def walked(row: np.ndarray, forest: Forest) -> float:
    """Strike leaves tree by tree for one row; the first that remains counts."""
    total = 0.0
    for tree, (start, end) in enumerate(pairwise(forest.starts.tolist())):
        leaves = set(range(32))
        for node in range(start, end):
            if row[forest.features[node]] > forest.thresholds[node]:
                leaves &= {k for k in leaves if int(forest.kept[node]) >> k & 1}
        total += float(forest.values[tree][min(leaves)])
    return 1 / (1 + math.exp(-total))


@pytest.mark.parametrize(
    ("row", "total"),
    [
        pytest.param([0.5, 9], -1 + 0.25, id="at the first threshold"),
        pytest.param([0.6, 2], 1 + 0.25, id="at the second"),
        pytest.param([0.6, 2.1], 3 + 0.25, id="above both"),
    ],
)
def test_a_tree(row: list[float], total: float) -> None:
    [p] = predict(np.array([row], np.float32), LEAF_LEFT)
    assert p == pytest.approx(1 / (1 + math.exp(-total)))


@pytest.mark.parametrize("n", [0, 1, 63, 64, 65, 200])
def test_every_row_is_walked_alike(n: int) -> None:
    rows = np.random.default_rng(n).normal(1, 2, (n, 2)).astype(np.float32)
    assert predict(rows, LEAF_LEFT).tolist() == pytest.approx([walked(x, LEAF_LEFT) for x in rows])


def test_only_selected_rows_are_written() -> None:
    rows = np.zeros((100, 2), np.float32)
    out = predict(rows, LEAF_LEFT, np.arange(3, 100, 7, dtype=np.int32))
    assert [i for i in range(100) if out[i] != -7] == list(range(3, 100, 7))


def test_the_shipped_model_walks_as_in_python() -> None:
    shipped = model.load()
    for forest in (shipped.sight, shipped.hindsight):
        n_features = int(forest.features.max()) + 1
        rows = np.random.default_rng(1).choice(forest.thresholds, (5, n_features))
        expected = [walked(row, forest) for row in rows]
        assert predict(rows, forest).tolist() == pytest.approx(expected, abs=1e-5)


def test_lightgbm_agrees() -> None:
    lightgbm = pytest.importorskip("lightgbm")
    forests = pytest.importorskip("training.forests")
    chance = np.random.default_rng(5)
    rows = chance.normal(size=(800, 6)).astype(np.float32)
    labels = (rows[:, 0] * rows[:, 1] + chance.normal(size=800) > 0).astype(float)
    booster = lightgbm.train(
        {"objective": "cross_entropy", "num_leaves": 32, "verbose": -1, "num_threads": 1,
         "deterministic": True, "seed": 1, "boost_from_average": True},
        lightgbm.Dataset(rows, labels), 20,
    )  # fmt: skip
    forest = forests.flattened(booster)
    assert predict(rows, forest).tolist() == pytest.approx(booster.predict(rows).tolist(), abs=1e-5)


def brute_force(p: list[float], words: list[int], beta: float) -> tuple[float, list[bool]]:
    """Score every prefix of the blocks by falling p; return the best score and its mask."""
    order = sorted(range(len(p)), key=lambda i: (-np.float32(p[i]), i))
    size = [w + 1e-3 for w in words]
    total = sum(float(np.float32(x)) * w for x, w in zip(p, size, strict=True))
    best, chosen = 0.0, set()
    for n in range(1, len(p) + 1):
        prefix = order[:n]
        found = sum(float(np.float32(p[i])) * size[i] for i in prefix)
        score = found / (sum(size[i] for i in prefix) + beta**2 * total + 1e-9)
        if score > best:
            best, chosen = score, set(prefix)
    return best, [i in chosen for i in range(len(p))]


def select(
    p: list[float], words: list[int], beta: float, least: float = 0.0
) -> tuple[list[bool], float]:
    keep, expected = forest_kernel.select(
        np.array(p, np.float32), np.array(words, np.int32), beta, least
    )
    return keep.tolist(), expected


@pytest.mark.parametrize(
    ("p", "words", "keep"),
    [
        pytest.param([], [], [], id="none"),
        pytest.param([0.5], [10], [True], id="one"),
        pytest.param([0.001], [10], [True], id="one unlikely"),
        pytest.param([0.0], [10], [False], id="one impossible"),
        pytest.param([0.9, 0.9, 0.1], [10, 10, 10], [True, True, False], id="two of three"),
        pytest.param([0.1, 0.9], [1000, 10], [True, True], id="a long one is worth it"),
        pytest.param([0.9, 0.04], [100, 100], [True, False], id="a short chance is not"),
        pytest.param([0.5] * 4, [1] * 4, [True] * 4, id="ties all pay"),
    ],
)
def test_select(p: list[float], words: list[int], keep: list[bool]) -> None:
    found, expected = select(p, words, 1.0)
    assert found == keep
    assert expected == pytest.approx(
        sum(x * w for x, w, k in zip(p, words, keep, strict=True) if k)
    )


@pytest.mark.parametrize(
    ("p", "keep"),
    [
        pytest.param([0.12, 0.1], [True, True], id="expected F1 of .2 = 2 * 22 / (200 + 22)"),
        pytest.param([0.1, 0.1], [False, False], id="below it"),
        pytest.param([1.0, 0.0], [True, False], id="half the page"),
    ],
)
def test_a_page_without_main_text(p: list[float], keep: list[bool]) -> None:
    assert select(p, [100, 100], 1.0, 2 * 22 / 222 - 1e-4) == (
        keep,
        pytest.approx(sum(100 * x for x, k in zip(p, keep, strict=True) if k)),
    )


def test_ties_keep_the_order_of_the_page() -> None:
    p, words = [0.9, 0.2, 0.2, 0.2], [100, 1, 400, 1]
    assert select(p, words, 1.0)[0] == brute_force(p, words, 1.0)[1] == [True, False, False, False]
    p, words = [0.3, 0.6, 0.6, 0.3], [0, 0, 0, 0]
    assert select(p, words, 1.0)[0] == brute_force(p, words, 1.0)[1]


@given(
    st.lists(st.tuples(st.floats(0, 1, width=32), st.integers(0, 500)), max_size=30),
    st.sampled_from([0.5, 0.8, 1.0, 1.5]),
)
def test_no_prefix_is_better(blocks: list[tuple[float, int]], beta: float) -> None:
    p, words = [x for x, _ in blocks], [w for _, w in blocks]
    found, _ = select(p, words, beta)
    best, _ = brute_force(p, words, beta)
    size = [w + 1e-3 for w in words]
    got = sum(x * w for x, w, k in zip(p, size, found, strict=True) if k)
    total = sum(x * w for x, w in zip(p, size, strict=True))
    kept = sum(w for w, k in zip(size, found, strict=True) if k)
    assert got / (kept + beta**2 * total + 1e-9) == pytest.approx(best, rel=1e-5)
