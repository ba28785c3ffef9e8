"""Chance that comes from content: a 64-bit hash of a key and a purpose, the same everywhere and every time.

Sampling, shuffling and replacing never draw random numbers; they order or cut by this. The purpose
(a string) makes independent draws of the same key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from curation_dagster import words

if TYPE_CHECKING:
    from numpy.typing import NDArray


def keyed(keys: pl.Series, purpose: str) -> pl.Series:
    """Hash every key under a purpose to UInt64, evenly spread. Cost: one pass over the bytes."""
    from curation_dagster import chance_kernel

    data, offsets, owner = words.buffers(keys)
    hashes: NDArray[np.uint64] = chance_kernel.keyed(
        data, offsets, np.uint64(keyed_oracle(purpose, 0))
    )
    del owner
    return pl.Series("keyed", hashes)


def share(keys: pl.Series, purpose: str) -> pl.Series:
    """Spread keys evenly over [0, 1)."""
    return (keyed(keys, purpose) // (1 << 11)).cast(pl.Float64) / float(1 << 53)


def keyed_oracle(key: str, seed: int) -> int:
    """Hash one key as the kernel does, in plain Python.

    >>> keyed_oracle("a", 0) == keyed_oracle("a", 1)
    False
    """
    h = words.FNV_OFFSET ^ seed
    for byte in key.encode():
        h = (h ^ byte) * words.FNV_PRIME & words.MASK
    return words.mix_oracle(words.mix_oracle(h))
