"""The shipped model: hashed class weights and two forests, as arrays. How it was made: model.json, docs/extraction.md.

Not here: training; see the folder `training` of the repository.
"""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from curation_dagster.errors import IntegrityError
from curation_dagster.ingest.blocks import features

if TYPE_CHECKING:
    from numpy.typing import NDArray

PATH: Final = Path(__file__).with_name("model.npz")


class Forest(NamedTuple):
    """Boosted trees of at most 32 leaves, numbered from left to right, for `forest_kernel.predict`."""

    starts: NDArray[np.int32]  # (trees + 1,): where a tree's nodes begin
    features: NDArray[np.int32]  # of nodes, like the next two
    thresholds: NDArray[np.float32]  # a row goes left when its value is not above
    kept: NDArray[np.uint32]  # the leaves that remain when it goes right
    values: NDArray[np.float32]  # (trees, 32), of leaves


class Model(NamedTuple):
    """What decides which blocks are content."""

    class_weights: NDArray[np.float32]  # by 16-bit hash of a word of class, id, role or itemprop
    sight: Forest
    hindsight: Forest
    beta: float  # of the expected F-beta that the cut maximises
    floor: float  # blocks below it after the first forest stay out


@functools.cache
def load(path: Path = PATH) -> Model:
    """Read a model.

    Raises:
        IntegrityError: when it was fitted to other features than the code measures.
    """
    with np.load(path) as arrays:
        if str(arrays["features"]) != features_digest():
            msg = f"{path}: fitted to other features than these; run `python -m training.fit`"
            raise IntegrityError(msg)
        sight, hindsight = (
            Forest(*(arrays[f"{name}_{field}"] for field in Forest._fields))
            for name in ("sight", "hindsight")
        )
        return Model(
            arrays["class_weights"].astype(np.float32),
            sight,
            hindsight,
            float(arrays["beta"]),
            float(arrays["floor"]),
        )


@functools.cache
def digest() -> str:
    """Return the SHA-256 of the shipped model: what it decides is part of what a file is made from."""
    return hashlib.sha256(PATH.read_bytes()).hexdigest()


def features_digest() -> str:
    """Return a digest of the names of all features, in order."""
    names = " ".join((*features.SIGHT, *features.HINDSIGHT))
    return hashlib.sha256(names.encode()).hexdigest()[:16]


def save(model: Model, path: Path) -> None:
    """Write a model, byte for byte the same for the same arrays."""
    arrays = {
        f"{name}_{field}": array
        for name, forest in (("sight", model.sight), ("hindsight", model.hindsight))
        for field, array in zip(Forest._fields, forest, strict=True)
    }
    np.savez_compressed(
        path,
        allow_pickle=False,
        class_weights=model.class_weights.astype(np.float16),
        features=np.str_(features_digest()),
        beta=np.float32(model.beta),
        floor=np.float32(model.floor),
        **arrays,
    )
