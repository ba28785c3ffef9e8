"""Fit the two forests with LightGBM, and turn them into the arrays that the product walks.

Whatever is an input to a later fit comes from folds that did not see the page: the class weights of
training rows, and the first forest's probabilities that the second learns from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import lightgbm
import numpy as np

from curation_dagster.ingest.blocks import features, features_kernel
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
    "learning_rate": 0.09,
    "num_leaves": 31,
    "max_depth": 6,
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
SIGHT_ROUNDS, HINDSIGHT_ROUNDS = 60, 100  # trees


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
    features_kernel.look_back(
        page.blocks, page.tags, page.parents, page.flags, page.signatures, p, rows
    )
    return rows


def flattened(booster: lightgbm.Booster) -> Forest:
    """Turn LightGBM's trees into complete ones: a leaf above the last level fills what is below it."""
    trees = booster.dump_model()["tree_info"]
    depth = max(_depth(tree["tree_structure"]) for tree in trees)
    features_ = np.zeros((len(trees), 2**depth - 1), np.int32)
    thresholds = np.full((len(trees), 2**depth - 1), np.inf, np.float32)
    values = np.zeros((len(trees), 2**depth), np.float32)
    for number, tree in enumerate(trees):
        _fill(
            tree["tree_structure"],
            0,
            0,
            depth,
            (features_[number], thresholds[number], values[number]),
        )
    return Forest(features_, thresholds, values)


def _depth(node: dict[str, Any]) -> int:
    if "leaf_value" in node:
        return 0
    return 1 + max(_depth(node["left_child"]), _depth(node["right_child"]))


def _fill(
    node: dict[str, Any],
    at: int,
    level: int,
    depth: int,
    arrays: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    features_, thresholds, values = arrays
    if "leaf_value" in node:
        width = 2 ** (depth - level)
        first = (at - (2**level - 1)) * width
        values[first : first + width] = node["leaf_value"]
        return
    threshold = np.float32(node["threshold"])
    if float(threshold) < node["threshold"]:  # x <= t must hold for the same float32 x
        threshold = np.nextafter(threshold, np.float32(np.inf))
    features_[at], thresholds[at] = node["split_feature"], threshold
    _fill(node["left_child"], 2 * at + 1, level + 1, depth, arrays)
    _fill(node["right_child"], 2 * at + 2, level + 1, depth, arrays)


def _boosted(rows: Sequence[np.ndarray], taught: Sequence[Lesson], rounds: int) -> lightgbm.Booster:
    data = lightgbm.Dataset(
        np.concatenate(rows),
        np.concatenate([lesson.labels for lesson in taught]),
        weight=np.concatenate([lesson.weights for lesson in taught]),
    )
    return lightgbm.train(PARAMETERS, data, rounds)
