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
    "learning_rate": 0.07,
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
ROUNDS: Final = 120


def fit(taught: Sequence[Lesson], rounds: int = ROUNDS) -> Model:
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
        first = _boosted([seen[n] for n in known], [taught[n] for n in known], rounds)
        for number, lesson in enumerate(taught):
            if inner[number] == part:
                p = np.asarray(first.predict(seen[number]), np.float32)
                both[number] = np.hstack([seen[number], hindsight(lesson, p)])
    order = range(len(taught))
    return Model(
        class_weights(taught),
        flattened(_boosted([seen[n] for n in order], taught, rounds)),
        flattened(_boosted([both[n] for n in order], taught, rounds)),
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
    """Turn LightGBM's trees into arrays; a leaf's children are itself."""
    nodes: list[tuple[int, float, int, int, float]] = []
    roots, depths = [], []

    def add(node: dict[str, Any]) -> tuple[int, int]:
        number = len(nodes)
        nodes.append((0, 0.0, number, number, float(node.get("leaf_value", 0.0))))
        if "leaf_value" in node:
            return number, 0
        left, left_depth = add(node["left_child"])
        right, right_depth = add(node["right_child"])
        nodes[number] = (node["split_feature"], node["threshold"], left, right, 0.0)
        return number, 1 + max(left_depth, right_depth)

    for tree in booster.dump_model()["tree_info"]:
        root, depth = add(tree["tree_structure"])
        roots.append(root)
        depths.append(depth)
    split, threshold, left, right, value = (np.array(column) for column in zip(*nodes, strict=True))
    rounded = threshold.astype(np.float32)
    below = rounded.astype(np.float64) < threshold  # x <= t must hold for the same float32 x
    rounded[below] = np.nextafter(rounded[below], np.float32(np.inf))
    return Forest(
        split.astype(np.int32),
        rounded,
        np.stack([left, right], axis=1).astype(np.int32),
        value.astype(np.float32),
        np.array(roots, np.int32),
        np.array(depths, np.int32),
    )


def _boosted(rows: Sequence[np.ndarray], taught: Sequence[Lesson], rounds: int) -> lightgbm.Booster:
    data = lightgbm.Dataset(
        np.concatenate(rows),
        np.concatenate([lesson.labels for lesson in taught]),
        weight=np.concatenate([lesson.weights for lesson in taught]),
    )
    return lightgbm.train(PARAMETERS, data, rounds)
