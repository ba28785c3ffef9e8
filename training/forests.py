"""Fit the two forests with LightGBM, and turn them into the arrays that the product walks.

Whatever is an input to a later fit comes from folds that did not see the page: the class weights of
training rows, and the first forest's probabilities that the second learns from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import lightgbm
import numpy as np

from curation_dagster.ingest.blocks import features, features_kernel, hindsight_kernel
from curation_dagster.ingest.blocks.model import Forest, Model
from training.lessons import Lesson, class_weights
from training.pages import fold

if TYPE_CHECKING:
    from collections.abc import Sequence

BETA: Final = 0.95
FLOOR: Final = 0.02
INNER_FOLDS: Final = 3
_INNER_SEED: Final = 7
PARAMETERS: Final[dict[str, Any]] = {
    "objective": "cross_entropy",
    "learning_rate": 0.08,
    "num_leaves": 31,
    "max_depth": 7,
    "min_data_in_leaf": 40,
    "feature_fraction": 0.4,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "lambda_l2": 5,
    "max_bin": 63,
    "seed": 0,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbose": -1,
}
SIGHT_ROUNDS, HINDSIGHT_ROUNDS = 80, 120  # trees


def fit(taught: Sequence[Lesson]) -> Model:
    """Fit class weights and both forests on lessons."""
    inner = [fold(lesson.example.site, INNER_FOLDS, _INNER_SEED) for lesson in taught]
    seen: dict[int, np.ndarray] = {}
    for part in range(INNER_FOLDS):
        weights = class_weights(t for t, i in zip(taught, inner, strict=True) if i != part)
        for number, lesson in enumerate(taught):
            if inner[number] == part:
                seen[number] = sight(lesson, weights)
    both = {}
    for part in range(INNER_FOLDS):
        known = [n for n, i in enumerate(inner) if i != part]
        first = _boosted([seen[n] for n in known], [taught[n] for n in known], SIGHT_ROUNDS)
        for number, lesson in enumerate(taught):
            if inner[number] == part:
                p = np.asarray(first.predict(seen[number]), np.float32)
                both[number] = np.hstack([seen[number], hindsight(lesson, p)])
    order = range(len(taught))
    return Model(
        class_weights(taught),
        flattened(_boosted([seen[n] for n in order], taught, SIGHT_ROUNDS)),
        flattened(_boosted([both[n] for n in order], taught, HINDSIGHT_ROUNDS)),
        BETA,
        FLOOR,
    )


def sight(lesson: Lesson, weights: np.ndarray) -> np.ndarray:
    """Measure a page's blocks, float32 (blocks, len(SIGHT))."""
    page = lesson.page
    rows = np.empty((len(page.blocks), len(features.SIGHT)), np.float32)
    features_kernel.see(
        page.html, page.text, page.blocks, page.tags, page.parents, page.flags, page.signatures,
        page.class_from, page.class_to, page.classes, page.hashes, page.facts, len(page.facts), weights, rows,
    )  # fmt: skip
    return rows


def hindsight(lesson: Lesson, p: np.ndarray) -> np.ndarray:
    """Measure what the first forest said around each block, float32 (blocks, len(HINDSIGHT))."""
    page = lesson.page
    rows = np.empty((len(page.blocks), len(features.HINDSIGHT)), np.float32)
    hindsight_kernel.look_back(
        page.blocks, page.tags, page.parents, page.flags, page.signatures, p, rows
    )
    return rows


def flattened(booster: lightgbm.Booster) -> Forest:
    """Turn LightGBM's trees into nodes and the leaves each strikes out."""
    trees = booster.dump_model()["tree_info"]
    values = np.zeros((len(trees), 32), np.float32)
    nodes: list[tuple[int, np.float32, int]] = []
    starts = [0]
    for number, tree in enumerate(trees):
        _add(tree["tree_structure"], 0, nodes, values[number])
        starts.append(len(nodes))
    features_, thresholds, kept = zip(*nodes, strict=True) if nodes else ((), (), ())
    return Forest(
        np.array(starts, np.int32),
        np.array(features_, np.int32),
        np.array(thresholds, np.float32),
        np.array(kept, np.uint32),
        values,
    )


def _add(
    node: dict[str, Any], first: int, nodes: list[tuple[int, np.float32, int]], values: np.ndarray
) -> int:
    """Add a subtree whose leftmost leaf is number `first`; return how many leaves it has."""
    if "leaf_value" in node:
        values[first] = node["leaf_value"]
        return 1
    left = _add(node["left_child"], first, nodes, values)
    threshold = np.float32(node["threshold"])
    if float(threshold) < node["threshold"]:  # x <= t must hold for the same float32 x
        threshold = np.nextafter(threshold, np.float32(np.inf))
    nodes.append((node["split_feature"], threshold, 0xFFFFFFFF ^ (((1 << left) - 1) << first)))
    return left + _add(node["right_child"], first + left, nodes, values)


def _boosted(rows: Sequence[np.ndarray], taught: Sequence[Lesson], rounds: int) -> lightgbm.Booster:
    data = lightgbm.Dataset(
        np.concatenate(rows),
        np.concatenate([lesson.labels for lesson in taught]),
        weight=np.concatenate([lesson.weights for lesson in taught]),
    )
    return lightgbm.train(PARAMETERS, data, rounds)
