"""Chance from content: the compiled loop against the oracle, and evenly spread."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation_dagster.chance import keyed, keyed_oracle, share

N = 20_000
FOR_EVER = [8326778863023903923, 16645152777056342749, 5111329935603985266]


def ids(prefix: str = "0123456789abcdef") -> pl.Series:
    """Give doc_ids as they are: equal but for the end."""
    return pl.Series([f"{prefix}-{i:x}" for i in range(N)])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.none() | st.text(), min_size=1, max_size=5), st.text(max_size=9))
def test_kernel_is_the_oracle(keys: list[str | None], purpose: str) -> None:
    seed = keyed_oracle(purpose, 0)
    found = keyed(pl.Series("k", keys, dtype=pl.String), purpose)
    assert found.dtype == pl.UInt64
    assert found.to_list() == [keyed_oracle(k or "", seed) for k in keys]


def test_values_are_the_same_for_ever() -> None:
    # A change of these changes every shuffle and sample anybody has made.
    assert keyed(pl.Series(["", "a", "東"]), "mix 0 main").to_list() == FOR_EVER


def test_a_value_does_not_depend_on_the_batch() -> None:
    every = ids()
    whole = keyed(every, "p")
    assert keyed(every.slice(777, 5), "p").equals(whole.slice(777, 5))
    assert keyed(every.reverse(), "p").reverse().equals(whole)
    assert keyed(pl.Series([], dtype=pl.String), "p").len() == 0


def chi_square(values: np.ndarray, cells: int) -> float:
    counts = np.bincount(values, minlength=cells)
    expected = len(values) / cells
    return float(((counts - expected) ** 2 / expected).sum())


@pytest.mark.parametrize("shift", [0, 8, 29, 56])
def test_hashes_are_spread_evenly(shift: int) -> None:
    byte = (keyed(ids(), "mix 0 main").to_numpy() >> np.uint64(shift)).astype(np.uint8)
    assert chi_square(byte.astype(np.int64), 256) < 350  # p is about 0.0001 there


def test_shares_are_spread_evenly_over_the_unit_interval() -> None:
    shares = share(ids(), "held out")
    assert 0 <= shares.min() < 0.001
    assert 0.999 < shares.max() < 1
    cells = (shares * 100).floor().cast(pl.Int64).to_numpy()
    assert chi_square(cells, 100) < 160
    assert abs((shares < 0.2).sum() - N * 0.2) < 4 * (N * 0.2 * 0.8) ** 0.5
    assert shares.n_unique() == N


def test_share_never_reaches_one() -> None:
    highest = ((1 << 64) - 1) // (1 << 11) / float(1 << 53)
    assert highest < 1


def test_purposes_draw_independently() -> None:
    one, other = share(ids(), "mix 0 main"), share(ids(), "mix 0 anneal")
    assert abs(float(np.corrcoef(one, other)[0, 1])) < 0.03
    assert abs(((one < 0.1) & (other < 0.1)).sum() - N * 0.01) < 4 * (N * 0.01) ** 0.5
